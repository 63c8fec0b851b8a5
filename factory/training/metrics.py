"""Metrics: how good predictions are. The built-in ones are scikit-learn's, by its names.

Those are in `factory.training.scikit_learn_metrics`. A plug-in adds one by an entry point of the group
`ml_dag_factory.metric` whose value is a `Metric`; a team defines its own in `metrics` of a model, see
`factory.training.model_metrics`. It may then be named wherever a metric is named: as `objective`,
among `metrics`, in `promotion.require`, in `monitor.quality`.
"""

import importlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import PydanticCustomError

from factory import kinds
from factory.base.rules import Broken
from factory.base.section import Surroundings
from factory.base.texts import did_you_mean, either, one_of

_SHORT = {
    "rmse": "root_mean_squared_error",
    "rmsle": "root_mean_squared_log_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_log_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "medae": "median_absolute_error",
    "r_squared": "r2",
    "auc": "roc_auc",
    "roc": "roc_auc",
    "auroc": "roc_auc",
    "auprc": "average_precision",
    "pr_auc": "average_precision",
    "acc": "accuracy",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "mcc": "matthews_corrcoef",
    "kappa": "cohen_kappa",
    "brier": "brier_score_loss",
    "f_score": "f1",
    "ari": "adjusted_rand",
    "mrr": "mean_reciprocal_rank",
}
"""What else people call metrics."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions

Goal = Literal["maximize", "minimize"]
Needs = Literal["values", "probabilities", "ranking", "points", "background"]
Class = bool | int | str
"""One of the classes of a target."""


@dataclass(frozen=True)
class Parameter:
    """What a team may write for one of the `params` of a metric."""

    expected: str
    """In words, such as `a number from 0 to 1`."""
    fits: Callable[[Any], bool]
    """Whether a value may be written."""
    default: float | str | None = None
    """What it is where nobody writes it."""
    is_required: bool = False
    """Whether it must be written."""


@dataclass(frozen=True)
class Metric:
    """One number that says how good predictions are.

    `function` gets the true values first, one a row, unless `uses_target` is false, and returns a float. What else
    it gets, `needs` says: `values` is one predicted class or number a row; `probabilities` is one row x class
    matrix, and after it the classes in the order of its columns; `ranking` is the same, or numbers that rank rows
    as probabilities do; `points` is one predicted cluster a row, and after it the rows as the estimator gets them;
    `background` is one score a row, and after it those of rows that were drawn at random. It may raise ValueError or
    TypeError where the metric is undefined for the rows: the metric is then left out, and the log says why.
    """

    name: str
    """What team files call it. An entry point has the same name."""
    tasks: tuple[str, ...]
    """The tasks of learning that it is for, such as `classification`."""
    goal: Goal
    """Whether more or less of it is better."""
    function: str | Callable[..., float]
    """The function, or `module:function`, which is imported when it is first computed."""
    needs: Needs = "values"
    bounds: tuple[float, float] = (0, inf)
    """The lowest and the highest value that it can have: a threshold beyond them is a mistake."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the function."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Arguments of the function that a team may choose in `params`, by name."""
    positive: Literal["unused", "optional", "required"] = "unused"
    """Whether the function takes, as the argument `positive`, the class that counts: `positive` of the model."""
    about: tuple[str, ...] = ()
    """What else the function is given of each row, as arguments of these names; see `Predictions.about`."""
    on_request: bool = False
    """Whether it is computed only where a model names it; a plug-in's is in any case."""
    always_for: tuple[str, ...] = ()
    """Tasks for whose models it is computed in any case, though for others it is `on_request`."""
    target: int | None = None
    """Of several targets the place of the one that it is about; None where it is about all of them, or there is one."""
    uses_target: bool = True
    """Whether it compares what is said with what is true, and is for models with a target."""
    describes: bool = False
    """Whether it says what predictions are like, and not how good they are: it ranks no trials."""

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        low, high = self.bounds
        first = "an" if self.tasks[0][0] in "aeiou" else "a"
        goal = "no objective" if self.describes else self.goal
        parts = [f"{goal} for {first} {' or '.join(self.tasks)}; {low:g} to {high:g}"]
        if not self.uses_target:
            parts.append("needs no target")
        if self.positive == "required":
            parts.append("needs `positive`")
        for name, parameter in self.parameters.items():
            default = "" if parameter.default is None else f" ({parameter.default} when left out)"
            must = "needs " if parameter.is_required else ""
            parts.append(f"{must}`{name}`, {parameter.expected}{default}")
        return "; ".join(parts)

    @property
    def unwritten(self) -> tuple[str, ...]:
        """The parameters that must be written, and are not yet."""
        return tuple(
            name
            for name, parameter in self.parameters.items()
            if parameter.is_required and name not in self.options
        )

    def named(self, name: str, params: Mapping[str, Any]) -> "Metric":
        """The same under another name, and with parameters."""
        return replace(self, name=name, options={**self.options, **params})

    def of_class(self, positive: Class | None) -> "Metric":
        """The same of the class that counts, if it makes a difference which that is."""
        if self.positive == "unused" or positive is None:
            return self
        return replace(self, options={**self.options, "positive": positive})

    def compute(self, target: "NDArray[Any] | None", predictions: "Predictions") -> float:
        """Its value for some rows.

        Args:
            target: The true values, one a row, or rows x targets; None where there are none.
            predictions: What a model says about the same rows.

        Raises:
            ValueError: It is undefined for these rows, or the model does not say what it needs.
            TypeError: The same.
        """
        if self.uses_target and target is None:
            raise ValueError("the model has no target to measure by")
        if self.target is not None and target is not None:
            target, predictions = target[:, self.target], predictions.of_target(self.target)
        truth = (target,) if self.uses_target else ()
        defaults = {name: one.default for name, one in self.parameters.items()}
        options = {**defaults, **self.options, **self._about(predictions)}
        given = _GIVEN[self.needs](predictions)
        return float(_imported(self.function)(*truth, *given, **options))

    def _about(self, predictions: "Predictions") -> "dict[str, NDArray[Any]]":
        missing = [name for name in self.about if name not in predictions.about]
        if missing:
            raise ValueError(f"the {one_of(missing)} of these rows is not known")
        return {name: predictions.about[name] for name in self.about}


def _probabilities(predictions: "Predictions") -> tuple[Any, ...]:
    if predictions.probabilities is None or predictions.classes is None:
        raise ValueError("the estimator gives no probabilities (it has no `predict_proba`)")
    return predictions.probabilities, predictions.classes


def _ranking(predictions: "Predictions") -> tuple[Any, ...]:
    """Probabilities, or a score of the second of two classes in their place."""
    import numpy as np

    score = predictions.columns.get("score")
    if score is None or predictions.classes is None:
        return _probabilities(predictions)
    return np.column_stack([-score, score]), predictions.classes


def _points(predictions: "Predictions") -> tuple[Any, ...]:
    if predictions.points is None:
        raise ValueError("the rows are not known between which distances are measured")
    return predictions.values, predictions.points


def _background(predictions: "Predictions") -> tuple[Any, ...]:
    score = predictions.columns.get("score")
    if score is None or predictions.background is None:
        raise ValueError("there are no scores of rows that were drawn at random")
    return score, predictions.background


_GIVEN: Mapping[Needs, Callable[["Predictions"], tuple[Any, ...]]] = {
    "values": lambda predictions: (predictions.values,),
    "probabilities": _probabilities,
    "ranking": _ranking,
    "points": _points,
    "background": _background,
}
"""What functions get of predictions."""


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


def score(
    metrics: Iterable[Metric], target: "NDArray[Any] | None", predictions: "Predictions"
) -> Scores:
    """Compute metrics; one that is undefined for these rows is skipped.

    Args:
        metrics: Which ones; those of a model are `model.computed_metrics`.
        target: The true values, one a row; None where there are none.
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


def builtin_metrics(
    task: str, positive: Class | None = None, *, has_target: bool = True
) -> tuple[Metric, ...]:
    """The metrics that are computed for every model of a task.

    Args:
        task: The task of learning.
        positive: The class that counts; without one, metrics that need it are left out.
        has_target: Whether there is one to measure by.
    """
    return tuple(
        kind.target.of_class(positive)
        for kind in kinds.builtin(kinds.METRIC)
        if task in kind.target.tasks
        and (not kind.target.on_request or task in kind.target.always_for)
        and (positive is not None or kind.target.positive != "required")
        and (has_target or not kind.target.uses_target)
    )


def find_metric(name: str) -> Metric:
    """The metric of a name that was validated before.

    Raises:
        LookupError: No installed package has it.
    """
    found: Metric = kinds.find(kinds.METRIC, name)
    return found


@dataclass(frozen=True)
class NamableMetrics:
    """The metrics that a model may name, and what is wrong with a name that it has written."""

    task: str
    """The model's task."""
    positive: Class | None
    """Its class that counts, if it says one."""
    defined: Mapping[str, Metric | None]
    """What it defines itself, by name; None where something is wrong with that, which is said there."""
    surroundings: Surroundings | None
    """Where it is read, which says what plug-ins may be used. Without them (a section that comes back
    from a document) it is those that are installed."""
    has_target: bool = True
    """Whether the model has a target to measure by."""

    def find(self, name: str) -> Metric | None:
        """The metric of a name; None where the model may not name it, or its definition is wrong."""
        metric = self.defined[name] if name in self.defined else self.find_kind(name)
        return None if metric is None else metric.of_class(self.positive)

    def find_kind(self, name: str) -> Metric | None:
        """The metric of a name that is built in, or a plug-in's."""
        if name in kinds.METRIC.builtin or self.surroundings is None:
            try:
                found = find_metric(name)
            except LookupError:
                return None
            return found if self.task in found.tasks else None
        return next((one for one in self._kinds() if one.name == name), None)

    def _kinds(self) -> Iterator[Metric]:
        plugins = self.surroundings.plugins if self.surroundings is not None else ()
        for kind in kinds.kinds(kinds.METRIC, plugins):
            if self.task in kind.target.tasks:
                yield kind.target

    def check(self, name: str, at: tuple[str | int, ...]) -> Broken:
        """What is wrong with a name.

        Args:
            name: The metric, as it is written.
            at: Where it is written, below the model.
        """
        if name in self.defined:
            return
        metric = self.find_kind(name)
        if metric is None:
            yield self.unknown(name, at)
            return
        yield from self.check_target(metric, at)
        yield from self.check_class(metric, at)
        if metric.unwritten:
            example = ", ".join(f"{key}: ..." for key in metric.unwritten)
            yield PydanticCustomError(
                "metric",
                "`{metric}` needs {missing}",
                {
                    "metric": name,
                    "missing": one_of(f"`{key}`" for key in metric.unwritten),
                    "advice": f"add `{{name: ..., metric: {name}, params: {{{example}}}}}` to "
                    "`metrics`, and write that name here",
                    "at": at,
                },
            )

    def check_target(self, metric: Metric, at: tuple[str | int, ...]) -> Broken:
        """Whether there is a target, if the metric compares with one."""
        if self.has_target or not metric.uses_target:
            return
        without = sorted(
            one.name for one in self._kinds() if not one.uses_target and not one.describes
        )
        others = f", or name one that needs none: {either(without)}" if without else ""
        yield PydanticCustomError(
            "metric",
            "`{metric}` compares with what is true, and the model has no `target`",
            {
                "metric": metric.name,
                "advice": f"add `target: ...`, the column with the labels{others}",
                "at": at,
            },
        )

    def check_class(self, metric: Metric, at: tuple[str | int, ...]) -> Broken:
        """Whether the model says which class counts, if the metric needs that."""
        if metric.positive != "required" or self.positive is not None or not self.has_target:
            return
        others = f"{metric.name}_macro"
        instead = f", or write `{others}`" if others in kinds.METRIC.builtin else ""
        yield PydanticCustomError(
            "metric",
            "`{metric}` needs `positive`: which of two classes counts",
            {
                "metric": metric.name,
                "advice": f'add it to the model, such as `positive: "yes"`{instead}',
                "at": at,
            },
        )

    def unknown(self, name: str, at: tuple[str | int, ...]) -> PydanticCustomError:
        """The error that a metric is none that the model may name."""
        choices = sorted({*(metric.name for metric in self._kinds()), *self.defined})
        return PydanticCustomError(
            "metric",
            "{value} is not computed for {task}",
            {
                "value": repr(name),
                "task": self.task,
                "at": at,
                "advice": did_you_mean(
                    _SHORT.get(name.lower(), name.removeprefix("neg_")),
                    choices,
                    "`factory kinds metric` lists what is",
                ),
            },
        )
