"""Metrics of anomalies and of clusters; most of them need no target."""

from math import inf
from typing import TYPE_CHECKING, Any

from factory.training.metrics import Goal, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ANOMALIES = ("anomaly",)
_CLUSTERS = ("clustering",)
MOST_ROWS = 10_000
"""Of more rows, so many are drawn for the silhouette, whose time grows with their square."""


def _anomaly_share(values: "NDArray[Any]") -> float:
    return float(values.mean())


def _cluster_count(values: "NDArray[Any]") -> float:
    import numpy as np

    return float(len(np.unique(values)))


def _between_rows(values: "NDArray[Any]", points: Any, *, function: str) -> float:
    """A function of scikit-learn of clusters and of the rows between which distances are measured."""
    from scipy import sparse
    from sklearn import metrics

    dense = points.toarray() if sparse.issparse(points) else points
    return float(getattr(metrics, function)(dense, values))


def _silhouette(values: "NDArray[Any]", points: Any) -> float:
    """The mean silhouette coefficient (Rousseeuw 1987); the same rows are drawn each time."""
    import numpy as np
    from sklearn.metrics import silhouette_score

    if len(values) > MOST_ROWS:
        drawn = np.random.default_rng(0).choice(len(values), MOST_ROWS, replace=False)
        values, points = values[drawn], points[drawn]
    return float(silhouette_score(points, values))


def _unlabelled(
    name: str, function: str, goal: Goal = "maximize", bounds: tuple[float, float] = (0, inf)
) -> Metric:
    """A metric of clusters by the distances between rows."""
    return Metric(
        name,
        _CLUSTERS,
        goal,
        _between_rows,
        "points",
        bounds=bounds,
        options={"function": function},
        uses_target=False,
    )


def _labelled(
    name: str, bounds: tuple[float, float] = (0, 1), *, on_request: bool = True
) -> Metric:
    """A metric of how far clusters are the classes of a target."""
    return Metric(
        name,
        _CLUSTERS,
        "maximize",
        f"sklearn.metrics:{name}_score",
        bounds=bounds,
        on_request=on_request,
    )


ADJUSTED_MUTUAL_INFO = _labelled("adjusted_mutual_info", (-inf, 1))
ADJUSTED_RAND = _labelled("adjusted_rand", (-0.5, 1), on_request=False)
ANOMALY_SHARE = Metric(
    "anomaly_share",
    _ANOMALIES,
    "minimize",
    _anomaly_share,
    bounds=(0, 1),
    uses_target=False,
    describes=True,
)
CALINSKI_HARABASZ = _unlabelled("calinski_harabasz", "calinski_harabasz_score")
CLUSTER_COUNT = Metric(
    "cluster_count",
    _CLUSTERS,
    "minimize",
    _cluster_count,
    bounds=(1, inf),
    uses_target=False,
    describes=True,
)
COMPLETENESS = _labelled("completeness")
DAVIES_BOULDIN = _unlabelled("davies_bouldin", "davies_bouldin_score", "minimize")
FOWLKES_MALLOWS = _labelled("fowlkes_mallows")
HOMOGENEITY = _labelled("homogeneity")
MASS_VOLUME = Metric(
    "mass_volume",
    _ANOMALIES,
    "minimize",
    "factory.training.mass_volume:mass_volume",
    "background",
    bounds=(0, 1),
    uses_target=False,
)
MUTUAL_INFO = _labelled("mutual_info", (0, inf))
NORMALIZED_MUTUAL_INFO = _labelled("normalized_mutual_info")
RAND = _labelled("rand")
SILHOUETTE = Metric(
    "silhouette",
    _CLUSTERS,
    "maximize",
    _silhouette,
    "points",
    bounds=(-1, 1),
    uses_target=False,
)
V_MEASURE = _labelled("v_measure")
