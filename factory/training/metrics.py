"""How good predictions are: every metric of `factory.training.model.METRICS`, by scikit-learn."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from factory.trainers.trainer import Predictions
from factory.training.model import METRICS, Task

Metric = Callable[[NDArray[Any], Predictions], float]


@dataclass(frozen=True)
class Scores:
    """The metrics that could be computed, and why each other one could not."""

    values: dict[str, float]
    skipped: dict[str, str]


def score(task: Task, target: NDArray[Any], predictions: Predictions) -> Scores:
    """Compute every metric of a task; one that is undefined for these rows is skipped.

    Args:
        task: The model's task.
        target: The truth, one value a row.
        predictions: What the model says about the same rows.
    """
    values, skipped = {}, {}
    for name in METRICS[task]:
        try:
            with warnings.catch_warnings():
                # What is undefined is reported once below, as skipped.
                warnings.simplefilter("ignore")
                value = float(_COMPUTED[name](target, predictions))
        except (TypeError, ValueError) as error:
            skipped[name] = str(error)
            continue
        if math.isfinite(value):
            values[name] = value
        else:
            skipped[name] = f"it is {value} for these rows"
    return Scores(values, skipped)


def _by_values(function: Callable[..., float], **options: str | int) -> Metric:
    return lambda target, predictions: function(target, predictions.values, **options)


def _probabilities(predictions: Predictions) -> tuple[NDArray[Any], NDArray[Any]]:
    if predictions.probabilities is None or predictions.classes is None:
        raise ValueError("the estimator gives no probabilities (it has no `predict_proba`)")
    return predictions.probabilities, predictions.classes


def _log_loss(target: NDArray[Any], predictions: Predictions) -> float:
    probabilities, classes = _probabilities(predictions)
    return float(metrics.log_loss(target, probabilities, labels=classes))


def _roc_auc(target: NDArray[Any], predictions: Predictions) -> float:
    probabilities, classes = _probabilities(predictions)
    if len(np.unique(target)) < 2:
        raise ValueError("these rows hold only one class")
    if len(classes) == 2:
        return float(metrics.roc_auc_score(target == classes[1], probabilities[:, 1]))
    return float(metrics.roc_auc_score(target, probabilities, multi_class="ovr", labels=classes))


_COMPUTED: dict[str, Metric] = {
    "accuracy": _by_values(metrics.accuracy_score),
    "balanced_accuracy": _by_values(metrics.balanced_accuracy_score),
    "f1_macro": _by_values(metrics.f1_score, average="macro", zero_division=0),
    "f1_weighted": _by_values(metrics.f1_score, average="weighted", zero_division=0),
    "log_loss": _log_loss,
    "precision_macro": _by_values(metrics.precision_score, average="macro", zero_division=0),
    "recall_macro": _by_values(metrics.recall_score, average="macro", zero_division=0),
    "roc_auc": _roc_auc,
    "max_error": _by_values(metrics.max_error),
    "mean_absolute_error": _by_values(metrics.mean_absolute_error),
    "mean_absolute_percentage_error": _by_values(metrics.mean_absolute_percentage_error),
    "median_absolute_error": _by_values(metrics.median_absolute_error),
    "r2": _by_values(metrics.r2_score),
    "root_mean_squared_error": _by_values(metrics.root_mean_squared_error),
}
