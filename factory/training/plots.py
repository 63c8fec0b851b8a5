"""Plots for people: how a sweep went, and where a model is right and wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray

from factory.trainers.trainer import Predictions
from factory.training.model import Model
from factory.training.trial import Evaluation

_MOST_TRIALS = 40
_MOST_NUMBERS = 15
"""Classes up to which a confusion matrix shows its counts as numbers."""
_MOST_CURVES = 10


def save_sweep(ranking: Sequence[Evaluation], model: Model, file: Path) -> None:
    """Draw the objective of each trial, the best on top.

    Args:
        ranking: Trials from best to worst; the first 40 are drawn.
        model: The model's section of the team file.
        file: Where the plot is stored.
    """
    shown, metric = ranking[:_MOST_TRIALS], model.objective.metric
    figure, axes = plt.subplots(figsize=(8, 1.5 + 0.3 * len(shown)), layout="constrained")
    places = np.arange(len(shown))[::-1]
    scores = [one.metrics[metric] for one in shown]
    kinds = sorted({one.fit.trial.estimator for one in shown})
    for color, kind in enumerate(kinds):
        chosen = [at for at, one in enumerate(shown) if one.fit.trial.estimator == kind]
        axes.scatter(
            [scores[at] for at in chosen],
            places[chosen],
            color=f"C{color % 10}",
            label=kind.rpartition(".")[2],
        )
    axes.set_yticks(places, [one.fit.trial.name for one in shown])
    axes.set_xlabel(f"{metric} on the validation rows ({model.goal})")
    left_out = len(ranking) - len(shown)
    count = "1 trial" if len(ranking) == 1 else f"{len(ranking)} trials"
    axes.set_title(count + (f", the best {len(shown)}" if left_out else ""))
    axes.grid(visible=True, axis="x", alpha=0.3)
    if len(kinds) > 1:
        axes.legend()
    _save(figure, file)


def save_learning_curves(history: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw what was measured after each epoch: the losses, and below them the metric.

    Args:
        history: The epochs, the first one first; each holds the same names.
        file: Where the plot is stored.
    """
    names = [name for name in history[0] if name != "seconds"]
    losses = [name for name in names if name.endswith("loss")]
    panels = [losses, *([name] for name in names if name not in losses)]
    figure, rows = plt.subplots(
        len(panels), sharex=True, squeeze=False, figsize=(8, 3 * len(panels)), layout="constrained"
    )
    epochs = range(1, len(history) + 1)
    for axes, shown in zip(rows[:, 0], panels, strict=True):
        for name in shown:
            axes.plot(epochs, [epoch[name] for epoch in history], marker=".", label=name)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    rows[-1, 0].set_xlabel("epoch")
    rows[-1, 0].xaxis.get_major_locator().set_params(integer=True)
    _save(figure, file)


def save_test_plots(
    model: Model, target: NDArray[np.object_], predictions: Predictions, folder: Path
) -> list[Path]:
    """Draw what a model does on the test rows.

    Classification: confusion matrix and, where there are probabilities, ROC curves. Regression:
    residuals, and predicted against actual values.

    Args:
        model: The model's section of the team file.
        target: The true values, one a row.
        predictions: What the model says about the same rows.
        folder: Where the plots are stored.

    Returns:
        The files of the plots.
    """
    if not model.learning_task.has_classes:
        return [
            _errors(model, target, predictions, "residual_vs_predicted", folder / "residuals.png"),
            _errors(
                model,
                target,
                predictions,
                "actual_vs_predicted",
                folder / "predicted_vs_actual.png",
            ),
        ]
    files = [_confusion(target, predictions, folder / "confusion_matrix.png")]
    if predictions.probabilities is not None and predictions.classes is not None:
        curve = _roc(target, predictions, folder / "roc_curve.png")
        files.extend([curve] if curve else [])
    return files


def _errors(
    model: Model, target: NDArray[np.object_], predictions: Predictions, kind: str, file: Path
) -> Path:
    from sklearn.metrics import PredictionErrorDisplay

    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    PredictionErrorDisplay.from_predictions(
        target,
        predictions.values,
        kind=kind,
        subsample=2000,
        random_state=0,
        ax=axes,
        scatter_kwargs={"alpha": 0.5},
    )
    axes.set_title(f"{model.target} on {len(target)} test rows")
    return _save(figure, file)


def _confusion(target: NDArray[np.object_], predictions: Predictions, file: Path) -> Path:
    from sklearn.metrics import ConfusionMatrixDisplay

    known = [] if predictions.classes is None else [predictions.classes]
    labels = np.unique(np.concatenate([target, predictions.values, *known]))
    classes = len(labels)
    side = 3 + 0.5 * min(classes, 30)
    figure, axes = plt.subplots(figsize=(side + 1, side), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        target,
        predictions.values,
        labels=labels,
        ax=axes,
        cmap="Blues",
        include_values=classes <= _MOST_NUMBERS,
        xticks_rotation="vertical",
    )
    axes.set_title(f"{len(target)} test rows")
    return _save(figure, file)


def _roc(target: NDArray[np.object_], predictions: Predictions, file: Path) -> Path | None:
    from sklearn.metrics import RocCurveDisplay

    probabilities, classes = predictions.probabilities, predictions.classes
    if probabilities is None or classes is None:
        return None
    # Of two classes one curve says all; of more, those with most rows are drawn against the rest.
    drawn = [1] if len(classes) == 2 else _most_frequent(target, classes)
    drawn = [at for at in drawn if 0 < np.sum(target == classes[at]) < len(target)]
    if not drawn:
        return None
    figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
    for at in drawn:
        RocCurveDisplay.from_predictions(
            target == classes[at],
            probabilities[:, at],
            name=str(classes[at]),
            ax=axes,
            plot_chance_level=at == drawn[-1],
        )
    axes.set(
        title=f"{len(target)} test rows", xlabel="False positive rate", ylabel="True positive rate"
    )
    return _save(figure, file)


def _most_frequent(target: NDArray[np.object_], classes: NDArray[np.object_]) -> list[int]:
    counts = np.array([np.sum(target == label) for label in classes])
    return sorted(np.argsort(-counts, kind="stable")[:_MOST_CURVES].tolist())


def _save(figure: Figure, file: Path) -> Path:
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file
