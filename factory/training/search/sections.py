"""`search`: which hyperparameter sets a model tries. The words are Katib's."""

import math
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import DottedPath, ListOf, NotTrained, Section
from factory.trainers.fastai.params import check_estimator, is_fastai

RANGES = ("linspace", "logspace")
DISTRIBUTIONS = ("uniform", "loguniform", "randint")


def _is_space(value: object) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(value, dict) and len(value) == 1 and next(iter(value)) in RANGES + DISTRIBUTIONS
    )


def _check_values(value: object) -> object:
    if value == []:
        raise PydanticCustomError("space", "an empty list leaves nothing to try")
    if _is_space(value):
        _check_space(*next(iter(value.items())))
    return value


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
    if arity == 2 and (numbers[0] >= numbers[1] or (kind == "loguniform" and numbers[0] <= 0)):
        positive = ", both above 0" if kind == "loguniform" else ""
        raise PydanticCustomError(
            "space", "`{kind}` needs low < high{positive}", {"kind": kind, "positive": positive}
        )


def _count(value: object) -> int:
    if _is_space(value):
        return int(next(iter(value.values()))[2])
    return len(value) if isinstance(value, list) else 1


class Candidate(Section):
    """An estimator and, per parameter, the values to try: a list, a range, or one fixed value."""

    estimator: DottedPath
    params: dict[str, Annotated[Any, AfterValidator(_check_values)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> "Candidate":
        spaces = (*RANGES, *DISTRIBUTIONS)
        check_estimator(self.estimator, self.params, info.context, spaces=spaces)
        return self


class _Search(Section):
    parallel_trials: Annotated[int, NotTrained(is_read=True)] = Field(default=2, ge=1, le=1024)
    max_trials: int = Field(default=50, ge=1, le=1024)
    max_failed_trials: int = Field(default=0, ge=0)

    def _within_limit(self, trials: int, what: str, at: str) -> None:
        if trials > self.max_trials:
            raise PydanticCustomError(
                "max_trials",
                "{what} {trials} trials, more than `max_trials` ({limit}): raise `max_trials`, "
                "shorten the lists, or use `strategy: random`",
                {"what": what, "trials": trials, "limit": self.max_trials, "at": (at,)},
            )


def _refuse_distribution(kind: str, at: tuple[str | int, ...]) -> None:
    raise PydanticCustomError(
        "space",
        "`{kind}` can be sampled but not enumerated: use `strategy: random`, or {ranges}",
        {"kind": kind, "ranges": " or ".join(RANGES), "at": at},
    )


class GridSearch(_Search):
    """Every combination of every candidate's values."""

    strategy: Literal["grid"]
    candidates: ListOf[Candidate] = Field(min_length=1)

    @model_validator(mode="after")
    def _countable(self) -> "GridSearch":
        for index, candidate in enumerate(self.candidates):
            for name, value in candidate.params.items():
                if _is_space(value) and next(iter(value)) in DISTRIBUTIONS:
                    _refuse_distribution(next(iter(value)), ("candidates", index, "params", name))
        self._within_limit(most_trials(self), "the grid makes", "candidates")
        return self


class RandomSearch(_Search):
    """`trials` combinations drawn at random; values may also be distributions, by scipy's names."""

    strategy: Literal["random"]
    candidates: ListOf[Candidate] = Field(min_length=1)
    trials: int = Field(ge=1)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)

    @model_validator(mode="after")
    def _samplable(self) -> "RandomSearch":
        self._within_limit(self.trials, "`trials` asks for", "trials")
        return self


class ListedTrial(Section):
    """One hyperparameter set, written out."""

    estimator: DottedPath
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> "ListedTrial":
        check_estimator(self.estimator, self.params, info.context)
        return self


class ListSearch(_Search):
    """Just the sets that are listed."""

    strategy: Literal["list"]
    trials: ListOf[ListedTrial] = Field(min_length=1)

    @model_validator(mode="after")
    def _not_too_many(self) -> "ListSearch":
        self._within_limit(len(self.trials), "the list has", "trials")
        return self


Search = Annotated[GridSearch | RandomSearch | ListSearch, Field(discriminator="strategy")]


def estimators(search: GridSearch | RandomSearch | ListSearch) -> tuple[str, ...]:
    """The dotted paths of the estimators that a search tries, sorted."""
    entries = search.trials if isinstance(search, ListSearch) else search.candidates
    return tuple(sorted({entry.estimator for entry in entries}))


def written_values(search: GridSearch | RandomSearch | ListSearch, name: str) -> tuple[str, ...]:
    """The texts that estimators of fastai may be given as one parameter, in the order written."""
    entries = search.trials if isinstance(search, ListSearch) else search.candidates
    values: list[Any] = []
    for entry in entries:
        value = entry.params.get(name) if is_fastai(entry.estimator) else None
        values += value if isinstance(value, list) else [value]
    return tuple(value for value in values if isinstance(value, str))


def most_trials(search: GridSearch | RandomSearch | ListSearch) -> int:
    """How many trials a search makes; fewer where some of them are the same."""
    if isinstance(search, GridSearch):
        return sum(
            math.prod(_count(value) for value in candidate.params.values())
            for candidate in search.candidates
        )
    return search.trials if isinstance(search, RandomSearch) else len(search.trials)
