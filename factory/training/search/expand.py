"""Expand a search into trials: what `grid`, `random` and `list` stand for, one by one."""

import itertools
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import field_serializer, field_validator

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.training.search.sections import (
    DISTRIBUTIONS,
    RANGES,
    Candidate,
    GridSearch,
    ListedTrial,
    ListSearch,
    RandomSearch,
)
from factory.training.search.trial_names import name_trials

logger = logging.getLogger(__name__)

Value = Any
"""A parameter's value: whatever YAML can say."""

# A draw may repeat an earlier one; so many draws a trial find nearly all of a small finite space.
_DRAWS_PER_TRIAL = 50


class Trial(Result):
    """One hyperparameter set."""

    index: int
    """Its place in the sweep, the map index of its task group."""
    name: str
    """What a person calls it: the estimator and the parameters that vary. Unique in the sweep."""
    estimator: str
    params: dict[str, Value]

    @field_serializer("params")
    def _write(self, params: dict[str, Value]) -> dict[str, Value]:
        return {name: _encode(value) for name, value in params.items()}

    @field_validator("params", mode="before")
    @classmethod
    def _read(cls, params: dict[str, Value]) -> dict[str, Value]:
        return {name: _decode(value) for name, value in params.items()}


def expand(search: GridSearch | RandomSearch | ListSearch) -> tuple[Trial, ...]:
    """The trials of a search, always the same ones in the same order, none of them twice.

    Ranges are numpy's `linspace` and `logspace`, distributions scipy's `uniform` and `loguniform`
    over [low, high] and `randint` over low to high - 1. A range between whole numbers that meets
    only whole numbers gives integers. In a random search the candidates take turns.

    Raises:
        TerminalError: `randint` is given fractions.
    """
    if isinstance(search, ListSearch):
        drawn = [(listed.estimator, dict(listed.params)) for listed in search.trials]
    elif isinstance(search, GridSearch):
        drawn = [pair for candidate in search.candidates for pair in _grid(candidate)]
    else:
        drawn = list(itertools.islice(_fresh(_draws(search)), search.trials))
        if len(drawn) < search.trials:
            logger.warning(
                "The search has only %d different trials, not %d", len(drawn), search.trials
            )
    different = list(_fresh(iter(drawn)))
    if len(different) < len(drawn):
        logger.warning("Left out %d trials that are there twice", len(drawn) - len(different))
    names = name_trials(different)
    return tuple(
        Trial(index=index, name=name, estimator=estimator, params=params)
        for index, (name, (estimator, params)) in enumerate(zip(names, different, strict=True))
    )


def _fresh(drawn: Iterator[tuple[str, dict[str, Value]]]) -> Iterator[tuple[str, dict[str, Value]]]:
    seen = set()
    for estimator, params in drawn:
        # repr, because 1 and 1.0 mean different things to some estimators and True is not 1.
        key = (estimator, repr(sorted(params.items())))
        if key not in seen:
            seen.add(key)
            yield estimator, params


def _grid(candidate: Candidate) -> Iterator[tuple[str, dict[str, Value]]]:
    values = [_values(value) for value in candidate.params.values()]
    for combination in itertools.product(*values):
        yield candidate.estimator, dict(zip(candidate.params, combination, strict=True))


def _draws(search: RandomSearch) -> Iterator[tuple[str, dict[str, Value]]]:
    random = np.random.default_rng(search.seed)
    turns: Sequence[Candidate | ListedTrial] = search.candidates
    for draw in range(_DRAWS_PER_TRIAL * search.trials * len(turns)):
        candidate = turns[draw % len(turns)]
        yield (
            candidate.estimator,
            {name: _sample(name, value, random) for name, value in candidate.params.items()},
        )


def _values(value: Value) -> list[Value]:
    if _is_space(value, RANGES):
        return _range(value)
    return value if isinstance(value, list) else [value]


def _sample(name: str, value: Value, random: np.random.Generator) -> Value:
    if not _is_space(value, DISTRIBUTIONS):
        values = _values(value)
        return values[int(random.integers(len(values)))]
    # Only for distributions: importing it takes most of a second.
    from scipy import stats

    ((kind, (low, high)),) = value.items()
    if kind == "uniform":
        return float(stats.uniform(low, high - low).rvs(random_state=random))
    if kind == "loguniform":
        return float(stats.loguniform(low, high).rvs(random_state=random))
    if int(low) != low or int(high) != high:
        raise TerminalError(
            f"search: parameter `{name}`: `randint` takes whole numbers, not [{low}, {high}]"
        )
    return int(stats.randint(int(low), int(high)).rvs(random_state=random))


def _range(space: dict[str, list[float]]) -> list[Value]:
    ((kind, (start, stop, count)),) = space.items()
    spaced = np.linspace if kind == "linspace" else np.logspace
    values: list[float] = spaced(start, stop, int(count)).tolist()
    whole = isinstance(start, int) and isinstance(stop, int)
    if whole and all(value.is_integer() for value in values):
        return [int(value) for value in values]
    return values


def _is_space(value: Value, kinds: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in kinds


_MAPPING = "__mapping__"


def _encode(value: Value) -> Value:
    """A value as JSON; mappings as pairs where JSON would turn their keys into strings."""
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, str) for key in value) and _MAPPING not in value:
        return {key: _encode(item) for key, item in value.items()}
    return {_MAPPING: [[_encode(key), _encode(item)] for key, item in value.items()]}


def _decode(value: Value) -> Value:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_MAPPING]:
        return {_decode(key): _decode(item) for key, item in value[_MAPPING]}
    return {key: _decode(item) for key, item in value.items()}


def as_text(value: Value) -> str:
    """A parameter's value as MLflow and tables show it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
