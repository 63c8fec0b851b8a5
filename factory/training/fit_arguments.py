"""What `fit` is told of rows beside features and target: how much they count, and what they are ranked with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from factory.trainers.trainer import Groups, Weights
from factory.training.about_rows import read_about
from factory.training.division import Part
from factory.training.ranking_rules import GROUP
from factory.training.weights import read_weights


@dataclass(frozen=True, eq=False)
class FitArguments:
    """Of some rows, one value a row in each; None where a model has no such thing."""

    weights: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None

    @classmethod
    def read(cls, workspace: Path, *parts: Part) -> Self:
        """Those of one part's rows, or of several parts' one after the other."""
        return cls(
            _joined([read_weights(workspace, part) for part in parts]),
            _joined([read_about(workspace, part).get(GROUP) for part in parts]),
        )

    def of_rows(self, places: NDArray[Any]) -> Self:
        """Those of some of the rows, by their places."""
        found = (None if one is None else one[places] for one in (self.weights, self.groups))
        return type(self)(*found)

    def named(self, watched: "FitArguments | None" = None) -> dict[str, Any]:
        """The arguments of `Trainer.fit`, without those that a model has not.

        Args:
            watched: The same of the validation rows, where there are some to look at.
        """
        others = watched or FitArguments()
        found: dict[str, Any] = {}
        if self.weights is not None:
            found["weights"] = Weights(self.weights, others.weights)
        if self.groups is not None:
            found["groups"] = Groups(self.groups, others.groups)
        return found


def _joined(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    known = [one for one in parts if one is not None]
    return np.concatenate(known) if known else None
