"""What a search draws or lists values from: ranges and distributions, as they are written."""

import math
from collections.abc import Sequence
from typing import TypeGuard

from pydantic_core import PydanticCustomError

from factory.base.texts import closest

RANGES = ("linspace", "logspace")
"""Values at equal distances, by numpy's names: `{linspace: [start, stop, how many]}`."""
DISTRIBUTIONS = ("uniform", "loguniform", "randint")
"""What values are drawn from, by scipy's names: `{uniform: [low, high]}`."""
SPACES = (*RANGES, *DISTRIBUTIONS)

_LARGEST_EXPONENT = 300
_INSIDE = 1e-9
"""How far from a bound of a distribution its outermost values are, as a share of the whole."""

Space = dict[str, list[float]]


def is_space(value: object, kinds: tuple[str, ...] = SPACES) -> TypeGuard[Space]:
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
    arity = 3 if kind in RANGES else 2
    if not isinstance(numbers, list) or len(numbers) != arity or not all(map(_is_number, numbers)):
        shape = "[start, stop, how many]" if arity == 3 else "[low, high]"
        raise PydanticCustomError("space", "`{kind}` takes {shape}", {"kind": kind, "shape": shape})
    if arity == 3 and (int(numbers[2]) != numbers[2] or not 1 <= numbers[2] <= 1000):
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
    if arity == 2 and (numbers[0] >= numbers[1] or (kind == "loguniform" and numbers[0] <= 0)):
        positive = ", both above 0" if kind == "loguniform" else ""
        raise PydanticCustomError(
            "space", "`{kind}` needs low < high{positive}", {"kind": kind, "positive": positive}
        )


def outermost(kind: str, numbers: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value that a range or a distribution gives, without drawing or listing any.

    A whole number is one where all that is given are whole numbers.
    """
    low, high = numbers[0], numbers[1]
    if kind == "randint":
        return (int(low), int(high) - 1)
    if kind == "loguniform":
        factor = (high / low) ** _INSIDE
        return (low * factor, high / factor)
    if kind == "uniform":
        inside = (high - low) * _INSIDE
        return (low + inside, high - inside)
    steps = max(int(numbers[2]) - 1, 1)
    last = low if numbers[2] == 1 else high
    is_whole = isinstance(low, int) and isinstance(high, int) and (last - low) % steps == 0
    if kind == "linspace":
        return (low, last) if is_whole else (float(low), float(last))
    if is_whole and min(low, last) >= 0:
        return (10 ** int(low), 10 ** int(last))
    return (10.0**low, 10.0**last)
