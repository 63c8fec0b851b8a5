"""Plots of anomalies and of clusters."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import sparse

from factory.trainers.trainer import Predictions
from factory.training.plots import panel, save

_BINS = 50
_MOST_POINTS = 2_000
_MOST_NAMED = 12
"""Clusters up to which a legend names them."""


def save_anomalies(
    rows: str, target: NDArray[np.bool_] | None, predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw a histogram of the scores and, where there are labels, curves of ROC and of precision and recall.

    Args:
        rows: Which rows they are.
        target: Whether each row is an anomaly; None where nobody knows.
        predictions: What the model says about the same rows.
        folder: Where the plots are stored.

    Returns:
        The files of the plots.
    """
    score = predictions.columns["score"]
    files = [save(_scores(rows, target, predictions.values, score), folder / "scores.png")]
    if target is None or not 0 < target.sum() < len(target):
        return files
    from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

    for display, name in (
        (RocCurveDisplay, "roc_curve.png"),
        (PrecisionRecallDisplay, "precision_recall_curve.png"),
    ):
        figure, axes = panel(6, 6)
        display.from_predictions(target.astype(int), score, ax=axes, plot_chance_level=True)
        axes.set_title(rows)
        files.append(save(figure, folder / name))
    return files


def _scores(
    title: str,
    target: NDArray[np.bool_] | None,
    said: NDArray[np.bool_],
    score: NDArray[np.float64],
) -> Figure:
    figure, axes = panel(7, 4)
    edges = np.histogram_bin_edges(score, bins=_BINS).tolist()
    groups = (
        {"said to be normal": ~said, "said to be an anomaly": said}
        if target is None
        else {"labelled normal": ~target, "labelled an anomaly": target}
    )
    for name, is_in in groups.items():
        axes.hist(score[is_in], bins=edges, alpha=0.6, label=f"{name} ({int(is_in.sum())})")
    if said.any() and not said.all():
        border = (score[said].min() + score[~said].max()) / 2
        axes.axvline(border, color="black", linewidth=1, label="an anomaly from here on")
    axes.set(xlabel="Score: the higher, the more anomalous", ylabel="Rows", yscale="log")
    axes.set_title(title)
    axes.legend()
    return figure


def save_clusters(rows: str, predictions: Predictions, folder: Path) -> list[Path]:
    """Draw how many rows each cluster has and, where the prepared rows are known, these in two dimensions.

    Args:
        rows: Which rows they are.
        predictions: What the model says about them.
        folder: Where the plots are stored.

    Returns:
        The files of the plots.
    """
    files = [save(_sizes(rows, predictions.values), folder / "cluster_sizes.png")]
    points: Any = predictions.points
    if points is not None and min(points.shape) > 1:
        drawn = _scatter(rows, predictions.values, points)
        files.append(save(drawn, folder / "clusters.png"))
    return files


def _sizes(title: str, values: NDArray[np.int64]) -> Figure:
    numbers, counts = np.unique(values, return_counts=True)
    figure, axes = panel(min(3 + 0.4 * len(numbers), 14), 4)
    axes.bar([str(number) for number in numbers], counts)
    axes.set(xlabel="Cluster", ylabel="Rows")
    axes.set_title(title)
    return figure


def _scatter(title: str, values: NDArray[np.int64], points: Any) -> Figure:
    """The first two principal components of the prepared rows, some of them if there are many."""
    from sklearn.decomposition import PCA

    if len(values) > _MOST_POINTS:
        chosen = np.random.default_rng(0).choice(len(values), _MOST_POINTS, replace=False)
        values, points = values[chosen], points[chosen]
    pca = PCA(2, random_state=0)
    flat = pca.fit_transform(points.toarray() if sparse.issparse(points) else points)
    figure, axes = panel(7, 6)
    numbers = np.unique(values)
    for number in numbers:
        own = flat[values == number]
        axes.scatter(own[:, 0], own[:, 1], s=12, alpha=0.6, label=str(number))
    first, second = pca.explained_variance_ratio_
    axes.set(
        xlabel=f"First principal component ({first:.0%} of the variance)",
        ylabel=f"Second principal component ({second:.0%})",
    )
    axes.set_title(f"{title} by cluster")
    if len(numbers) <= _MOST_NAMED:
        axes.legend(title="Cluster")
    return figure
