"""`metrics` of a model: metrics that it computes besides, with parameters, and functions of the team's own."""

import math
import numbers
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticCustomError

from factory.base.calls import ask_about_call
from factory.base.findings import Question
from factory.base.objects import import_object
from factory.base.rules import Broken, rule
from factory.base.section import (
    Name,
    OwnFunctionPath,
    Section,
    Surroundings,
    Text,
    also_written,
)
from factory.base.texts import closest, did_you_mean, one_of
from factory.kinds import METRIC
from factory.models.costs import COSTS
from factory.training.metrics import Class, Goal, Metric, NamableMetrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_TRIALS = ("fit_seconds", "cost_usd")
"""What each trial has in MLflow beside its metrics."""
_OF_FUNCTIONS = ("arguments", "goal", "needs", "lowest", "highest")


class MetricFailedError(ValueError):
    """A team's own function raised an error, or returned no number."""


@dataclass(frozen=True)
class OwnFunction:
    """A function of a team: the true values and what a model says in, a number out."""

    path: str
    """Its dotted path."""

    def __call__(
        self,
        target: "NDArray[Any]",
        said: "NDArray[Any]",
        classes: "NDArray[Any] | None" = None,
        **arguments: Any,
    ) -> float:
        """What it returns.

        Args:
            target: The true values, one a row.
            said: One predicted value a row, or a matrix of probabilities, row x class.
            classes: The classes in the order of the columns of probabilities.
            arguments: What it is given besides.

        Raises:
            MetricFailedError: It raised an error, or returned something else than a number.
            NoSuchObjectError: There is no such function.
        """
        function = import_object(self.path)
        if classes is not None and "classes" in signature(function).parameters:
            arguments["classes"] = _read_only(classes)
        try:
            value = function(_read_only(target), _read_only(said), **arguments)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise MetricFailedError(
                f"`{self.path}` raised {error!r} in line {place.lineno} of "
                f"{Path(place.filename).name}"
            ) from error
        return self._number(value)

    def _number(self, value: object) -> float:
        if not isinstance(value, numbers.Real):
            raise MetricFailedError(
                f"`{self.path}` returned {type(value).__name__}: let it return one number"
            )
        if not math.isfinite(value):
            raise MetricFailedError(f"`{self.path}` returned {value} for these rows")
        return float(value)


def _read_only(values: "NDArray[Any]") -> "NDArray[Any]":
    """The same values, which a function cannot change for the metrics after it."""
    view = values.view()
    view.flags.writeable = False
    return view


class ModelMetric(Section):
    """A metric that a model computes besides those of its task.

    `metric` alone, or its name as a text, is a metric that is built in or a plug-in's. With `name` it has
    `params`. `call` is a function of the team's own. `objective`, `promotion` and `monitor` use it by `name`.
    """

    name: Name | None = Field(default=None, examples=["loss_90"])
    """What the model calls it."""
    metric: Text | None = Field(default=None, examples=["mean_pinball_loss"])
    """One of the task's metrics or of a plug-in's; `factory kinds metric` lists them."""
    params: dict[Text, Any] = Field(default_factory=dict, examples=[{"alpha": 0.9}])
    """Parameters of `metric`."""
    call: OwnFunctionPath | None = Field(default=None, examples=["our_package.costs.money"])
    """A function by dotted path, of a package that the platform allows in `python_packages`: it takes the true
    values, then what the model says of the same rows, and returns a number."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the function is called with besides, by name."""
    goal: Goal | None = None
    """Whether more or less of it is better; needed with `call`."""
    needs: Literal["values", "probabilities"] = "values"
    """What the function takes after the true values: `values`, the predicted class or number of each row, or
    `probabilities`, a matrix of row x class. Its parameter `classes`, if it has one, then takes the classes in the order of the columns."""
    lowest: float | None = None
    """The lowest value that the function can return, by which thresholds are checked; any when left out."""
    highest: float | None = None
    """The highest value that the function can return; any when left out."""

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.metric if self.is_plain else handler(self)

    @property
    def is_plain(self) -> bool:
        """Whether it is a metric's name and nothing else."""
        return self.metric is not None and self.name is None

    @property
    def in_words(self) -> str:
        """What it computes."""
        if self.call is not None:
            return (
                f"{self.call}, of which {'more' if self.goal == 'maximize' else 'less'} is better"
            )
        params = one_of(f"{key} {value}" for key, value in self.params.items())
        return f"{self.metric}{f' with {params}' if params else ''}"

    @rule
    def _one_of_two(self) -> Broken:
        if (self.metric is None) == (self.call is None):
            yield PydanticCustomError(
                "together",
                "it needs `metric` or `call`, and not both",
                {
                    "advice": "write {name: loss_90, metric: mean_pinball_loss, params: {alpha: 0.9}}, or "
                    "{name: money, call: our_package.costs.money, goal: maximize}"
                },
            )

    @rule
    def _keys_of_a_metric(self) -> Broken:
        if self.metric is None or self.call is not None:
            return
        for key in self._written(_OF_FUNCTIONS):
            yield PydanticCustomError(
                "together",
                "`{key}` is for functions of your own, with `call`",
                {
                    "key": key,
                    "advice": "write `params`" if key == "arguments" else "take it away",
                    "at": (key,),
                    "on_key": True,
                },
            )
        if self.params and self.name is None:
            yield PydanticCustomError(
                "together",
                "`params` make it another metric, which needs `name`",
                {"advice": f"add `name: ...`, such as `name: my_{self.metric}`"},
            )

    @rule
    def _keys_of_a_function(self) -> Broken:
        if self.call is None or self.metric is not None:
            return
        for key in self._written(("params",)):
            advice = {"advice": "write `arguments`", "at": (key,), "on_key": True}
            yield PydanticCustomError("together", "`params` are those of a `metric`", advice)
        examples = {"name": "money", "goal": "maximize"}
        missing = {key: word for key, word in examples.items() if getattr(self, key) is None}
        if missing:
            added = one_of(f"{key}: {word}" for key, word in missing.items())
            yield PydanticCustomError(
                "together",
                "a function of your own needs {missing}",
                {
                    "missing": " and ".join(f"`{key}`" for key in missing),
                    "advice": f"add `{added}`, say",
                },
            )

    @rule
    def _bounds(self) -> Broken:
        if self.lowest is not None and self.highest is not None and self.lowest > self.highest:
            yield PydanticCustomError(
                "bounds",
                "`lowest` {lowest} is above `highest` {highest}",
                {"lowest": self.lowest, "highest": self.highest, "at": ("lowest",)},
            )

    def _written(self, keys: Sequence[str]) -> list[str]:
        return [key for key in keys if key in self.model_fields_set]

    def questions(self) -> Iterator[Question]:
        """Whether its function exists, and takes what it is given."""
        if self.call is not None:
            said = "the probabilities" if self.needs == "probabilities" else "the predicted values"
            yield ask_about_call(
                self.call,
                self.arguments,
                gets=("the true values", said),
                may_add=("classes",) if self.needs == "probabilities" else (),
            )

    def of(self, task: str, base: Metric | None) -> Metric | None:
        """The metric that it defines, for a model of a task.

        Args:
            task: The model's task.
            base: What `metric` names, if it names one.

        Returns:
            None where it is wrong, or its `metric` is unknown.
        """
        if self.call is None:
            return None if base is None else base.named(str(self.name), self.params)
        if self.goal is None:
            return None
        low = -math.inf if self.lowest is None else self.lowest
        high = math.inf if self.highest is None else self.highest
        return Metric(
            name=str(self.name),
            tasks=(task,),
            goal=self.goal,
            function=OwnFunction(self.call),
            needs=self.needs,
            bounds=(low, high),
            options=self.arguments,
        )


def read_metric(value: object) -> object:
    """A metric that may be written as its name alone."""
    return {"metric": value} if isinstance(value, str) else value


AnyModelMetric = Annotated[
    ModelMetric,
    BeforeValidator(read_metric),
    also_written({"type": "string", "examples": ["matthews_corrcoef"]}),
]
"""An entry of `metrics`."""


def check_metrics(metrics: Sequence[ModelMetric], known: NamableMetrics) -> Broken:
    """What is wrong with the metrics that a model names or defines in `metrics`.

    Args:
        metrics: As they are written.
        known: What the model may name.
    """
    taken: set[str] = set()
    for index, one in enumerate(metrics):
        at = ("metrics", index)
        if one.is_plain:
            yield from known.check(str(one.metric), at)
            continue
        if one.name is not None:
            yield from _check_name(one.name, taken, known, (*at, "name"))
            taken.add(one.name)
        if one.metric is not None:
            yield from _check_base(one.metric, one.params, known, at)
        elif not known.has_target:
            yield PydanticCustomError(
                "metric",
                "a function of your own compares with what is true, and the model has no `target`",
                {"advice": "add `target`, or take the metric away", "at": (*at, "call")},
            )


def _check_name(
    name: str, taken: set[str], known: NamableMetrics, at: tuple[str | int, ...]
) -> Broken:
    if name in taken:
        what = "is defined twice"
    elif name in METRIC.builtin or known.find_kind(name) is not None:
        what = "is a metric already"
    elif name in _OF_TRIALS:
        what = "is what MLflow shows of each trial anyway"
    elif name in COSTS:
        what = "is a cost that `promotion.require` may limit"
    else:
        return
    yield PydanticCustomError(
        "name_taken",
        "`{name}` {what}",
        {"name": name, "what": what, "advice": "write another `name`", "at": at},
    )


def _check_base(
    name: str, params: Mapping[str, Any], known: NamableMetrics, at: tuple[str | int, ...]
) -> Broken:
    metric = known.find_kind(name)
    if metric is None:
        yield known.unknown(name, (*at, "metric"))
        return
    yield from known.check_target(metric, (*at, "metric"))
    yield from known.check_class(metric, (*at, "metric"))
    for key, value in params.items():
        if key not in metric.parameters:
            otherwise = (
                f"it has {one_of(metric.parameters)}" if metric.parameters else "it has none"
            )
            yield PydanticCustomError(
                "metric",
                "`{metric}` has no parameter `{key}`",
                {
                    "metric": name,
                    "key": key,
                    "advice": did_you_mean(key, metric.parameters, otherwise),
                    "at": (*at, "params", key),
                    "on_key": True,
                },
            )
        elif not metric.parameters[key].fits(value):
            yield PydanticCustomError(
                "metric",
                "`{key}` of `{metric}` cannot be {value}",
                {
                    "metric": name,
                    "key": key,
                    "value": repr(value),
                    "advice": f"write {metric.parameters[key].expected}",
                    "at": (*at, "params", key),
                },
            )
    meant = {closest(key, metric.parameters) for key in params}
    missing = [key for key in metric.unwritten if key not in meant]
    if missing:
        yield PydanticCustomError(
            "metric",
            "`{metric}` needs {missing}",
            {
                "metric": name,
                "missing": one_of(f"`{key}`" for key in missing),
                "advice": "add "
                + one_of(f"`{key}: ...`, {metric.parameters[key].expected}" for key in missing)
                + ", to `params`",
                "at": at,
            },
        )


def namable_metrics(
    metrics: Sequence[ModelMetric],
    task: str,
    positive: Class | None,
    surroundings: Surroundings | None,
    *,
    has_target: bool = True,
    of_targets: Sequence[Metric] = (),
) -> NamableMetrics:
    """What a model may name as a metric.

    Args:
        metrics: Those of its section, which may define some.
        task: Its task.
        positive: Its class that counts, if it says one.
        surroundings: Where it is read; see `NamableMetrics`.
        has_target: Whether it has a target.
        of_targets: Those of each of several targets.
    """
    others = NamableMetrics(task, positive, {}, surroundings, has_target)
    defined: dict[str, Metric | None] = {one.name: one for one in of_targets}
    for one in metrics:
        if one.name is not None:
            base = others.find_kind(one.metric) if one.metric is not None else None
            defined[one.name] = one.of(task, base)
    return NamableMetrics(task, positive, defined, surroundings, has_target)
