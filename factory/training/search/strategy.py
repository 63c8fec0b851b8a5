"""What search strategies have in common: they say which hyperparameter sets a model tries.

The words are Katib's.
"""

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.section import DottedPath, NotTrained, Section
from factory.kinds import SEARCH_STRATEGY, KindOf
from factory.training.search.trial import Trial, name_trials

logger = logging.getLogger(__name__)

HyperparameterSet = tuple[str, dict[str, Any]]
"""The dotted path of an estimator, and its parameters."""


class Estimator(Section):
    """An estimator, and what is said of its parameters."""

    estimator: DottedPath
    params: dict[str, Any] = Field(default_factory=dict)


class SearchStrategy(Section):
    """Which hyperparameter sets a model tries.

    A strategy is a subclass with `strategy: Literal["its_name"]`, a docstring that says which sets it
    tries, and the fields that a team may write. It has three methods: `tried`, `most_trials` and
    `draw`. It calls `check_limit` in a validator of its own.
    """

    parallel_trials: Annotated[int, NotTrained(is_read=True)] = Field(default=2, ge=1, le=1024)
    max_trials: int = Field(default=50, ge=1, le=1024)
    max_failed_trials: int = Field(default=0, ge=0)
    strategy: str

    @property
    @abstractmethod
    def tried(self) -> Sequence[Estimator]:
        """The estimators that it tries, as they are written."""

    @property
    @abstractmethod
    def most_trials(self) -> int:
        """How many trials it makes; fewer where some of them are the same."""

    @abstractmethod
    def draw(self) -> Iterator[HyperparameterSet]:
        """The hyperparameter sets, always the same ones in the same order.

        Raises:
            TerminalError: The values cannot be drawn.
        """

    def expand(self) -> tuple[Trial, ...]:
        """The trials: the sets that it draws, none of them twice.

        Raises:
            TerminalError: The values cannot be drawn.
        """
        drawn = list(self.draw())
        trials = list(different(drawn))
        if len(trials) < len(drawn):
            logger.warning("Left out %d trials that are there twice", len(drawn) - len(trials))
        names = name_trials(trials)
        return tuple(
            Trial(index=index, name=name, estimator=estimator, params=params)
            for index, (name, (estimator, params)) in enumerate(zip(names, trials, strict=True))
        )

    @property
    def estimators(self) -> tuple[str, ...]:
        """The dotted paths of the estimators that it tries, sorted."""
        return tuple(sorted({entry.estimator for entry in self.tried}))

    def written(self, parameter: str) -> Iterator[tuple[str, Any]]:
        """Each estimator with each value that is written for one of its parameters, in their order."""
        for entry in self.tried:
            value = entry.params.get(parameter)
            for one in value if isinstance(value, list) else [value]:
                yield entry.estimator, one

    def check_limit(self, what: str, at: str) -> None:
        """Raise a located error if it makes more trials than `max_trials` allows.

        Args:
            what: Who makes them, such as `the grid makes`.
            at: The field that says how many.
        """
        if self.most_trials > self.max_trials:
            raise PydanticCustomError(
                "max_trials",
                "{what} {trials} trials, more than `max_trials` ({limit}): raise `max_trials`, "
                "shorten the lists, or use `strategy: random`",
                {"what": what, "trials": self.most_trials, "limit": self.max_trials, "at": (at,)},
            )


def different(drawn: Iterable[HyperparameterSet]) -> Iterator[HyperparameterSet]:
    """Hyperparameter sets without those that were there before."""
    seen = set()
    for estimator, params in drawn:
        # repr, because 1 and 1.0 mean different things to some estimators and True is not 1.
        key = (estimator, repr(sorted(params.items())))
        if key not in seen:
            seen.add(key)
            yield estimator, params


AnySearch = Annotated[SearchStrategy, KindOf(SEARCH_STRATEGY)]
"""Any search strategy."""
