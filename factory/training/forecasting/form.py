"""What makes the rows that a forecasting model learns from, and is asked about; stored with each version."""

import math
from typing import Literal

from factory.base.values import Result

STEP = "step"
"""The feature that says how many steps after the last known value a row is, from 1."""
SEASONAL_NAIVE = "seasonal_naive"
"""What is known of each row beside its features: the last known value of the same season."""
SCALE = "scale"
"""The same: what its error is divided by for MASE."""

Statistic = Literal["mean", "std", "min", "max", "median"]


def lag_name(lag: int) -> str:
    """The name of the feature that is a past value; `lag_1` is the last one that is known."""
    return f"lag_{lag}"


class LagForm(Result):
    """Which columns series have, and which features are made of them.

    Training, backtest, batch prediction and serving make rows by the form of the version that they ask.
    """

    target: str
    time: str
    series: tuple[str, ...]
    frequency: str
    """By pandas' names."""
    season: int
    """How many steps a season has."""
    horizon: int
    lags: tuple[int, ...]
    windows: tuple[tuple[Statistic, int], ...]
    calendar: tuple[str, ...]
    known: tuple[str, ...]
    short_series: Literal["fail", "drop"] = "fail"

    @property
    def history(self) -> int:
        """How many values must be known for a forecast."""
        return max(*self.lags, *(size for _, size in self.windows), 1)

    @property
    def features(self) -> tuple[str, ...]:
        """The features of a row, in their order."""
        windows = (f"{name}_{size}" for name, size in self.windows)
        lags = map(lag_name, self.lags)
        return (STEP, *self.series, *lags, *windows, *self.calendar, *self.known)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows of series must have."""
        return (*self.series, self.time, self.target, *self.known)

    def season_back(self, step: int) -> int:
        """How many values before the one that is forecast the last known one of the same season lies."""
        return self.season * math.ceil(step / self.season)
