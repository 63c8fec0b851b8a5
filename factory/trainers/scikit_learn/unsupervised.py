"""Outlier detectors and clusterers of scikit-learn's API, such that they say what predictions are to say.

Stored models name these classes by this module.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin, OutlierMixin
from sklearn.cluster import Birch
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from factory.base.objects import Component

_ANOMALY = -1
"""What scikit-learn's outlier detectors say of an anomaly."""


class _Around(BaseEstimator):  # type: ignore[misc] # no types
    """An estimator around another one.

    Args:
        estimator: The other one.
    """

    def __init__(self, estimator: Component = None) -> None:
        self.estimator = estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")


class AnomalyDetector(OutlierMixin, _Around):  # type: ignore[misc]
    """An outlier detector that says true of an anomaly, and false of other rows."""

    def fit(self, rows: Any, target: object = None) -> Self:  # noqa: ARG002 - nothing is learned from labels
        """Train the detector."""
        self.estimator.fit(rows)
        self.n_features_in_ = rows.shape[1]
        return self

    def predict(self, rows: Any) -> NDArray[np.bool_]:
        """Whether each row is an anomaly."""
        check_is_fitted(self)
        found: NDArray[np.bool_] = np.asarray(self.estimator.predict(rows)) == _ANOMALY
        return found

    def anomaly_score(self, rows: Any) -> NDArray[np.float64]:
        """A number a row, the higher, the more anomalous: the negative of the detector's `decision_function`."""
        check_is_fitted(self)
        score: NDArray[np.float64] = -np.asarray(
            self.estimator.decision_function(rows), dtype=np.float64
        ).ravel()
        return score


class NearestCentre(BaseEstimator):  # type: ignore[misc]
    """What Birch is asked by once it is trained: it cannot be stored itself, for the tree that it has grown.

    Args:
        centers: Centres of parts of clusters.
        labels: The cluster of each.
    """

    def __init__(self, centers: Any = None, labels: Any = None) -> None:
        self.centers = centers
        self.labels = labels

    def predict(self, rows: Any) -> NDArray[np.int64]:
        """The cluster whose part is nearest, of each row; as Birch has it."""
        found: NDArray[np.int64] = self.labels[pairwise_distances_argmin(rows, self.centers)]
        return found


def _gives_probabilities(clusters: "NumberedClusters") -> bool:
    return hasattr(clusters.estimator, "predict_proba")


class NumberedClusters(ClusterMixin, _Around):  # type: ignore[misc]
    """A clusterer whose clusters are numbered by their size in training, from 0, or as an earlier model numbered them."""

    def fit(self, rows: Any, target: object = None) -> Self:  # noqa: ARG002 - nothing is learned from labels
        """Train the clusterer.

        Raises:
            ValueError: It finds no clusters.
        """
        self.estimator.fit(rows)
        found = np.asarray(self.estimator.predict(rows))
        if found.min() < 0:
            raise ValueError("it found no clusters, such as where it did not converge")
        counts = np.bincount(found, minlength=self._count(found, rows))
        self.numbers_ = np.empty(len(counts), dtype=np.int64)
        self.numbers_[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        if isinstance(self.estimator, Birch):
            self.estimator = NearestCentre(
                self.estimator.subcluster_centers_, self.estimator.subcluster_labels_
            )
        self.n_features_in_ = rows.shape[1]
        return self

    def _count(self, found: NDArray[Any], rows: Any) -> int:
        """How many clusters there are, also without rows."""
        centers = getattr(self.estimator, "cluster_centers_", ())
        return max(int(found.max()) + 1, len(centers), self._probabilities(rows))

    def _probabilities(self, rows: Any) -> int:
        if not _gives_probabilities(self):
            return 0
        return int(self.estimator.predict_proba(rows[:1]).shape[1])

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The numbers of the clusters, in the order in which the estimator has them."""
        return self.numbers_

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Give clusters other numbers; those that are not named keep theirs, or get free ones."""
        taken = set(numbers.values())
        found = []
        for number in self.numbers_.tolist():
            new = numbers.get(number, number)
            if number not in numbers and new in taken:
                new = max(taken) + 1
            taken.add(new)
            found.append(new)
        self.numbers_ = np.array(found, dtype=np.int64)

    def predict(self, rows: Any) -> NDArray[np.int64]:
        """The number of each row's cluster."""
        check_is_fitted(self)
        found: NDArray[np.int64] = self.numbers_[np.asarray(self.estimator.predict(rows))]
        return found

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, rows: Any) -> NDArray[Any]:
        """Rows x clusters, in the order of `classes_`."""
        found: NDArray[Any] = self.estimator.predict_proba(rows)
        return found

    def distance(self, rows: Any, predicted: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """How far each row is from the centre of its cluster; None for a clusterer without centres.

        Args:
            rows: The rows.
            predicted: What `predict` says of them.
        """
        centers = getattr(self.estimator, "cluster_centers_", None)
        if centers is None:
            return None
        order = np.argsort(self.numbers_)
        own = np.asarray(centers)[order[np.searchsorted(self.numbers_[order], predicted)]]
        dense = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        apart: NDArray[np.float64] = np.linalg.norm(dense - own, axis=1)
        return apart
