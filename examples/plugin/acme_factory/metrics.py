"""Metrics of Acme's own."""

from typing import TYPE_CHECKING, Any

from factory.training.metrics import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray


def within_ten_percent(target: "NDArray[Any]", predicted: "NDArray[Any]") -> float:
    """The share of predictions that are off by at most a tenth of the true value."""
    return float((abs(predicted - target) <= 0.1 * abs(target)).mean())


WITHIN_TEN_PERCENT = Metric(
    name="within_ten_percent",
    tasks=("regression",),
    goal="maximize",
    function=within_ten_percent,
    bounds=(0, 1),
)
"""How often an estimate is good enough for Acme."""
