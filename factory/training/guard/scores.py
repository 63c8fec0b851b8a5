"""Guards that look at what the winner says of the test rows."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from factory.base.texts import one_of
from factory.training.guard.finding import Action, Guard, GuardFinding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions
    from factory.training.metrics import Goal


@dataclass(frozen=True, eq=False)
class Winner:
    """What the winner says of the test rows, and how good that is."""

    values: "NDArray[Any]"
    """One prediction a row, or rows x targets."""
    metric: str
    """The objective's."""
    goal: "Goal"
    scores: Mapping[str, float]
    baseline: Mapping[str, float]
    """The scores of a model that looks at no feature."""


class ScoreGuard(Guard):
    """A guard that looks at what the winner says of the test rows."""

    @abstractmethod
    def look(self, winner: Winner) -> Iterator[GuardFinding]:
        """What it finds about that."""


class ConstantPrediction(ScoreGuard):
    """A model that says the same of every row."""

    NAME: ClassVar[str] = "constant_prediction"

    action: Action = "halt"

    def look(self, winner: Winner) -> Iterator[GuardFinding]:
        """A finding if all predictions are one value."""
        values = winner.values
        if len(values) > 1 and (values == values[0]).all():
            each = [values[0]] if values.ndim == 1 else values[0].tolist()
            said = one_of((one if isinstance(one, str) else f"{one:.6g}" for one in each), 10)
            yield self.found(
                f"all {len(values)} test rows are predicted to be {said}: the features tell it "
                "nothing, or its hyperparameters keep it from learning"
            )


class WorseThanBaseline(ScoreGuard):
    """A model that is no better than one that looks at no feature, or of which nobody knows whether it is."""

    NAME: ClassVar[str] = "worse_than_baseline"

    action: Action = "halt"

    def look(self, winner: Winner) -> Iterator[GuardFinding]:
        """A finding if the baseline is as good, in the objective's metric, or better, or the model has no score."""
        metric = winner.metric
        own, other = winner.scores.get(metric), winner.baseline.get(metric)
        if own is None:
            yield self.found(
                f"{metric} cannot be computed for the test rows, so nobody knows whether it is better than a "
                "model that looks at no feature: bring more test rows, or write another "
                "`objective.metric`"
            )
            return
        if other is None:
            return
        if own <= other if winner.goal == "maximize" else own >= other:
            yield self.found(
                f"test {metric} {own:.6g} is no better than the {other:.6g} of a model that "
                "looks at no feature"
            )


def baseline(target: "NDArray[Any]", rows: int, *, has_classes: bool) -> "tuple[Predictions, ...]":
    """What models say that look at no feature, as scikit-learn's `DummyClassifier` and `DummyRegressor` do.

    Args:
        target: The training rows' target.
        rows: How many rows they are asked about.
        has_classes: Whether the target is a class.

    Returns:
        For classes the most frequent one, with all classes' shares as probabilities; for numbers the mean, and
        the median.
    """
    import numpy as np

    from factory.trainers.trainer import Predictions

    if not has_classes:
        told = (float(np.mean(target)), float(np.median(target)))
        return tuple(Predictions(np.full(rows, each)) for each in told)
    classes, counts = np.unique(target, return_counts=True)
    shares = np.tile(counts / counts.sum(), (rows, 1))
    return (Predictions(np.repeat(classes[[np.argmax(counts)]], rows), shares, classes),)
