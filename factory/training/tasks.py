"""Tasks of learning: what a model can be asked to predict, and all that follows from it.

To add one: a class here, its name in `TaskName`, metrics whose `tasks` name it, and a trainer that
supports it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from factory.base.errors import TerminalError
from factory.data.column_types import Types
from factory.training.forecasting.form import SEASONAL_NAIVE, STEP
from factory.training.metrics import Metric, builtin_metrics

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions

TaskName = Literal["classification", "regression", "forecasting"]
"""What `task` may say."""


class LearningTask(ABC):
    """A task of learning."""

    name: ClassVar[TaskName]
    has_classes: ClassVar[bool]
    """Whether it predicts one of several classes, and not a number."""
    default_split: ClassVar[Literal["random", "stratified", "time"]]
    """How rows are divided where `split.method` is left out."""
    prediction_columns: ClassVar[Types]
    """The columns that predictions add to what they keep of a row; no type where it follows from the target's."""
    sql_type: ClassVar[str]
    """DuckDB's type of a prediction; the target's too, where nothing is known but its name."""
    key_columns: ClassVar[Types] = {}
    """The columns that say what a prediction is about, before those of the prediction."""
    step_column: ClassVar[str | None] = None
    """The feature that says how many steps ahead a row is, where each step has an estimator of its own."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are computed for each of its models."""
        return builtin_metrics(self.name)

    def baselines(
        self,
        trained_on: "NDArray[Any]",
        rows: int,
        about: "Mapping[str, NDArray[Any]]",
    ) -> "tuple[Predictions, ...]":
        """What models say that look at no feature.

        Args:
            trained_on: The target of the training rows.
            rows: How many rows they are asked about.
            about: What is known of these rows beside their features.
        """
        from factory.training.guard.scores import baseline

        del about
        return baseline(trained_on, rows, has_classes=self.has_classes)

    @abstractmethod
    def prepare_target(self, name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
        """The values to learn, in the form that trainers take.

        Args:
            name: The target's name, for messages.
            column: Its values: no nulls, no NaN, at least one row.

        Raises:
            TerminalError: They do not fit the task.
        """


class Classification(LearningTask):
    """Predicts which of several classes a row belongs to: strings, booleans or integers."""

    name = "classification"
    has_classes = True
    default_split = "stratified"
    prediction_columns: ClassVar[Types] = {"prediction": None, "probability": "DOUBLE"}
    sql_type = "VARCHAR"

    def prepare_target(self, name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; whole floats become integers.

        `factory.data.column_types.class_type` says the same of types.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            numbers = column.cast(pa.float64(), safe=False)
            if not pc.all(pc.equal(numbers, pc.floor(numbers))).as_py():
                raise TerminalError(
                    f"target: {name!r} holds fractions, which are not classes: "
                    "use `task: regression`, or group them into classes in a transform"
                )
            column = numbers.cast(pa.int64())
        elif not (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
            column = _texts(name, column)
        classes = pc.count_distinct(column).as_py()
        if classes < 2:
            raise TerminalError(
                f"target: {name!r} has only the class {column[0].as_py()!r}: "
                "there is nothing to tell apart"
            )
        return column


def _texts(name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa

    from factory.data.columns import TEXT

    try:
        return column.cast(TEXT)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise TerminalError(
            f"target: {name!r} is of type {column.type}, which cannot be a class: "
            "use a column of strings, integers or booleans"
        ) from None


class _OfNumbers(LearningTask):
    """Predicts numbers."""

    has_classes = False
    prediction_columns: ClassVar[Types] = {"prediction": "DOUBLE"}
    sql_type = "DOUBLE"

    def prepare_target(self, name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; the numbers become float64."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from factory.data.columns import is_numeric

        if not is_numeric(column.type):
            raise TerminalError(
                f"target: {name!r} is of type {column.type}, and a {self.name} predicts numbers: "
                "use `task: classification`, or cast it in a transform"
            )
        numbers = column.cast(pa.float64(), safe=False)
        infinite = pc.sum(pc.is_inf(numbers)).as_py()
        if infinite:
            raise TerminalError(
                f"target: {name!r} holds {infinite} infinite values: take these rows out in a "
                "transform"
            )
        return numbers


class Regression(_OfNumbers):
    """Predicts a number."""

    name = "regression"
    default_split = "random"


class Forecasting(_OfNumbers):
    """Predicts the next values of series; see `factory.training.forecasting`."""

    name = "forecasting"
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


TASKS: Mapping[str, LearningTask] = {
    task.name: task for task in (Classification(), Regression(), Forecasting())
}
"""Every task by its name."""
