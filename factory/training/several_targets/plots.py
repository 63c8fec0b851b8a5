"""Plots of models with several targets."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from factory.models.prediction_columns import plain_names
from factory.trainers.trainer import Predictions
from factory.training.plots import draw_precision_recall, panel, save, save_estimated

_MOST_LABELS = 40
_MOST_CURVES = 10


def save_estimated_of_each(
    rows: str, target: NDArray[Any], predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw each target of a regression as if it were alone, in a folder of its name.

    Args:
        rows: Which rows they are.
        target: The true values, rows x targets.
        predictions: What the model says about the same rows.
        folder: Where the folders are made.

    Returns:
        The files of the plots.
    """
    files: list[Path] = []
    names = zip(predictions.targets, plain_names(predictions.targets), strict=True)
    for place, (name, plain) in enumerate(names):
        (folder / plain).mkdir(exist_ok=True)
        said = predictions.of_target(place)
        files += save_estimated(f"{name} on {rows}", target[:, place], said, folder / plain)
    return files


def save_labelled(
    rows: str, target: NDArray[Any], predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw how well each label is told and, where there are probabilities, curves of precision and recall.

    Args:
        rows: Which rows they are.
        target: 1 where a row has a label, rows x labels.
        predictions: What the model says about the same rows.
        folder: Where the plots are stored.

    Returns:
        The files of the plots.
    """
    # The most frequent ones, in their order.
    counts = target.sum(axis=0)
    frequent = np.argsort(-counts, kind="stable")
    shown = np.sort(frequent[:_MOST_LABELS])
    files = [_scores(rows, target, predictions, shown, folder / "labels.png")]
    curves = [
        place for place in np.sort(frequent[:_MOST_CURVES]) if 0 < counts[place] < len(target)
    ]
    if predictions.probabilities is None or not curves:
        return files
    figure, axes = panel(6, 6)
    for place in curves:
        likely = predictions.probabilities[:, place]
        draw_precision_recall(target[:, place] == 1, likely, predictions.targets[place], axes)
    axes.set_title(rows)
    return [*files, save(figure, folder / "precision_recall_curve.png")]


def _scores(
    rows: str,
    target: NDArray[Any],
    predictions: Predictions,
    shown: NDArray[np.int64],
    file: Path,
) -> Path:
    """Precision, recall and F1 of each label side by side; beside its name the rows that have it."""
    found = precision_recall_fscore_support(
        target[:, shown], predictions.values[:, shown], average=None, zero_division=0
    )
    figure, axes = panel(7, 1.5 + 0.5 * len(shown))
    places = np.arange(len(shown))[::-1]
    for number, (name, values) in enumerate(
        zip(("precision", "recall", "F1"), found, strict=False)
    ):
        axes.barh(places + 0.25 * (1 - number), values, height=0.25, label=name)
    names = [
        f"{predictions.targets[at]} ({count})" for at, count in zip(shown, found[3], strict=True)
    ]
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.02), title=rows)
    axes.legend()
    axes.grid(visible=True, axis="x", alpha=0.3)
    return save(figure, file)
