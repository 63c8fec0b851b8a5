"""`objective`: the metric that ranks trials."""

from collections.abc import Iterable

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken
from factory.base.section import Section, Text
from factory.base.texts import one_of
from factory.training.metrics import Goal, Metric

_AT = ("objective", "metric")


class Objective(Section):
    """The metric that ranks trials; `goal` follows from the metric unless it is written."""

    metric: Text = Field(examples=["f1_macro", "root_mean_squared_error"])
    """One of the task's metrics, of a plug-in's, or of those that `metrics` defines; `factory kinds metric` lists
    them."""
    goal: Goal | None = None
    """Whether the highest or the lowest value wins; follows from the metric when left out."""


def check_ranks(metric: Metric, others: Iterable[Metric]) -> Broken:
    """Whether a metric says which predictions are better.

    Args:
        metric: The objective's.
        others: Those of the model's task.
    """
    if metric.describes:
        yield PydanticCustomError(
            "metric",
            "`{metric}` says what predictions are like, and not which are better",
            {
                "metric": metric.name,
                "advice": f"write {one_of(one.name for one in others if not one.describes)}; "
                f"`promotion.require` may limit {metric.name}",
                "at": _AT,
            },
        )


def check_comparable(metric: Metric, *, prepares_differently: bool) -> Broken:
    """Whether a metric means the same for all trials.

    Args:
        metric: The objective's.
        prepares_differently: Whether trials may prepare rows differently.
    """
    if metric.needs == "points" and prepares_differently:
        yield PydanticCustomError(
            "metric",
            "`{metric}` measures distances between prepared rows, and trials that prepare them differently "
            "cannot be compared by it",
            {
                "metric": metric.name,
                "advice": "write one value for each parameter in `preprocessing`, or measure by labels: add "
                "`target`, and write adjusted_rand",
                "at": _AT,
            },
        )
