"""Tasks of learning: what a model can be asked to say, and all that follows from it.

To add one: a class, here or in a module of its own, its name in `WrittenTask`, metrics whose `tasks` name it, and a
trainer that supports it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.base.errors import TerminalError
from factory.data.column_types import Types
from factory.training.anomaly import Anomaly
from factory.training.clustering import Clustering
from factory.training.forecasting.form import SEASONAL_NAIVE, STEP
from factory.training.learning_task import LearningTask, as_classes, as_numbers
from factory.training.metrics import Class
from factory.training.several_targets.multilabel import Multilabel
from factory.training.several_targets.regression import MultiOutputRegression

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.base.objects import Component
    from factory.trainers.trainer import Predictions


class Classification(LearningTask):
    """Predicts which of several classes a row belongs to: strings, booleans or integers."""

    name = "classification"
    title = "a classification"
    has_classes = True
    default_split = "stratified"
    prediction_columns: ClassVar[Types] = {"prediction": None, "probability": "DOUBLE"}
    sql_type = "VARCHAR"
    estimator_kinds = ("classifier",)
    example_estimator = "sklearn.ensemble.RandomForestClassifier"

    def prepare_target(
        self,
        name: str,
        column: "pa.ChunkedArray",
        positive: Class | None = None,  # noqa: ARG002 - it stays a class
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; whole floats become integers.

        `factory.data.column_types.class_type` says the same of types.
        """
        import pyarrow.compute as pc

        column = as_classes(
            name, column, "use `task: regression`, or group them into classes in a transform"
        )
        classes = pc.count_distinct(column).as_py()
        if classes < 2:
            raise TerminalError(
                f"target: {name!r} has only the class {column[0].as_py()!r}: "
                "there is nothing to tell apart"
            )
        return column

    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """See `LearningTask.ask_estimator`."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        values = np.asarray(estimator.predict(rows))
        gives = hasattr(estimator, "predict_proba")
        probabilities = np.asarray(estimator.predict_proba(rows)) if gives else None
        classes = getattr(estimator, "classes_", None)
        return Predictions(values, probabilities, None if classes is None else np.asarray(classes))

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`."""
        from factory.training.plots import save_classified

        assert target is not None, name  # noqa: S101 - it learns from one
        return save_classified(rows, target, predictions, folder)


class _OfNumbers(LearningTask):
    """Predicts numbers."""

    has_classes = False
    prediction_columns: ClassVar[Types] = {"prediction": "DOUBLE"}
    sql_type = "DOUBLE"
    estimator_kinds: ClassVar[tuple[str, ...]] = ("regressor",)
    example_estimator = "sklearn.ensemble.RandomForestRegressor"

    def counted_class(self, positive: Class | None) -> Class | None:  # noqa: ARG002 - it has none
        """See `LearningTask.counted_class`."""
        return None

    def prepare_target(
        self,
        name: str,
        column: "pa.ChunkedArray",
        positive: Class | None = None,  # noqa: ARG002 - it has no classes
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; the numbers become float64."""
        return as_numbers(
            name, column, self.name, "use `task: classification`, or cast it in a transform"
        )

    def truth_sql(
        self, truth: str, kinds: tuple[str, str], prediction: str, positive: Class | None
    ) -> tuple[str, str]:
        """See `LearningTask.truth_sql`."""
        del kinds, positive
        return f"cast({truth} as {self.sql_type})", f"cast({prediction} as {self.sql_type})"

    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """See `LearningTask.ask_estimator`."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        values = np.asarray(estimator.predict(rows))
        return Predictions(values.reshape(rows.shape[0]))

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`."""
        from factory.training.plots import save_estimated

        assert target is not None  # noqa: S101 - it learns from one
        return save_estimated(f"{name} on {rows}", target, predictions, folder)


class Regression(_OfNumbers):
    """Predicts a number."""

    name = "regression"
    title = "a regression"
    default_split = "random"
    of_several = "multioutput_regression"
    has_intervals = True


class Forecasting(_OfNumbers):
    """Predicts the next values of series; see `factory.training.forecasting`."""

    name = "forecasting"
    title = "a forecasting"
    default_split = "time"
    key_columns: ClassVar[Types] = {STEP: "BIGINT"}
    step_column = STEP

    def baselines(
        self,
        trained_on: "NDArray[Any]",
        rows: int,
        about: "Mapping[str, NDArray[Any]]",
    ) -> "tuple[Predictions, ...]":
        """See `LearningTask.baselines`: the seasonal naive forecast."""
        from factory.trainers.trainer import Predictions

        del trained_on, rows
        return (Predictions(about[SEASONAL_NAIVE], about=about),)


class Ranking(_OfNumbers):
    """Predicts a score by which the rows of a group are ranked; see `factory.training.ranking_rules`."""

    name = "ranking"
    title = "a ranking"
    default_split = "random"
    has_groups = True
    estimator_kinds = ("regressor", "ranker")

    def prepare_target(
        self, name: str, column: "pa.ChunkedArray", positive: Class | None = None
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; how relevant each row is, at least 0."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        numbers = super().prepare_target(name, column, positive)
        low, high = pc.min_max(numbers).as_py().values()
        if low < 0:
            raise TerminalError(
                f"target: {name!r} says how relevant each row is, from 0 on, and the lowest value is {low:g}: make "
                "relevances of it in a transform"
            )
        if high == 0:
            raise TerminalError(f"target: no row is relevant: {name!r} is 0 in all {len(column)}")
        return numbers

    def adapt(self, estimator: "Component") -> "Component":
        """See `LearningTask.adapt`."""
        from factory.trainers.scikit_learn.ranker import RankedWithin

        return RankedWithin(estimator)

    def baselines(
        self,
        trained_on: "NDArray[Any]",
        rows: int,
        about: "Mapping[str, NDArray[Any]]",
    ) -> "tuple[Predictions, ...]":
        """See `LearningTask.baselines`: all rows have the same score, and so are in no order."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        del trained_on
        return (Predictions(np.zeros(rows), about=about),)

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`."""
        from factory.training.plots import save_ranked

        assert target is not None  # noqa: S101 - it learns from one
        return save_ranked(f"{name} on {rows}", target, predictions, folder)


TASKS: Mapping[str, LearningTask] = {
    task.name: task
    for task in (
        Classification(),
        Regression(),
        Anomaly(),
        Clustering(),
        Forecasting(),
        Ranking(),
        Multilabel(),
        MultiOutputRegression(),
    )
}
"""Every task by its name."""
