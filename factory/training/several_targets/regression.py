"""A regression of several targets, which are learned together."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.training import scikit_learn_metrics as known
from factory.training.learning_task import as_numbers
from factory.training.metrics import Class, Metric
from factory.training.several_targets.task import TaskOfSeveral

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.base.objects import Component
    from factory.trainers.trainer import Predictions


class MultiOutputRegression(TaskOfSeveral):
    """Predicts several numbers of each row: `task: regression` with a list of targets."""

    name = "multioutput_regression"
    title = "a regression of several targets"
    sql_type = "DOUBLE"
    estimator_kinds: ClassVar[tuple[str, ...]] = ("regressor",)
    example_estimator = "sklearn.ensemble.RandomForestRegressor"
    wrapper = "sklearn.multioutput.MultiOutputRegressor"

    @property
    def word(self) -> str:
        """See `LearningTask.word`."""
        return "regression"

    def prepare_target(
        self,
        name: str,
        column: "pa.ChunkedArray",
        positive: Class | None = None,  # noqa: ARG002 - it has no classes
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; the numbers become float64."""
        return as_numbers(
            name,
            column,
            self.word,
            "where each says yes or no, use `task: multilabel`, or cast it in a transform",
        )

    def truth_sql(
        self, truth: str, kinds: tuple[str, str], prediction: str, positive: Class | None
    ) -> tuple[str, str]:
        """See `LearningTask.truth_sql`."""
        del kinds, positive
        return f"cast({truth} as double)", f"cast({prediction} as double)"

    def as_said(self, values: "NDArray[Any]") -> "NDArray[Any]":
        """See `TaskOfSeveral.as_said`: numbers as they are."""
        return values

    @property
    def metrics_of_each(self) -> tuple[Metric, ...]:
        """See `TaskOfSeveral.metrics_of_each`."""
        return (known.R2, known.MEAN_ABSOLUTE_ERROR, known.ROOT_MEAN_SQUARED_ERROR)

    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """See `LearningTask.ask_estimator`."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        return Predictions(np.asarray(estimator.predict(rows), dtype=np.float64))

    def baselines(
        self,
        trained_on: "NDArray[Any]",
        rows: int,
        about: "Mapping[str, NDArray[Any]]",
    ) -> "tuple[Predictions, ...]":
        """See `LearningTask.baselines`: the mean of each target, and the median."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        del about
        told = (np.mean(trained_on, axis=0), np.median(trained_on, axis=0))
        return tuple(Predictions(np.tile(each, (rows, 1))) for each in told)

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`: those of a regression, in a folder for each target."""
        from factory.training.several_targets.plots import save_estimated_of_each

        assert target is not None, name  # noqa: S101 - it learns from some
        return save_estimated_of_each(rows, target, predictions, folder)
