"""`strategy: random`."""

import itertools
import logging
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.base.section import ListOf
from factory.training.search.candidate import Candidate, draw_values
from factory.training.search.strategy import HyperparameterSet, SearchStrategy, different

logger = logging.getLogger(__name__)

# A draw may repeat an earlier one; so many draws a trial find nearly all of a small finite space.
_DRAWS_PER_TRIAL = 50


class RandomSearch(SearchStrategy):
    """`trials` combinations drawn at random; values may also be distributions, by scipy's names."""

    limited = ("`trials` asks for", "trials")

    strategy: Literal["random"]
    candidates: ListOf[Candidate] = Field(min_length=1)
    """Estimators, each with the values to draw from; they take turns."""
    trials: int = Field(ge=1)
    """How many combinations are drawn."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """The same seed draws the same combinations."""

    @property
    def tried(self) -> tuple[Candidate, ...]:
        """See `SearchStrategy.tried`."""
        return self.candidates

    @property
    def most_trials(self) -> int:
        """See `SearchStrategy.most_trials`."""
        return self.trials

    def draw(self) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw`; the candidates take turns."""
        drawn = list(itertools.islice(different(self._draws()), self.trials))
        if len(drawn) < self.trials:
            logger.warning(
                "The search has only %d different trials, not %d", len(drawn), self.trials
            )
        yield from drawn

    def _draws(self) -> Iterator[HyperparameterSet]:
        import numpy as np

        random = np.random.default_rng(self.seed)
        for draw in range(_DRAWS_PER_TRIAL * self.trials * len(self.candidates)):
            candidate = self.candidates[draw % len(self.candidates)]
            yield candidate.estimator, draw_values(candidate.params, random)
