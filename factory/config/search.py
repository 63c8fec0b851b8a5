"""`search`: which hyperparameter sets a model tries. The words are Katib's."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from factory.config.base import DottedPath, Section

RANGES = ("linspace", "logspace")
DISTRIBUTIONS = ("uniform", "loguniform", "randint")


def _is_space(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in RANGES + DISTRIBUTIONS


def _check_space(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    kind, numbers = next(iter(value.items()))
    if kind not in allowed:
        raise PydanticCustomError(
            "space",
            "parameter `{name}`: `{kind}` can be sampled but not enumerated; "
            "use `strategy: random`, or {ranges}",
            {"name": name, "kind": kind, "ranges": " or ".join(RANGES)},
        )
    arity = 3 if kind in RANGES else 2
    is_numbers = isinstance(numbers, list) and all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    )
    if not is_numbers or len(numbers) != arity:
        shape = "[start, stop, how many]" if arity == 3 else "[low, high]"
        raise PydanticCustomError(
            "space",
            "parameter `{name}`: `{kind}` takes {shape}",
            {"name": name, "kind": kind, "shape": shape},
        )
    if arity == 3 and (int(numbers[2]) != numbers[2] or not 1 <= numbers[2] <= 1000):
        raise PydanticCustomError(
            "space",
            "parameter `{name}`: `{kind}` makes 1 to 1000 values, not {found}",
            {"name": name, "kind": kind, "found": numbers[2]},
        )
    if arity == 2 and (numbers[0] >= numbers[1] or (kind == "loguniform" and numbers[0] <= 0)):
        raise PydanticCustomError(
            "space",
            "parameter `{name}`: `{kind}` needs low < high{positive}",
            {"name": name, "kind": kind, "positive": ", both above 0" if kind == "loguniform" else ""},
        )


def _count(value: Any) -> int:
    if _is_space(value):
        return int(next(iter(value.values()))[2])
    return len(value) if isinstance(value, list) else 1


class Candidate(Section):
    """An estimator and, per parameter, the values to try: a list, a range, or one fixed value."""

    estimator: DottedPath
    params: dict[str, Any] = Field(default_factory=dict)


class _Search(Section):
    parallel_trials: int = Field(default=2, ge=1, le=1024)
    max_trials: int = Field(default=50, ge=1, le=1024)
    max_failed_trials: int = Field(default=0, ge=0)

    def _within_limit(self, trials: int, what: str) -> None:
        if trials > self.max_trials:
            raise PydanticCustomError(
                "max_trials",
                "{what} {trials} trials, more than `max_trials` ({limit}): raise `max_trials`, "
                "shorten the lists, or use `strategy: random`",
                {"what": what, "trials": trials, "limit": self.max_trials},
            )


class GridSearch(_Search):
    """Every combination of every candidate's values."""

    strategy: Literal["grid"]
    candidates: tuple[Candidate, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _countable(self) -> "GridSearch":
        trials = 0
        for candidate in self.candidates:
            for name, value in candidate.params.items():
                if _is_space(value):
                    _check_space(name, value, RANGES)
                elif value == []:
                    raise PydanticCustomError(
                        "space", "parameter `{name}`: an empty list leaves nothing to try", {"name": name}
                    )
            trials += math.prod(_count(value) for value in candidate.params.values())
        self._within_limit(trials, "the grid makes")
        return self


class RandomSearch(_Search):
    """`trials` combinations drawn at random; values may also be distributions, by scipy's names."""

    strategy: Literal["random"]
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    trials: int = Field(ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _samplable(self) -> "RandomSearch":
        for candidate in self.candidates:
            for name, value in candidate.params.items():
                if _is_space(value):
                    _check_space(name, value, RANGES + DISTRIBUTIONS)
                elif value == []:
                    raise PydanticCustomError(
                        "space", "parameter `{name}`: an empty list leaves nothing to try", {"name": name}
                    )
        self._within_limit(self.trials, "`trials` asks for")
        return self


class ListedTrial(Section):
    """One hyperparameter set, written out."""

    estimator: DottedPath
    params: dict[str, Any] = Field(default_factory=dict)


class ListSearch(_Search):
    """Just the sets that are listed."""

    strategy: Literal["list"]
    trials: tuple[ListedTrial, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _not_too_many(self) -> "ListSearch":
        self._within_limit(len(self.trials), "the list has")
        return self


Search = Annotated[GridSearch | RandomSearch | ListSearch, Field(discriminator="strategy")]


def estimators(search: GridSearch | RandomSearch | ListSearch) -> tuple[str, ...]:
    """The dotted paths of the estimators that a search tries, sorted."""
    entries = search.trials if isinstance(search, ListSearch) else search.candidates
    return tuple(sorted({entry.estimator for entry in entries}))
