"""Plots for people: where a model is right and wrong, and what it leans on."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from factory.trainers.trainer import Predictions
from factory.training.forecasting.rows import ORIGIN, SERIES, TIME_OF_ROW
from factory.training.importance import Importance
from factory.training.learning_task import LearningTask
from factory.training.ranking_metrics import ndcg
from factory.training.ranking_rules import GROUP

_MOST_NUMBERS = 15
"""Classes up to which a confusion matrix shows its counts as numbers."""
_MOST_CURVES = 10
_MOST_SERIES = 6
_MOST_FEATURES = 30
_MOST_PLACES = 20


def save_importances(found: Sequence[Importance], metric: str, file: Path) -> None:
    """Draw how much a model leans on each feature, the most important on top; the first 30 are drawn.

    Args:
        found: Of each feature, the largest first.
        metric: What was measured.
        file: Where the plot is stored.
    """
    shown = found[:_MOST_FEATURES]
    figure, axes = panel(8, 1.5 + 0.25 * len(shown))
    places = np.arange(len(shown))[::-1]
    axes.barh(
        places, [one.loss for one in shown], xerr=[one.deviation for one in shown], height=0.7
    )
    axes.set_yticks(places, [one.feature for one in shown])
    axes.set_xlabel(f"how much worse {metric} is when the feature is shuffled")
    left_out = len(found) - len(shown)
    axes.set_title("Feature importance" + (f", the first {len(shown)}" if left_out else ""))
    axes.grid(visible=True, axis="x", alpha=0.3)
    save(figure, file)


def save_plots(
    task: LearningTask,
    name: str | None,
    target: NDArray[Any] | None,
    predictions: Predictions,
    folder: Path,
    *,
    part: str,
) -> list[Path]:
    """Draw what a model does on rows that it has not learned from, as its task has it.

    Args:
        task: The model's task.
        name: The target's name; None where there is none.
        target: The true values, one a row; None where there are none.
        predictions: What the model says about the same rows.
        folder: Where the plots are stored.
        part: Which rows they are: `validation` or `test`.

    Returns:
        The files of the plots.
    """
    rows = f"{len(predictions.values)} {part} rows"
    return task.save_plots(rows, name, target, predictions, folder)


def save_estimated(
    title: str, target: NDArray[Any], predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw residuals, and predicted against actual numbers; of forecasts also those of the first series, from each origin.

    Args:
        title: Which rows they are.
        target: The true values, one a row.
        predictions: What the model says about the same rows, with what is known of them.
        folder: Where the plots are stored.

    Returns:
        The files of the plots.
    """
    errors = partial(_errors, title, target, predictions)
    files = [
        save(errors("residual_vs_predicted"), folder / "residuals.png"),
        save(errors("actual_vs_predicted"), folder / "predicted_vs_actual.png"),
    ]
    if ORIGIN in predictions.about:
        backtest = _backtest(title, target, predictions)
        files.append(save(backtest, folder / "forecasts.png"))
    return files


def save_ranked(
    title: str, target: NDArray[Any], predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw how good the first rows of groups are, by how many of them are looked at; and how good rows in no order are.

    Args:
        title: Which rows they are.
        target: How relevant each row is.
        predictions: What the model says about the same rows, with their groups.
        folder: Where the plot is stored.

    Returns:
        The files of the plots; none where no row is relevant.
    """
    group = predictions.about[GROUP]
    if not (target > 0).any():
        return []
    longest = int(np.unique(group, return_counts=True)[1].max())
    places = list(range(1, min(longest, _MOST_PLACES) + 1))
    figure, axes = panel(6, 5)
    for said, label in ((predictions.values, "model"), (np.zeros(len(target)), "no order")):
        axes.plot(
            places, [ndcg(target, said, group=group, k=k) for k in places], marker=".", label=label
        )
    axes.set(xlabel="k, the first rows of each group", ylabel="NDCG at k", ylim=(0, 1.02))
    axes.set_title(title)
    axes.legend()
    return [save(figure, folder / "ndcg_at_k.png")]


def save_classified(
    rows: str, target: NDArray[Any], predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw a confusion matrix and, where there are probabilities, curves of ROC, of precision and recall, and of calibration.

    Args:
        rows: Which rows they are.
        target: The true classes, one a row.
        predictions: What the model says about the same rows.
        folder: Where the plots are stored.

    Returns:
        The files of the plots.
    """
    files = [save(_confusion(rows, target, predictions), folder / "confusion_matrix.png")]
    for draw, name in (
        (_roc, "roc_curve.png"),
        (draw_precision_recall, "precision_recall_curve.png"),
        (_calibration, "calibration_curve.png"),
    ):
        curves = _curves(rows, target, predictions, draw)
        if curves is not None:
            files.append(save(curves, folder / name))
    return files


def _errors(title: str, target: NDArray[np.object_], predictions: Predictions, kind: str) -> Figure:
    from sklearn.metrics import PredictionErrorDisplay

    figure, axes = panel(6, 5)
    PredictionErrorDisplay.from_predictions(
        target,
        predictions.values,
        kind=kind,
        subsample=2000,
        random_state=0,
        ax=axes,
        scatter_kwargs={"alpha": 0.5},
    )
    axes.set_title(title)
    return figure


def _backtest(title: str, target: NDArray[np.object_], predictions: Predictions) -> Figure:
    """Forecast and truth of the first series by name, a line from each origin."""
    about = predictions.about
    names = np.unique(about[SERIES].astype(str))[:_MOST_SERIES]
    figure: Figure
    figure, every = plt.subplots(
        len(names), 1, figsize=(9, 2 + 2 * len(names)), layout="constrained", squeeze=False
    )
    for axes, name in zip(every[:, 0], names, strict=True):
        rows = np.flatnonzero(about[SERIES] == name)
        rows = rows[np.argsort(about[TIME_OF_ROW][rows], kind="stable")]
        times = about[TIME_OF_ROW][rows]
        axes.plot(times, target[rows], color="0.3", marker=".", label="actual")
        for number, origin in enumerate(np.unique(about[ORIGIN][rows])):
            of_origin = about[ORIGIN][rows] == origin
            said = predictions.values[rows][of_origin]
            label = "forecast" if not number else None
            axes.plot(times[of_origin], said, color="C0", marker=".", label=label)
            axes.axvline(origin, color="0.8", linewidth=0.8)
        axes.set_title(name or title)
        places = AutoDateLocator()
        axes.xaxis.set_major_locator(places)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(places))
        axes.legend()
    if names[0]:
        figure.suptitle(title)
    return figure


def _confusion(title: str, target: NDArray[np.object_], predictions: Predictions) -> Figure:
    from sklearn.metrics import ConfusionMatrixDisplay

    known = [] if predictions.classes is None else [predictions.classes]
    labels = np.unique(np.concatenate([target, predictions.values, *known]))
    classes = len(labels)
    side = 3 + 0.5 * min(classes, 30)
    figure, axes = panel(side + 1, side)
    ConfusionMatrixDisplay.from_predictions(
        target,
        predictions.values,
        labels=labels,
        ax=axes,
        cmap="Blues",
        include_values=classes <= _MOST_NUMBERS,
        xticks_rotation="vertical",
    )
    axes.set_title(title)
    return figure


def _curves(
    title: str,
    target: NDArray[np.object_],
    predictions: Predictions,
    draw: Callable[[NDArray[np.bool_], NDArray[np.float64], str, Axes], None],
) -> Figure | None:
    """One curve a class, against the rest; None if there are no probabilities, or nothing to tell apart."""
    probabilities, classes = predictions.probabilities, predictions.classes
    if probabilities is None or classes is None:
        return None
    # Of two classes one curve says all; of more, those with most rows are drawn.
    drawn = [1] if len(classes) == 2 else _most_frequent(target, classes)
    drawn = [at for at in drawn if 0 < np.sum(target == classes[at]) < len(target)]
    if not drawn:
        return None
    figure, axes = panel(6, 6)
    for at in drawn:
        draw(target == classes[at], probabilities[:, at], str(classes[at]), axes)
    axes.set_title(title)
    # Each display adds a line for chance or perfection, which is the same one.
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(handles.values(), handles.keys())
    return figure


def _roc(is_it: NDArray[np.bool_], likely: NDArray[np.float64], name: str, axes: Axes) -> None:
    from sklearn.metrics import RocCurveDisplay

    RocCurveDisplay.from_predictions(is_it, likely, name=name, ax=axes, plot_chance_level=True)
    axes.set(xlabel="False positive rate", ylabel="True positive rate")


def draw_precision_recall(
    is_it: NDArray[np.bool_], likely: NDArray[np.float64], name: str, axes: Axes
) -> None:
    """Draw precision against recall of one class or label, for all thresholds of its probability.

    Args:
        is_it: Whether each row is of the class.
        likely: How probable that is.
        name: Of the class.
        axes: Where to draw.
    """
    from sklearn.metrics import PrecisionRecallDisplay

    PrecisionRecallDisplay.from_predictions(is_it, likely, name=name, ax=axes)
    axes.set(xlabel="Recall", ylabel="Precision")


def _calibration(
    is_it: NDArray[np.bool_], likely: NDArray[np.float64], name: str, axes: Axes
) -> None:
    from sklearn.calibration import CalibrationDisplay

    # In bins of as many rows each: most probabilities are near 0 or 1.
    CalibrationDisplay.from_predictions(
        is_it, np.clip(likely, 0, 1), n_bins=10, strategy="quantile", name=name, ax=axes
    )
    axes.set(xlabel="Mean probability", ylabel="Share of rows that are of the class")


def _most_frequent(target: NDArray[np.object_], classes: NDArray[np.object_]) -> list[int]:
    counts = np.array([np.sum(target == label) for label in classes])
    return sorted(np.argsort(-counts, kind="stable")[:_MOST_CURVES].tolist())


def panel(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty picture, so many inches large."""
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return figure, axes


def save(figure: Figure, file: Path) -> Path:
    """Store a picture, and forget it."""
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file
