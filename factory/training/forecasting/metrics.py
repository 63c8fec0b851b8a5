"""Metrics of forecasts, and each metric by the step of the horizon."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from factory.training.forecasting.form import SCALE, STEP
from factory.training.metrics import Metric, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions


def _mase(target: "NDArray[Any]", predicted: "NDArray[Any]", *, scale: "NDArray[Any]") -> float:
    import numpy as np

    scaled = np.abs(target - predicted) / scale
    told = scaled[~np.isnan(scaled)]
    if not len(told):
        raise ValueError("the seasonal naive forecast makes no error in training")
    return float(told.mean())


def _smape(target: "NDArray[Any]", predicted: "NDArray[Any]") -> float:
    import numpy as np

    sizes = np.abs(target) + np.abs(predicted)
    errors = 2 * np.abs(target - predicted)
    # Nothing was and nothing was forecast: that is no error.
    return float(np.where(sizes > 0, errors / np.where(sizes > 0, sizes, 1), 0).mean())


def _wape(target: "NDArray[Any]", predicted: "NDArray[Any]") -> float:
    import numpy as np

    total = np.abs(target).sum()
    if total == 0:
        raise ValueError("all true values are 0")
    return float(np.abs(target - predicted).sum() / total)


_FORECASTS = ("forecasting",)

MASE = Metric("mase", _FORECASTS, "minimize", _mase, about=(SCALE,))
"""The mean absolute scaled error: below 1 it is better than the seasonal naive forecast of one step was in training.

See R. Hyndman and A. Koehler, Another look at measures of forecast accuracy (2006).
"""
SMAPE = Metric("smape", _FORECASTS, "minimize", _smape, bounds=(0, 2))
"""The symmetric mean absolute percentage error, from 0 to 2 (as sktime has it, and the M4 competition by 100)."""
WAPE = Metric("wape", _FORECASTS, "minimize", _wape)
"""The weighted absolute percentage error: the sum of all errors by the sum of all values."""


def by_step(
    metrics: Iterable[Metric],
    target: "NDArray[Any] | None",
    predictions: "Predictions",
    prefix: str = "",
) -> dict[int, dict[str, float]]:
    """Each metric by the step of the horizon, as `step_…`; nothing for what is no forecast.

    Args:
        metrics: Which ones.
        target: The true values, one a row; None where there are none.
        predictions: What a model says about the same rows.
        prefix: What the names begin with.
    """
    import numpy as np

    steps = predictions.about.get(STEP)
    if steps is None or target is None:
        return {}
    metrics = tuple(metrics)
    found: dict[int, dict[str, float]] = {}
    for step in np.unique(steps).tolist():
        rows = np.flatnonzero(steps == step)
        scores = score(metrics, target[rows], predictions.of_rows(rows))
        found[int(step)] = {f"{prefix}step_{name}": value for name, value in scores.values.items()}
    return found
