"""What every task of learning has: all that follows from what a model is asked to say."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from factory.base.errors import TerminalError
from factory.data.column_types import Types
from factory.training.metrics import Class, Metric, builtin_metrics

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.base.objects import Component
    from factory.trainers.trainer import Predictions

WrittenTask = Literal[
    "classification", "regression", "anomaly", "clustering", "forecasting", "ranking", "multilabel"
]
"""What `task` may say."""
TaskName = Literal[WrittenTask, "multioutput_regression"]
"""The tasks; `multioutput_regression` is what a regression with several targets is."""

Ask = Callable[["pd.DataFrame"], "Predictions"]
"""Asks a model about rows."""


class LearningTask(ABC):
    """A task of learning."""

    name: ClassVar[TaskName]
    title: ClassVar[str]
    """A model of it in words, such as `a classification`."""
    has_classes: ClassVar[bool]
    """Whether it says one of several classes, as its target does if there is one, and not a number."""
    has_numbers: ClassVar[bool] = False
    """Whether what it says are numbers without a meaning of their own, see `renumbering`."""
    learns_target: ClassVar[bool] = True
    """Whether it learns from a target, which must be there; if not, a target may be there and only measures."""
    default_split: ClassVar[Literal["random", "stratified", "time"]]
    """How rows with a target are divided where `split.method` is left out."""
    prediction_columns: ClassVar[Types]
    """The columns that predictions add to what they keep of a row; no type where it follows from the target's."""
    has_intervals: ClassVar[bool] = False
    """Whether its predictions are numbers whose errors say how far off the next one may be."""
    key_columns: ClassVar[Types] = {}
    """The columns that say what a prediction is about, before those of the prediction."""
    of_several: ClassVar[TaskName | None] = None
    """The task that it is with a list of targets; None where it learns one."""
    has_several: ClassVar[bool] = False
    """Whether it learns several targets together: truth and predictions are then rows x targets."""
    wrapper: ClassVar[str] = ""
    """With several targets: what makes of an estimator of one target one that learns all of them."""
    has_groups: ClassVar[bool] = False
    """Whether rows are ranked within groups, by the column that the model names as `group`."""
    step_column: ClassVar[str | None] = None
    """The feature that says how many steps ahead a row is, where each step has an estimator of its own."""
    sql_type: ClassVar[str]
    """DuckDB's type of the target where nothing is known but its name."""
    estimator_kinds: ClassVar[tuple[str, ...]]
    """What scikit-learn calls the estimators that it is for; the first one in words of advice."""
    example_estimator: ClassVar[str]
    """One of them."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are computed for each of its models that has a target."""
        return builtin_metrics(self.name)

    @property
    def word(self) -> str:
        """What `task` says in a team file."""
        return self.name

    @property
    def has_categories(self) -> bool:
        """Whether the values of its target are classes or labels, and not numbers."""
        return self.has_classes

    def columns_of(self, targets: Sequence[str]) -> Types:  # noqa: ARG002 - for tasks with several
        """The columns that predictions add to what they keep of a row; see `prediction_columns`.

        Args:
            targets: The names of the model's targets.
        """
        return self.prediction_columns

    def of_targets(self, said: "Predictions", targets: Sequence[str]) -> "Predictions":  # noqa: ARG002
        """What a model says, with the names of its targets, where it has several."""
        return said

    def metrics_of(self, targets: Sequence[str]) -> tuple[Metric, ...]:  # noqa: ARG002
        """The metrics of each target by itself, where a model has several."""
        return ()

    def counted_class(self, positive: Class | None) -> Class | None:
        """The class of the prepared target that counts, of what a model says in `positive`."""
        return positive

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
    def prepare_target(
        self, name: str, column: "pa.ChunkedArray", positive: Class | None = None
    ) -> "pa.ChunkedArray":
        """The values to learn, or to measure by, in the form that trainers and metrics take.

        Args:
            name: The target's name, for messages.
            column: Its values: no nulls, no NaN, at least one row.
            positive: What the model says in `positive`.

        Raises:
            TerminalError: They do not fit the task.
        """

    def target_type(self, positive: Class | None) -> str:  # noqa: ARG002 - for tasks where it tells
        """DuckDB's type of the target where nothing is known but its name, and the class that counts."""
        return self.sql_type

    def truth_sql(
        self, truth: str, kinds: tuple[str, str], prediction: str, positive: Class | None
    ) -> tuple[str, str]:
        """SQL for a known truth and for what was predicted, such that they can be compared.

        Args:
            truth: The column of the truth, quoted.
            kinds: DuckDB's types of the truth and of the predictions.
            prediction: The column of the predictions, quoted.
            positive: What the model says in `positive`.
        """
        del positive
        one, other = kinds
        # Classes of different types are compared as texts.
        kind = one if one == other else "VARCHAR"
        return f"cast({truth} as {kind})", f"cast({prediction} as {kind})"

    def check_learned(  # noqa: B027 - most are looked at by their classes
        self, targets: Sequence[str], learned: "NDArray[Any]"
    ) -> None:
        """Refuse training rows from which one of several targets cannot be learned.

        Args:
            targets: Their names.
            learned: Their values, rows x targets.

        Raises:
            TerminalError: Says which one, and why.
        """

    def adapt(self, estimator: "Component") -> "Component":
        """An unfitted estimator of scikit-learn's API, such that its `predict` says what predictions are to say."""
        return estimator

    @abstractmethod
    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """What a fitted estimator of scikit-learn's API, see `adapt`, says about prepared rows."""

    def ask_to_measure(self, ask: Ask, rows: "pd.DataFrame", *, seed: int) -> "Predictions":  # noqa: ARG002
        """What a model says about rows, with what its metrics look at besides.

        Args:
            ask: Asks the model.
            rows: The features.
            seed: What is drawn at random starts from.
        """
        return ask(rows)

    def comparable(
        self,
        champion: "Predictions",
        challenger: Callable[[], "Predictions"],  # noqa: ARG002 - for tasks that need it
    ) -> "Predictions":
        """What the champion says of the test rows, such that its metrics mean the same as the challenger's."""
        return champion

    def agreement(
        self,
        champion: "Predictions",  # noqa: ARG002 - for tasks that have one
        challenger: Callable[[], "Predictions"],  # noqa: ARG002
    ) -> dict[str, float]:
        """Metrics of how far champion and challenger say the same of the test rows."""
        return {}

    def renumbering(
        self,
        before: "NDArray[Any]",  # noqa: ARG002 - for tasks with numbers that may be exchanged
        now: "NDArray[Any]",  # noqa: ARG002
    ) -> dict[int, int]:
        """Other numbers for what a model says, such that they are those of an earlier model; of the same rows."""
        return {}

    @abstractmethod
    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """Draw what a model says of rows that it has not learned from, as files of a folder.

        Args:
            rows: Which rows they are.
            name: The target's name; None where there is none, or several.
            target: The true values, one a row, or rows x targets; None where there are none.
            predictions: What the model says about the same rows.
            folder: Where the plots are stored.

        Returns:
            The files of the plots.
        """


def as_numbers(name: str, column: "pa.ChunkedArray", task: str, instead: str) -> "pa.ChunkedArray":
    """Numbers as float64.

    Raises:
        TerminalError: They are none, or not finite.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from factory.data.columns import is_numeric

    if not is_numeric(column.type):
        raise TerminalError(
            f"target: {name!r} is of type {column.type}, and a {task} predicts numbers: {instead}"
        )
    numbers = column.cast(pa.float64(), safe=False)
    infinite = pc.sum(pc.is_inf(numbers)).as_py()
    if infinite:
        raise TerminalError(
            f"target: {name!r} holds {infinite} infinite values: take these rows out in a transform"
        )
    return numbers


def as_classes(name: str, column: "pa.ChunkedArray", instead: str) -> "pa.ChunkedArray":
    """Classes as booleans, integers or texts.

    Raises:
        TerminalError: They are fractions, or of a type that cannot be a class.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = column.cast(pa.float64(), safe=False)
        if not pc.all(pc.equal(numbers, pc.floor(numbers))).as_py():
            raise TerminalError(
                f"target: {name!r} holds fractions, which are not classes: {instead}"
            )
        return numbers.cast(pa.int64())
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return column
    return _texts(name, column)


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
