"""`strategy: halving`."""

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf
from factory.training.search.candidate import Candidate
from factory.training.search.random import draw_sets
from factory.training.search.strategy import MOST_WAVES, HyperparameterSet, ScoreOf, SearchStrategy


class HalvingSearch(SearchStrategy):
    """`trials` combinations with a little of a resource; the best of them again with more, and so on.

    This is successive halving, with scikit-learn's words. A resource is what a trial takes long for, such as trees.
    """

    limited = ("the waves make", "trials")

    strategy: Literal["halving"]
    candidates: ListOf[Candidate] = Field(min_length=1)
    """Estimators, each with the values to draw from, as for `random`."""
    trials: int = Field(ge=2)
    """How many combinations the first wave tries."""
    resource: str = Field(examples=["n_estimators", "max_iter", "epochs"])
    """The parameter of each estimator of which later waves have more; it is a whole number."""
    min_resources: int = Field(ge=1)
    """What the first wave has of it."""
    max_resources: int = Field(ge=2)
    """What a trial has of it at most."""
    factor: int = Field(default=3, ge=2, le=100)
    """One in so many goes on to the next wave, and has so many times as much."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """The same seed draws the same combinations."""

    @rule
    def _there_is_a_second_wave(self) -> Broken:
        if self.wave_count < 2:
            yield PydanticCustomError(
                "waves",
                "there is no second wave: {factor} times `min_resources` is more than `max_resources` ({most})",
                {
                    "factor": self.factor,
                    "most": self.max_resources,
                    "at": ("max_resources",),
                    "advice": f"write {self.min_resources * self.factor} or more, or lower `min_resources`",
                },
            )

    @rule
    def _resource_is_free(self) -> Broken:
        for index, candidate in enumerate(self.candidates):
            if self.resource in candidate.params:
                yield PydanticCustomError(
                    "waves",
                    "`{resource}` is the resource, which the waves set",
                    {
                        "resource": self.resource,
                        "at": ("candidates", index, "params", self.resource),
                        "advice": "take it away here",
                    },
                )

    @property
    def tried(self) -> tuple[Candidate, ...]:
        """See `SearchStrategy.tried`."""
        return self.candidates

    @property
    def sets(self) -> dict[str, Any]:
        """See `SearchStrategy.sets`."""
        return {self.resource: list(self._resources)}

    @property
    def _resources(self) -> tuple[int, ...]:
        """What each wave has; the last ones of few trials have but one."""
        by_resource = _log(self.max_resources / self.min_resources, self.factor)
        waves = 1 + math.floor(min(by_resource, _log(self.trials, self.factor), MOST_WAVES - 1))
        return tuple(self.min_resources * self.factor**wave for wave in range(waves))

    @property
    def wave_count(self) -> int:
        """See `SearchStrategy.wave_count`."""
        return len(self._resources)

    def grows(self, wave: int) -> float:  # noqa: ARG002 - each as the others
        """See `SearchStrategy.grows`."""
        return float(self.factor)

    @property
    def most_trials(self) -> int:
        """See `SearchStrategy.most_trials`."""
        return sum(self.trials // self.factor**wave for wave in range(self.wave_count))

    def draw(self) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw`: those of the first wave."""
        for one in self._drawn():
            yield self._with(one, 1)

    def draw_wave(self, wave: int, score_of: ScoreOf) -> Iterator[HyperparameterSet]:
        """See `SearchStrategy.draw_wave`: the best of the wave before, the earlier of equal ones first."""
        left = list(self._drawn())
        first = len(left)
        for before in range(1, wave):
            scores = [(score_of(self._with(one, before)), one) for one in left]
            measured = [(score, one) for score, one in scores if score is not None]
            # The sort keeps the order of equal ones.
            ranking = sorted(measured, key=lambda scored: -scored[0])
            left = [one for _, one in ranking[: first // self.factor**before]]
        for one in left:
            yield self._with(one, wave)

    def _drawn(self) -> Iterator[HyperparameterSet]:
        return draw_sets(self.candidates, self.trials, self.seed)

    def _with(self, one: HyperparameterSet, wave: int) -> HyperparameterSet:
        estimator, params = one
        more: dict[str, Any] = {**params, self.resource: self._resources[wave - 1]}
        return estimator, more


def _log(value: float, base: int) -> float:
    # Of 27 and 3 it is 3 and not 2.9999999999999996.
    return math.log(value, base) + 1e-9
