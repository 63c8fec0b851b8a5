"""The task `multilabel`: which of several labels each row has; it may have none, one or all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.data.column_types import Types, is_number
from factory.models.prediction_columns import plain_names
from factory.training import scikit_learn_metrics as known
from factory.training.metrics import Class, Metric
from factory.training.several_targets.task import TaskOfSeveral

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.base.objects import Component
    from factory.trainers.trainer import Predictions

YES, NO = ("yes", "true", "1"), ("no", "false", "0")
"""What the values of a label's column may be, as texts in lower case; so are booleans, and the numbers 1 and 0."""


class Multilabel(TaskOfSeveral):
    """Says of each row which labels it has. Its targets are columns that say yes or no, one a label."""

    name = "multilabel"
    title = "a multilabel classification"
    of_several = "multilabel"
    sql_type = "BOOLEAN"
    estimator_kinds: ClassVar[tuple[str, ...]] = ("classifier",)
    example_estimator = "sklearn.ensemble.RandomForestClassifier"
    wrapper = "sklearn.multioutput.MultiOutputClassifier"

    @property
    def has_categories(self) -> bool:
        """See `LearningTask.has_categories`."""
        return True

    def prepare_target(
        self,
        name: str,
        column: "pa.ChunkedArray",
        positive: Class | None = None,  # noqa: ARG002 - a row has a label, or has it not
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; 1 where a row has the label, 0 where not.

        Raises:
            TerminalError: A value says neither yes nor no, or all rows say the same.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_nested(column.type):
            raise TerminalError(
                f"target: {name!r} is of type {column.type}, and a label says yes or no: make a column of each label in "
                f"a transform, such as `list_contains({name}, 'urgent') as urgent`"
            )
        values = pc.unique(column).to_pylist()
        if wrong := sorted({repr(one) for one in values if _as_text(one) not in (*YES, *NO)}):
            raise TerminalError(
                f"target: {name!r} says whether a row has the label, by true and false, 1 and 0 or yes and no, and it "
                f"holds {one_of(wrong, 5)}: make a boolean of it in a transform, such as `{name} = 'urgent'`"
            )
        has_it = pc.is_in(column, pa.array([one for one in values if _as_text(one) in YES]))
        found = has_it.cast(pa.int64())
        if pc.min_max(found).as_py() in ({"min": 0, "max": 0}, {"min": 1, "max": 1}):
            said = "no row has" if not found[0].as_py() else "every row has"
            raise TerminalError(
                f"target: {said} the label {name!r}, of which there is nothing to learn: take it out of the list"
            )
        return found

    def check_learned(self, targets: Sequence[str], learned: "NDArray[Any]") -> None:
        """See `LearningTask.check_learned`: of each label, some rows have it, and some have it not."""
        for place, name in enumerate(targets):
            values = set(learned[:, place].tolist())
            if len(values) < 2:
                said = "none" if values == {0} else "all"
                raise TerminalError(
                    f"split: {said} of the {len(learned)} training rows have the label {name!r}, so that it cannot be "
                    "learned: bring more rows with it, write another `split.seed`, or take it out of `target`"
                )

    def truth_sql(
        self, truth: str, kinds: tuple[str, str], prediction: str, positive: Class | None
    ) -> tuple[str, str]:
        """See `LearningTask.truth_sql`: 1 and 0; null where the truth says neither yes nor no."""
        del positive
        said, yes, no = truth, "(1)", "(0)"
        if not is_number(kinds[0]):
            said = f"lower(cast({truth} as varchar))"
            yes, no = (f"({', '.join(map(repr, words))})" for words in (YES, NO))
        known = f"case when {said} in {yes} then 1 when {said} in {no} then 0 end"
        return f"cast({known} as bigint)", f"cast({prediction} as bigint)"

    def as_said(self, values: "NDArray[Any]") -> "NDArray[Any]":
        """See `TaskOfSeveral.as_said`: booleans."""
        found: NDArray[Any] = values.astype(bool)
        return found

    def columns_of(self, targets: Sequence[str]) -> Types:
        """See `LearningTask.columns_of`: `prediction_…` for each label, then `probability_…` for each."""
        likely = {f"probability_{name}": "DOUBLE" for name in plain_names(targets)}
        return {**super().columns_of(targets), **likely}

    def of_targets(self, said: "Predictions", targets: Sequence[str]) -> "Predictions":
        """See `LearningTask.of_targets`."""
        import numpy as np

        found = super().of_targets(said, targets)
        if found.probabilities is None:
            return found
        likely = {
            f"probability_{name}": found.probabilities[:, place]
            for place, name in enumerate(plain_names(targets))
        }
        labels = np.array(targets, dtype=object)
        return replace(found, classes=labels, columns={**found.columns, **likely})

    @property
    def metrics_of_each(self) -> tuple[Metric, ...]:
        """See `TaskOfSeveral.metrics_of_each`."""
        each = (known.PRECISION, known.RECALL, known.F1, known.AVERAGE_PRECISION)
        return tuple(replace(one.of_class(1), positive="unused") for one in each)

    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """See `LearningTask.ask_estimator`."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        values = np.asarray(estimator.predict(rows)).astype(np.int64)
        return Predictions(values, _probabilities(estimator, rows))

    def baselines(
        self,
        trained_on: "NDArray[Any]",
        rows: int,
        about: "Mapping[str, NDArray[Any]]",
    ) -> "tuple[Predictions, ...]":
        """See `LearningTask.baselines`: of each label what most rows say, and the share of rows that have it."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        del about
        shares = np.tile(trained_on.mean(axis=0), (rows, 1))
        labels = np.arange(trained_on.shape[1])
        return (Predictions((shares > 0.5).astype(np.int64), shares, labels),)

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`."""
        from factory.training.several_targets.plots import save_labelled

        assert target is not None, name  # noqa: S101 - it learns from some
        return save_labelled(rows, target, predictions, folder)


def _as_text(value: object) -> str:
    """A value of a label's column as text: `1` for 1.0."""
    if isinstance(value, (float, Decimal)) and value % 1 == 0:
        value = int(value)
    return str(value).lower()


def _probabilities(estimator: "Component", rows: Any) -> "NDArray[Any] | None":
    """Rows x labels; None where the estimator gives none.

    Some estimators give a matrix; others give for each label one of rows x classes, and say in `classes_` which these are.
    """
    import numpy as np

    if not hasattr(estimator, "predict_proba"):
        return None
    found = estimator.predict_proba(rows)
    if not isinstance(found, list):
        return np.asarray(found, dtype=np.float64)
    of_each = []
    for likely, classes in zip(found, estimator.classes_, strict=True):
        [place] = np.flatnonzero(np.asarray(classes) == 1)
        of_each.append(likely[:, place])
    return np.column_stack(of_each).astype(np.float64)
