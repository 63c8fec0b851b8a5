"""Candidates: an estimator, and per parameter the values to try, as a list, a range or a distribution."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.findings import KeyPath
from factory.base.nested_estimators import is_named, is_nested, nested_at_any_depth, params_of
from factory.base.rules import Broken, rule
from factory.base.section import Surroundings
from factory.trainers.dispatch import check_estimator
from factory.trainers.nested_rules import at_place
from factory.training.search.distributions import DISTRIBUTIONS
from factory.training.search.spaces import RANGES, SPACES, check_values, is_distribution, is_space
from factory.training.search.strategy import Estimator


class Candidate(Estimator):
    """An estimator and, per parameter, the values to try: a list, a range, or one fixed value."""

    has_spaces = True

    params: dict[str, Annotated[Any, AfterValidator(check_values)]] = Field(
        default_factory=dict, examples=[{"C": [0.1, 1.0]}, {"C": {"logspace": [-2, 2, 5]}}]
    )
    """By the parameter's name: one value, a list of values to try, or a range such as `{linspace: [start, stop, how
    many]}`; with `random` also a distribution such as `{uniform: [low, high]}`; another estimator is `{estimator: its path, params: {...}}`."""

    @rule
    def _known(self, surroundings: Surroundings | None) -> Broken:
        yield from check_estimator(self.estimator, self.params, surroundings, spaces=SPACES)

    @rule
    def _nested_spaces(self) -> Broken:
        own = {("params", name) for name in self.params}
        yield from check_spaces((at, value) for at, value in places(self.params) if at not in own)


def places(params: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """What is to be tried for each parameter, with its place in the section; those of nested estimators included."""
    yield from ((("params", name), value) for name, value in params.items())
    for path, nested in nested_at_any_depth(params):
        for name, value in params_of(nested).items():
            yield ("params", *path, "params", name), value


def check_spaces(values: Iterable[tuple[KeyPath, Any]]) -> Broken:
    """What is to be tried and cannot be, such as an empty list, of values with their places."""
    for at, value in values:
        try:
            check_values(value)
        except PydanticCustomError as error:
            yield at_place(error, at)


def count_values(value: object) -> int:
    """How many values a parameter is given; a distribution has no number."""
    if is_space(value, RANGES):
        return int(next(iter(value.values()))[2])
    if isinstance(value, list):
        return sum(count_values(one) if _is_of_estimators(one) else 1 for one in value)
    if is_nested(value):
        return math.prod(map(count_values, params_of(value).values()))
    return math.prod(map(count_values, value.values())) if is_named(value) else 1


def _is_of_estimators(value: object) -> bool:
    return is_nested(value) or is_named(value)


def list_values(value: Any) -> list[Any]:
    """The values that a parameter is given: those of a list, those of a range, or the one.

    Ranges are numpy's `linspace` and `logspace`; between whole numbers, and where they meet only whole
    numbers, they give integers. Estimators within the parameter are tried with each combination of what
    is to be tried for theirs.
    """
    if isinstance(value, list):
        lists = [list_values(one) if _is_of_estimators(one) else [one] for one in value]
        return list(itertools.chain.from_iterable(lists))
    if is_nested(value):
        return [{**value, "params": params} for params in combinations(params_of(value))]
    if is_named(value):
        return combinations(value)
    if not is_space(value, RANGES):
        return [value]
    import numpy as np

    ((kind, (start, stop, count)),) = value.items()
    spaced: Callable[..., Any] = np.linspace if kind == "linspace" else np.logspace
    values: list[float] = spaced(start, stop, int(count)).tolist()
    whole = isinstance(start, int) and isinstance(stop, int)
    if whole and all(number.is_integer() for number in values):
        return [int(number) for number in values]
    return values


def combinations(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each combination of the values of parameters."""
    every = itertools.product(*map(list_values, params.values()))
    return [dict(zip(params, values, strict=True)) for values in every]


class Draws(Protocol):
    """What chooses values: at random, or by what is known of others."""

    def choose(self, at: KeyPath, count: int) -> int:
        """Which of `count` values a parameter gets, by its place."""

    def number(self, at: KeyPath, kind: str, numbers: list[float]) -> float:
        """A number of a distribution: one of `DISTRIBUTIONS`, with its numbers as they are written."""


def draw_value(at: KeyPath, value: Any, draws: Draws) -> Any:
    """A value that is drawn for a parameter; of estimators within it, theirs are drawn.

    Args:
        at: The names of the parameter and of those that it lies within.
        value: What is to be tried for it.
        draws: What chooses.

    Raises:
        TerminalError: `randint` is given fractions.
    """
    if is_nested(value):
        return {**value, "params": draw_values(params_of(value), draws, at)}
    if is_named(value):
        return draw_values(value, draws, at)
    if not is_distribution(value):
        values = value if isinstance(value, list) else list_values(value)
        place = draws.choose(at, len(values))
        drawn = values[place]
        return draw_value((*at, place), drawn, draws) if _is_of_estimators(drawn) else drawn
    ((kind, numbers),) = value.items()
    if kind == "randint" and any(int(one) != one for one in numbers):
        raise TerminalError(
            f"search: parameter `{at[-1]}`: `randint` takes whole numbers, not {numbers}"
        )
    return draws.number(at, kind, numbers)


def draw_values(params: Mapping[str, Any], draws: Draws, at: KeyPath = ()) -> dict[str, Any]:
    """Each parameter with a value that is drawn; see `draw_value`."""
    return {name: draw_value((*at, name), value, draws) for name, value in params.items()}


_BY_SCIPY = ("uniform", "loguniform", "randint")


class RandomDraws:
    """Values drawn at random."""

    def __init__(self, seed: int) -> None:
        import numpy as np

        self._random = np.random.default_rng(seed)

    def choose(self, at: KeyPath, count: int) -> int:  # noqa: ARG002 - all places are alike to it
        """See `Draws.choose`."""
        return int(self._random.integers(count))

    def number(self, at: KeyPath, kind: str, numbers: list[float]) -> float:  # noqa: ARG002
        """See `Draws.number`; what scipy has is drawn as it draws, so that a seed keeps its meaning."""
        if kind not in _BY_SCIPY:
            return DISTRIBUTIONS[kind].at(float(self._random.random()), numbers)
        # Only for distributions: importing it takes most of a second.
        from scipy import stats

        low, high = numbers
        if kind == "uniform":
            return float(stats.uniform(low, high - low).rvs(random_state=self._random))
        if kind == "loguniform":
            return float(stats.loguniform(low, high).rvs(random_state=self._random))
        return int(stats.randint(int(low), int(high)).rvs(random_state=self._random))
