"""Metrics: how good predictions are. The built-in ones are scikit-learn's, by its names.

A plug-in adds one by an entry point of the group `ml_dag_factory.metric` whose value is a `Metric`. A
team may then name it wherever a metric is named: as `objective`, among `metrics`, in
`promotion.require`, in `monitor.quality`.
"""

import importlib
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import PydanticCustomError

from factory import kinds
from factory.base.section import Surroundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions

Goal = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Metric:
    """One number that says how good predictions are.

    `function` gets the true values first, one a row, and returns a float. What else it gets, `needs`
    says: `predictions` is one predicted class or number a row; `probabilities` is one row x class
    matrix, and after it the classes in the order of its columns. It may raise ValueError or TypeError
    where the metric is undefined for the rows: the metric is then left out, and the log says why.
    """

    name: str
    """What team files call it. An entry point has the same name."""
    tasks: tuple[str, ...]
    """The tasks of learning that it is for, such as `classification`."""
    goal: Goal
    """Whether more or less of it is better."""
    function: str | Callable[..., float]
    """The function, or `module:function`, which is imported when it is first computed."""
    needs: Literal["predictions", "probabilities"] = "predictions"
    bounds: tuple[float, float] = (0, inf)
    """The lowest and the highest value that it can have: a threshold beyond them is a mistake."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the function."""

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        low, high = self.bounds
        return f"{self.goal} for a {' or '.join(self.tasks)}; {low:g} to {high:g}"

    def compute(self, target: "NDArray[Any]", predictions: "Predictions") -> float:
        """Its value for some rows.

        Args:
            target: The true values, one a row.
            predictions: What a model says about the same rows.

        Raises:
            ValueError: It is undefined for these rows, or the model gives no probabilities.
            TypeError: The same.
        """
        given: tuple[Any, ...] = (predictions.values,)
        if self.needs == "probabilities":
            if predictions.probabilities is None or predictions.classes is None:
                raise ValueError("the estimator gives no probabilities (it has no `predict_proba`)")
            given = (predictions.probabilities, predictions.classes)
        return float(_imported(self.function)(target, *given, **self.options))


def _imported(function: str | Callable[..., float]) -> Callable[..., float]:
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    found: Callable[..., float] = getattr(importlib.import_module(module), name)
    return found


@dataclass(frozen=True)
class Scores:
    """The metrics that could be computed, and why each other one could not."""

    values: dict[str, float]
    skipped: dict[str, str]


def score(metrics: Iterable[Metric], target: "NDArray[Any]", predictions: "Predictions") -> Scores:
    """Compute metrics; one that is undefined for these rows is skipped.

    Args:
        metrics: Which ones; those of a model are `model.computed_metrics`.
        target: The true values, one a row.
        predictions: What a model says about the same rows.
    """
    values, skipped = {}, {}
    for metric in metrics:
        try:
            with warnings.catch_warnings():
                # What is undefined is reported once below, as skipped.
                warnings.simplefilter("ignore")
                value = metric.compute(target, predictions)
        except (TypeError, ValueError) as error:
            skipped[metric.name] = str(error)
            continue
        if math.isfinite(value):
            values[metric.name] = value
        else:
            skipped[metric.name] = f"it is {value} for these rows"
    return Scores(values, skipped)


def builtin_metrics(task: str) -> tuple[Metric, ...]:
    """The metrics that are computed for every model of a task."""
    return _of_task(kinds.builtin(kinds.METRIC), task)


def find_metric(name: str) -> Metric:
    """The metric of a name that was validated before.

    Raises:
        LookupError: No installed package has it.
    """
    found: Metric = kinds.find(kinds.METRIC, name)
    return found


def _of_task(found: Iterable[kinds.Kind], task: str) -> tuple[Metric, ...]:
    return tuple(kind.target for kind in found if task in kind.target.tasks)


def known_metrics(
    task: str, named: Iterable[str], surroundings: Surroundings | None
) -> dict[str, Metric]:
    """The metrics that a model of a task may name, by name.

    Args:
        task: The model's task.
        named: What it does name.
        surroundings: Where it is read, which says what plug-ins may be used. Without them (a section
            that comes back from a document) it is the plug-ins of the metrics that it names.
    """
    if surroundings is not None:
        found = _of_task(kinds.kinds(kinds.METRIC, surroundings.plugins), task)
    else:
        found = (*builtin_metrics(task), *_installed(task, named))
    return {metric.name: metric for metric in found}


def _installed(task: str, named: Iterable[str]) -> Iterable[Metric]:
    for name in dict.fromkeys(named):
        if name in kinds.METRIC.builtin:
            continue
        try:
            metric = find_metric(name)
        except LookupError:
            continue
        if task in metric.tasks:
            yield metric


def unknown_metric(
    name: str, task: str, known: Mapping[str, Metric], at: tuple[str | int, ...]
) -> PydanticCustomError:
    """The located error that a metric is none of those that are known.

    Args:
        name: The metric, as it is written.
        task: The model's task.
        known: See `known_metrics`.
        at: Where it is written, below the model.
    """
    return PydanticCustomError(
        "metric",
        "{value} is not computed for {task}: write one of {known}",
        {
            "value": repr(name),
            "task": task,
            "known": ", ".join(sorted(known)),
            "at": at,
            "choices": sorted(known),
        },
    )


def _log_loss(
    target: "NDArray[Any]", probabilities: "NDArray[Any]", classes: "NDArray[Any]"
) -> float:
    from sklearn import metrics

    return float(metrics.log_loss(target, probabilities, labels=classes))


def _roc_auc(
    target: "NDArray[Any]", probabilities: "NDArray[Any]", classes: "NDArray[Any]"
) -> float:
    """The area under the ROC curve; of several classes, the mean of each one against the rest."""
    import numpy as np
    from sklearn import metrics

    if len(np.unique(target)) < 2:
        raise ValueError("these rows hold only one class")
    if len(classes) == 2:
        return float(metrics.roc_auc_score(target == classes[1], probabilities[:, 1]))
    return float(metrics.roc_auc_score(target, probabilities, multi_class="ovr", labels=classes))


def _share(name: str, function: str, **options: str | int) -> Metric:
    """A metric of predicted classes that lies between 0 and 1, where 1 is the best."""
    found = f"sklearn.metrics:{function}"
    return Metric(name, ("classification",), "maximize", found, bounds=(0, 1), options=options)


def _error(name: str) -> Metric:
    """How far predicted numbers are off: 0 is the best."""
    return Metric(name, ("regression",), "minimize", f"sklearn.metrics:{name}")


ACCURACY = _share("accuracy", "accuracy_score")
BALANCED_ACCURACY = _share("balanced_accuracy", "balanced_accuracy_score")
F1_MACRO = _share("f1_macro", "f1_score", average="macro", zero_division=0)
F1_WEIGHTED = _share("f1_weighted", "f1_score", average="weighted", zero_division=0)
LOG_LOSS = Metric("log_loss", ("classification",), "minimize", _log_loss, "probabilities")
PRECISION_MACRO = _share("precision_macro", "precision_score", average="macro", zero_division=0)
RECALL_MACRO = _share("recall_macro", "recall_score", average="macro", zero_division=0)
ROC_AUC = Metric(
    "roc_auc", ("classification",), "maximize", _roc_auc, "probabilities", bounds=(0, 1)
)
MAX_ERROR = _error("max_error")
MEAN_ABSOLUTE_ERROR = _error("mean_absolute_error")
MEAN_ABSOLUTE_PERCENTAGE_ERROR = _error("mean_absolute_percentage_error")
MEDIAN_ABSOLUTE_ERROR = _error("median_absolute_error")
R2 = Metric("r2", ("regression",), "maximize", "sklearn.metrics:r2_score", bounds=(-inf, 1))
ROOT_MEAN_SQUARED_ERROR = _error("root_mean_squared_error")
