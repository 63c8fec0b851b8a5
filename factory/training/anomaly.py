"""The task `anomaly`: which rows are unlike the others."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.data.column_types import Types
from factory.training.learning_task import Ask, LearningTask, as_classes
from factory.training.metrics import Class

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.base.objects import Component
    from factory.trainers.trainer import Predictions


class Anomaly(LearningTask):
    """Says of each row whether it is an anomaly, and a score: the higher, the more anomalous.

    Nothing is learned from a target: it says which rows are anomalies, and only measures.
    """

    name = "anomaly"
    title = "an anomaly detection"
    has_classes = True
    learns_target = False
    default_split = "stratified"
    prediction_columns: ClassVar[Types] = {"prediction": "BOOLEAN", "score": "DOUBLE"}
    sql_type = "BOOLEAN"
    estimator_kinds = ("outlier_detector",)
    example_estimator = "sklearn.ensemble.IsolationForest"

    def counted_class(self, positive: Class | None) -> Class | None:  # noqa: ARG002 - labels are prepared
        """See `LearningTask.counted_class`: the labels say of each row whether it is an anomaly."""
        return True

    def target_type(self, positive: Class | None) -> str:
        """See `LearningTask.target_type`."""
        if isinstance(positive, str):
            return "VARCHAR"
        return "BOOLEAN" if positive is None or isinstance(positive, bool) else "BIGINT"

    def prepare_target(
        self, name: str, column: "pa.ChunkedArray", positive: Class | None = None
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`; booleans that say whether a row is an anomaly."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = as_classes(
            name,
            column,
            "a label says whether a row is an anomaly; make one of them in a transform",
        )
        labels = sorted(pc.unique(column).to_pylist(), key=str)
        if positive is None:
            if not all(one in (0, 1) for one in labels):
                raise TerminalError(
                    f"target: {name!r} holds {one_of(map(repr, labels), 10)}, which do not say what is an "
                    f"anomaly: add `positive: {labels[0]}` to the model, with the label of anomalies, or "
                    "make a boolean in a transform"
                )
            is_anomaly = column.cast(pa.bool_())
        else:
            _check_label(name, labels, positive)
            is_anomaly = pc.equal(column, pa.scalar(positive, column.type))
        if not pc.any(is_anomaly).as_py() or pc.all(is_anomaly).as_py():
            what = "none of the rows is an anomaly" if not pc.any(is_anomaly).as_py() else "all are"
            raise TerminalError(
                f"target: by {name!r} {what}, so that nothing can be measured by it: take `target` away, "
                "and name an objective that needs no labels, such as mass_volume"
            )
        return is_anomaly

    def truth_sql(
        self, truth: str, kinds: tuple[str, str], prediction: str, positive: Class | None
    ) -> tuple[str, str]:
        """See `LearningTask.truth_sql`."""
        del kinds
        found = f"cast({truth} as boolean)"
        if positive is not None:
            label = str(positive).lower() if isinstance(positive, bool) else str(positive)
            text = label.replace("'", "''")
            found = f"(cast({truth} as varchar) = '{text}')"
        return found, f"cast({prediction} as boolean)"

    def adapt(self, estimator: "Component") -> "Component":
        """See `LearningTask.adapt`."""
        from factory.trainers.scikit_learn.unsupervised import AnomalyDetector

        return AnomalyDetector(estimator)

    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """See `LearningTask.ask_estimator`."""
        import numpy as np

        from factory.trainers.trainer import Predictions

        return Predictions(
            estimator.predict(rows),
            classes=np.array([False, True]),
            columns={"score": estimator.anomaly_score(rows)},
        )

    def ask_to_measure(self, ask: Ask, rows: "pd.DataFrame", *, seed: int) -> "Predictions":
        """See `LearningTask.ask_to_measure`: what it says of rows at random, too."""
        from factory.training.mass_volume import random_rows

        said = ask(rows)
        return replace(said, background=ask(random_rows(rows, seed=seed)).column("score"))

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`."""
        from factory.training.unsupervised_plots import save_anomalies

        del name
        return save_anomalies(rows, target, predictions, folder)


def _check_label(name: str, labels: list[Any], positive: Class) -> None:
    shown = one_of(map(repr, labels), 10)
    if not any(type(one) is type(positive) and one == positive for one in labels):
        raise TerminalError(f"positive: {name!r} has no label {positive!r}: write one of {shown}")
    if len(labels) > 2:
        raise TerminalError(
            f"positive: {name!r} has {len(labels)} labels ({shown}), and a row is an anomaly or is none: "
            "make a boolean of them in a transform"
        )
