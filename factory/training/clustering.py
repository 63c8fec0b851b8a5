"""The task `clustering`: which rows belong together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.data.column_types import Types
from factory.training.learning_task import LearningTask, as_classes
from factory.training.metrics import Class

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from factory.base.objects import Component
    from factory.trainers.trainer import Predictions

WITH_CHAMPION = "adjusted_rand_with_champion"
"""How far the clusters of a new version are those of the version in production."""


class Clustering(LearningTask):
    """Says which of several clusters a row belongs to, by number.

    Nothing is learned from a target: it says which rows belong together, and only measures.
    """

    name = "clustering"
    title = "a clustering"
    has_classes = True
    has_numbers = True
    learns_target = False
    default_split = "stratified"
    prediction_columns: ClassVar[Types] = {
        "prediction": "BIGINT",
        "probability": "DOUBLE",
        "distance": "DOUBLE",
    }
    sql_type = "VARCHAR"
    estimator_kinds = ("clusterer", "density_estimator")
    example_estimator = "sklearn.cluster.KMeans"

    def counted_class(self, positive: Class | None) -> Class | None:  # noqa: ARG002 - no cluster counts
        """See `LearningTask.counted_class`."""
        return None

    def prepare_target(
        self,
        name: str,
        column: "pa.ChunkedArray",
        positive: Class | None = None,  # noqa: ARG002 - no cluster counts
    ) -> "pa.ChunkedArray":
        """See `LearningTask.prepare_target`."""
        return as_classes(
            name, column, "group them into classes in a transform, or take `target` away"
        )

    def adapt(self, estimator: "Component") -> "Component":
        """See `LearningTask.adapt`."""
        from factory.trainers.scikit_learn.unsupervised import NumberedClusters

        return NumberedClusters(estimator)

    def ask_estimator(self, estimator: "Component", rows: Any) -> "Predictions":
        """See `LearningTask.ask_estimator`."""
        from factory.trainers.trainer import Predictions

        values = estimator.predict(rows)
        gives = hasattr(estimator, "predict_proba")
        distances = estimator.distance(rows, values)
        return Predictions(
            values,
            estimator.predict_proba(rows) if gives else None,
            estimator.classes_,
            {} if distances is None else {"distance": distances},
            points=rows,
        )

    def comparable(
        self, champion: "Predictions", challenger: Callable[[], "Predictions"]
    ) -> "Predictions":
        """See `LearningTask.comparable`: its clusters, measured between the rows as the challenger gets them."""
        return replace(champion, points=challenger().points)

    def agreement(
        self, champion: "Predictions", challenger: Callable[[], "Predictions"]
    ) -> dict[str, float]:
        """See `LearningTask.agreement`."""
        from sklearn.metrics import adjusted_rand_score

        return {
            WITH_CHAMPION: float(adjusted_rand_score(champion.values, challenger().values)),
        }

    def renumbering(self, before: "NDArray[Any]", now: "NDArray[Any]") -> dict[int, int]:
        """See `LearningTask.renumbering`."""
        from factory.training.cluster_numbers import numbers_as_before

        return numbers_as_before(before, now)

    def save_plots(
        self,
        rows: str,
        name: str | None,
        target: "NDArray[Any] | None",
        predictions: "Predictions",
        folder: Path,
    ) -> list[Path]:
        """See `LearningTask.save_plots`."""
        from factory.training.unsupervised_plots import save_clusters

        del name, target
        return save_clusters(rows, predictions, folder)
