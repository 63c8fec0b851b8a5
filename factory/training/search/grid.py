"""`strategy: grid`."""

import itertools
import math
from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf
from factory.training.search.candidate import (
    RANGES,
    Candidate,
    count_values,
    is_distribution,
    list_values,
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
            for name, value in candidate.params.items():
                if is_distribution(value):
                    yield PydanticCustomError(
                        "space",
                        "`{kind}` can be sampled but not enumerated: use `strategy: random`, or "
                        "{ranges}",
                        {
                            "kind": next(iter(value)),
                            "ranges": " or ".join(RANGES),
                            "at": ("candidates", index, "params", name),
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
            for values in itertools.product(*map(list_values, candidate.params.values())):
                yield candidate.estimator, dict(zip(candidate.params, values, strict=True))
