"""`strategy: random`."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from factory.base.section import ListOf
from factory.training.search.candidate import Candidate, RandomDraws, draw_values
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
        return draw_sets(self.candidates, self.trials, self.seed)


def draw_sets(
    candidates: Sequence[Candidate], trials: int, seed: int
) -> Iterator[HyperparameterSet]:
    """Different sets drawn at random; the candidates take turns.

    Args:
        candidates: Estimators, each with the values to draw from.
        trials: How many sets are drawn; there are fewer where no more can be found.
        seed: What is drawn starts from.
    """
    drawn = list(itertools.islice(different(_draws(candidates, trials, seed)), trials))
    if len(drawn) < trials:
        logger.warning("The search has only %d different trials, not %d", len(drawn), trials)
    yield from drawn


def _draws(candidates: Sequence[Candidate], trials: int, seed: int) -> Iterator[HyperparameterSet]:
    draws = RandomDraws(seed)
    for draw in range(_DRAWS_PER_TRIAL * trials * len(candidates)):
        candidate = candidates[draw % len(candidates)]
        yield candidate.estimator, draw_values(candidate.params, draws)
