"""`strategy: grid`."""

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.nested_estimators import nested_at_any_depth, params_of
from factory.base.rules import Broken, rule
from factory.base.section import ListOf
from factory.training.search.candidate import (
    RANGES,
    Candidate,
    combinations,
    count_values,
    is_distribution,
)
from factory.training.search.strategy import HyperparameterSet, SearchStrategy


class GridSearch(SearchStrategy):
    """Every combination of every candidate's values."""

    limited = ("the grid makes", "candidates")

    tries_all = True

    strategy: Literal["grid"]
    candidates: ListOf[Candidate] = Field(min_length=1)
    """Estimators, each with the values to combine."""

    @rule
    def _countable(self) -> Broken:
        for index, candidate in enumerate(self.candidates):
            for path, value in _values(candidate):
                if is_distribution(value):
                    yield PydanticCustomError(
                        "space",
                        "`{kind}` can be sampled but not enumerated: use `strategy: random`, or "
                        "{ranges}",
                        {
                            "kind": next(iter(value)),
                            "ranges": " or ".join(RANGES),
                            "at": ("candidates", index, *path),
                        },
                    )

    @property
    def tried(self) -> tuple[Candidate, ...]:
        """See `SearchStrategy.tried`."""
        return self.candidates

    @property
    def most_trials(self) -> int:
        """See `SearchStrategy.most_trials`."""
        return sum(
            math.prod(map(count_values, candidate.params.values())) for candidate in self.candidates
        )

    def draw(self) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw`."""
        for candidate in self.candidates:
            for params in combinations(candidate.params):
                yield candidate.estimator, params


def _values(candidate: Candidate) -> Iterator[tuple[KeyPath, Any]]:
    """What is to be tried for each parameter, with its place in the candidate; nested ones included."""
    yield from ((("params", name), value) for name, value in candidate.params.items())
    for path, nested in nested_at_any_depth(candidate.params):
        for name, value in params_of(nested).items():
            yield ("params", *path, "params", name), value
