"""`strategy: grid`."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken, rule
from factory.base.section import ListOf
from factory.trainers.nested_rules import at_place
from factory.training.search.candidate import Candidate, combinations, count_values, places
from factory.training.search.spaces import RANGES, is_distribution
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
            for error in check_countable(places(candidate.params)):
                yield at_place(error, ("candidates", index))

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


def check_countable(values: Iterable[tuple[KeyPath, Any]]) -> Broken:
    """Distributions, which no grid can go through, among values with their places."""
    for at, value in values:
        if is_distribution(value):
            yield PydanticCustomError(
                "space",
                "`{kind}` can be sampled but not enumerated: use `strategy: random`, or {ranges}",
                {"kind": next(iter(value)), "ranges": " or ".join(RANGES), "at": at},
            )
