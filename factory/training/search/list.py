"""`strategy: list`."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Surroundings
from factory.trainers.dispatch import check_estimator
from factory.training.search.strategy import Estimator, HyperparameterSet, SearchStrategy


class ListedTrial(Estimator):
    """One hyperparameter set, written out."""

    @rule
    def _known(self, surroundings: Surroundings | None) -> Broken:
        yield from check_estimator(self.estimator, self.params, surroundings)


class ListSearch(SearchStrategy):
    """Just the sets that are listed."""

    limited = ("the list has", "trials")

    tries_all = True

    strategy: Literal["list"]
    trials: ListOf[ListedTrial] = Field(min_length=1)
    """The hyperparameter sets, each with its estimator."""

    @property
    def tried(self) -> tuple[ListedTrial, ...]:
        """See `SearchStrategy.tried`."""
        return self.trials

    @property
    def most_trials(self) -> int:
        """See `SearchStrategy.most_trials`."""
        return len(self.trials)

    def draw(self) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw`."""
        for listed in self.trials:
            yield listed.estimator, dict(listed.params)
