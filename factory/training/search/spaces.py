"""What a search draws or lists values from: ranges and distributions, as they are written."""

import math
from collections.abc import Collection, Sequence
from typing import TypeGuard

from pydantic_core import PydanticCustomError

from factory.base.texts import closest
from factory.training.search.distributions import DISTRIBUTIONS

RANGES = ("linspace", "logspace")
"""Values at equal distances, by numpy's names: `{linspace: [start, stop, how many]}`."""
SPACES = (*RANGES, *DISTRIBUTIONS)

_LARGEST_EXPONENT = 300
_SHAPE_OF_RANGES = ("start", "stop", "how many")

Space = dict[str, list[float]]


def is_space(value: object, kinds: Collection[str] = SPACES) -> TypeGuard[Space]:
    """Whether a value stands for several: a range or a distribution of one of the kinds."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in kinds


def is_distribution(value: object) -> TypeGuard[Space]:
    """Whether values can be drawn from it, and not be listed."""
    return is_space(value, DISTRIBUTIONS)


def check_values(value: object) -> object:
    """What is to be tried for a parameter, as it is.

    Raises:
        PydanticCustomError: It leaves nothing to try, or is no range or distribution though it is meant as one.
    """
    if value == []:
        raise PydanticCustomError("space", "an empty list leaves nothing to try")
    if is_space(value):
        _check_space(*next(iter(value.items())))
    elif (meant := _misspelt(value)) is not None:
        raise PydanticCustomError(
            "space",
            "there is no range or distribution `{value}`",
            {"value": meant[0], "suggestion": meant[1], "at": (meant[0],), "on_key": True},
        )
    return value


def _misspelt(value: object) -> tuple[str, str] | None:
    """The word of what is meant as a range and is none, and the one that is meant."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, numbers),) = value.items()
    is_range = (
        isinstance(numbers, list) and len(numbers) in (2, 3) and all(map(_is_number, numbers))
    )
    meant = closest(str(kind).replace("_", ""), SPACES, likeness=0.75)
    return (str(kind), meant) if is_range and meant else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_space(kind: str, numbers: object) -> None:
    distribution = DISTRIBUTIONS.get(kind)
    shape = _SHAPE_OF_RANGES if distribution is None else distribution.shape
    if (
        not isinstance(numbers, list)
        or len(numbers) != len(shape)
        or not all(map(_is_number, numbers))
    ):
        raise PydanticCustomError(
            "space", "`{kind}` takes [{shape}]", {"kind": kind, "shape": ", ".join(shape)}
        )
    if distribution is None:
        _check_range(kind, numbers)
    elif (wrong := distribution.wrong(numbers)) is not None:
        raise PydanticCustomError("space", "`{kind}` {wrong}", {"kind": kind, "wrong": wrong})


def _check_range(kind: str, numbers: list[float]) -> None:
    if int(numbers[2]) != numbers[2] or not 1 <= numbers[2] <= 1000:
        raise PydanticCustomError(
            "space",
            "`{kind}` makes 1 to 1000 values, not {found}",
            {"kind": kind, "found": numbers[2]},
        )
    if kind == "logspace" and max(map(abs, numbers[:2])) > _LARGEST_EXPONENT:
        raise PydanticCustomError(
            "space",
            "`logspace` takes exponents of ten, and 10 to the power of {found} is no number",
            {
                "found": max(numbers[:2], key=abs),
                "advice": "write [-3, 3, 7] for seven values from 0.001 to 1000",
            },
        )


def outermost(kind: str, numbers: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value that a range or a distribution gives, without drawing or listing any.

    A whole number is one where all that is given are whole numbers.
    """
    if kind in DISTRIBUTIONS:
        return DISTRIBUTIONS[kind].outermost(list(numbers))
    low, high = numbers[0], numbers[1]
    steps = max(int(numbers[2]) - 1, 1)
    last = low if numbers[2] == 1 else high
    is_whole = isinstance(low, int) and isinstance(high, int) and (last - low) % steps == 0
    if kind == "linspace":
        return (low, last) if is_whole else (float(low), float(last))
    if is_whole and min(low, last) >= 0:
        return (10 ** int(low), 10 ** int(last))
    return (10.0**low, 10.0**last)
