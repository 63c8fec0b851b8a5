"""One row for each origin and step: what was known at the origin, and of the time that is forecast.

An origin is the last value that is known when a forecast is made. Nothing of a row comes from a later one, but for
the calendar and the columns that are known for the future too.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.training.forecasting.form import STEP, Statistic, lag_name
from factory.training.forecasting.series import Series

_FIRST = 3
"""Places that a message names."""
_PANDAS = {"dayofweek": "day_of_week", "dayofyear": "day_of_year"}
_VALUES_AT_ONCE = 10_000_000

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Asked:
    """What is forecast: a step after an origin; one value a row in each array."""

    origin: Rows
    """The row of the last value that is known."""
    step: Rows
    """How many steps after it, from 1."""

    def take(self, rows: NDArray[np.bool_]) -> "Asked":
        """Some of them."""
        return Asked(self.origin[rows], self.step[rows])

    def __len__(self) -> int:
        """How many there are."""
        return len(self.origin)


def all_known(series: Series) -> Asked:
    """Each step after each origin before which there is enough history, where the true value is known."""
    rows = np.arange(len(series))
    enough = series.is_history & (rows - series.start + 1 >= series.form.history)
    origins = rows[enough & (rows < series.end - 1)]
    steps = np.arange(1, series.form.horizon + 1)
    asked = Asked(np.repeat(origins, len(steps)), np.tile(steps, len(origins)))
    return asked.take(asked.origin + asked.step < series.end[asked.origin])


def after_the_end(series: Series) -> Asked:
    """The horizon after the last known value of each series."""
    origins = np.unique(series.end) - 1
    steps = np.arange(1, series.form.horizon + 1)
    return Asked(np.repeat(origins, len(steps)), np.tile(steps, len(origins)))


def features(series: Series, asked: Asked) -> pd.DataFrame:
    """The features of what is asked, by the form of the series.

    Raises:
        TerminalError: A column that is said to be known for the future is not.
    """
    form, origin = series.form, asked.origin
    columns: dict[str, object] = {STEP: asked.step.astype(np.float64)}
    for name in form.series:
        columns[name] = series.labels[name].to_numpy()[origin]
    for lag in form.lags:
        columns[lag_name(lag)] = series.target[origin - (lag - 1)]
    for name, size in form.windows:
        columns[f"{name}_{size}"] = _window(series.target, origin, name, size)
    times = forecast_times(series, asked)
    for part in form.calendar:
        columns[part] = _calendar(times, part)
    if form.known:
        rows = _known_rows(series, asked)
        for name in form.known:
            columns[name] = series.known[name].to_numpy()[rows]
    table = pd.DataFrame(columns, columns=list(form.features))
    texts = [name for name in table if table[name].dtype == object]
    return table.astype(dict.fromkeys(texts, "str"))


def forecast_times(series: Series, asked: Asked) -> pd.DatetimeIndex:
    """The points in time that are forecast."""
    return series.times[series.place[asked.origin] + asked.step]


def truth(series: Series, asked: Asked) -> NDArray[np.float64]:
    """The true values of `all_known`."""
    found: NDArray[np.float64] = series.target[asked.origin + asked.step]
    return found


def seasonal_naive(series: Series, asked: Asked) -> NDArray[np.float64]:
    """The last known value of the same season; the last one of all where the history is shorter than a season."""
    back = np.array([series.form.season_back(step) for step in range(1, series.form.horizon + 1)])
    rows = asked.origin + asked.step - back[asked.step - 1]
    return series.target[np.where(rows < series.start[asked.origin], asked.origin, rows)]


def scales(series: Series, before: int) -> NDArray[np.float64]:
    """What errors are divided by for MASE: of each row's series the mean absolute error of the seasonal naive one-step forecast.

    It is that of the rows before a place in time, by the last value where these are fewer than a season; NaN where
    there is no error, or no row. See R. Hyndman and A. Koehler, Another look at measures of forecast accuracy (2006).

    Args:
        series: The series.
        before: The place in `series.times`.
    """
    found = np.full(len(series), np.nan)
    for start in np.unique(series.start):
        known = slice(start, series.end[start])
        values = series.target[known][series.place[known] < before]
        back = series.form.season if len(values) > series.form.season else 1
        errors = np.abs(values[back:] - values[:-back])
        mean = float(errors.mean()) if len(errors) else 0.0
        found[start : series.stop[start]] = mean if mean > 0 else np.nan
    return found


def _known_rows(series: Series, asked: Asked) -> Rows:
    """The rows of the times that are forecast.

    Raises:
        TerminalError: There are none for some of them.
    """
    rows = asked.origin + asked.step
    missing = np.flatnonzero(rows >= series.stop[asked.origin])
    if len(missing):
        times = forecast_times(series, asked)[missing[:_FIRST]]
        names = series.names[asked.origin[missing[:_FIRST]]]
        first = [
            " at ".join(filter(None, (name, time.isoformat(sep=" ").removesuffix(" 00:00:00"))))
            for name, time in zip(names, times, strict=True)
        ]
        named = ", ".join(series.form.known)
        raise TerminalError(
            f"forecast.known: {named} must be known for the {series.form.horizon} steps after the last "
            f"{series.form.target!r}, and {len(missing)} rows are missing: {'; '.join(first)}"
            f"{' …' if len(missing) > _FIRST else ''}: give the input rows for them without a {series.form.target!r}"
        )
    return rows


def _window(
    target: NDArray[np.float64], origin: Rows, name: Statistic, size: int
) -> NDArray[np.float64]:
    """The statistic of the last `size` values up to each origin, from these values alone."""
    ends, place = np.unique(origin, return_inverse=True)
    found = np.empty(len(ends))
    windows = np.lib.stride_tricks.sliding_window_view(target, size)
    options = {"ddof": 1} if name == "std" else {}
    some = max(1, _VALUES_AT_ONCE // size)
    for begin in range(0, len(ends), some):
        chosen = windows[ends[begin : begin + some] - (size - 1)]
        found[begin : begin + some] = getattr(np, name)(chosen, axis=1, **options)
    return found[place]


def _calendar(times: pd.DatetimeIndex, part: str) -> NDArray[np.float64]:
    found = times.isocalendar().week if part == "week" else getattr(times, _PANDAS.get(part, part))
    return np.asarray(found, dtype=np.float64)
