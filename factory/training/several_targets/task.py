"""What tasks of several targets have in common: columns of predictions and metrics of each target."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from factory.data.column_types import Types
from factory.models.prediction_columns import plain_names
from factory.training.learning_task import LearningTask
from factory.training.metrics import Class, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions


class TaskOfSeveral(LearningTask):
    """Learns several targets together: the truth, and what is said of it, are rows x targets."""

    has_classes = False
    has_several = True
    default_split = "random"
    prediction_columns: ClassVar[Types] = {}

    def counted_class(self, positive: Class | None) -> Class | None:  # noqa: ARG002 - it has none
        """See `LearningTask.counted_class`."""
        return None

    def columns_of(self, targets: Sequence[str]) -> Types:
        """See `LearningTask.columns_of`: `prediction_…` for each target."""
        return {f"prediction_{name}": self.sql_type for name in plain_names(targets)}

    def of_targets(self, said: "Predictions", targets: Sequence[str]) -> "Predictions":
        """See `LearningTask.of_targets`."""
        names = plain_names(targets)
        columns = {
            f"prediction_{name}": self.as_said(said.values[:, place])
            for place, name in enumerate(names)
        }
        return replace(said, targets=tuple(targets), columns=columns)

    @abstractmethod
    def as_said(self, values: "NDArray[Any]") -> "NDArray[Any]":
        """What a model says, in the form that people see."""

    def metrics_of(self, targets: Sequence[str]) -> tuple[Metric, ...]:
        """See `LearningTask.metrics_of`; they are called `r2/height`, say."""
        return tuple(
            replace(metric, name=f"{metric.name}/{name}", target=place)
            for place, name in enumerate(plain_names(targets))
            for metric in self.metrics_of_each
        )

    @property
    @abstractmethod
    def metrics_of_each(self) -> tuple[Metric, ...]:
        """The metrics that are computed of each target by itself."""
