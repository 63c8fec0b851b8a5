"""Which rows are for training, for validation and for the test: by time, from rolling origins.

The test is the last part of the time; forecasts for it are made from origins `horizon` steps apart, the first one
the last step before it, so that each of its values is forecast once. The rows for training end where
validation, or the test, begins.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from factory.base.errors import TerminalError
from factory.base.section import read_duration
from factory.training.division import Division, Folds, Split
from factory.training.folds import LEARNED, LEFT_OUT, MEASURED, FoldMatrix, with_window
from factory.training.forecasting.lag_table import Asked, all_known
from factory.training.forecasting.series import Series


@dataclass(frozen=True, eq=False)
class DividedSeries:
    """What is asked of the series, and in which part each of it is."""

    asked: Asked
    division: Division
    """Places in `asked`."""
    folds: FoldMatrix | None
    """Of the part `train`."""
    trained_before: int
    """The place in time of the first value that is not for training."""


def divide_series(series: Series, split: Split) -> DividedSeries:
    """Divide all that can be asked of series.

    Args:
        series: The series.
        split: The section: shares of the steps, or periods.

    Raises:
        TerminalError: There are too few steps; says what to write instead.
    """
    known = series.place[series.is_history]
    first, end, horizon = int(known.min()), int(known.max()) + 1, series.form.horizon
    steps = end - first
    test = _border(series, split.test, "test", end, steps)
    if isinstance(split.validation, Folds):
        validation = test
    else:
        validation = _border(series, split.validation, "validation", test, steps)
    asked = all_known(series)
    origin = series.place[asked.origin]
    target = origin + asked.step

    def from_rolling_origins(begin: int, stop: int) -> np.ndarray:
        is_origin = (origin >= begin - 1) & ((origin - (begin - 1)) % horizon == 0)
        return np.flatnonzero(is_origin & (target < stop))

    division: Division = {"train": np.flatnonzero(target < validation)}
    if split.folds is None:
        begin = _window_begin(series, split.window, validation)
        division["train"] = np.flatnonzero((target >= begin) & (target < validation))
        division["validation"] = from_rolling_origins(validation, test)
    division["test"] = from_rolling_origins(test, end)
    for part, rows in division.items():
        if not len(rows):
            raise TerminalError(
                f"split: {steps} steps are too few: none would be left for {part} (test {split.test}, "
                f"validation {split.validation if split.folds is None else split.folds.in_words}; a forecast needs "
                f"{series.form.history} steps before it)"
            )
    folds = None
    if split.folds is not None:
        train = division["train"]
        folds = _folds(series, origin[train], target[train], split, test)
    return DividedSeries(asked, division, folds, validation)


def _border(series: Series, share: float | str | Folds, name: str, end: int, steps: int) -> int:
    """The place in time where a part begins that ends before `end`.

    Raises:
        TerminalError: It is shorter than the horizon.
    """
    if isinstance(share, str):
        last = series.times[end - 1] - pd.Timedelta(seconds=read_duration(share))
        begin = int(series.times.searchsorted(last, side="right"))
    else:
        begin = end - round(steps * float(share))  # type: ignore[arg-type]
    if end - begin < series.form.horizon:
        raise TerminalError(
            f"split.{name}: {share} of {steps} steps of {series.form.frequency} are {end - begin} steps, and `horizon` is "
            f"{series.form.horizon}: write a larger share, a longer period, or a smaller horizon"
        )
    return begin


def _window_begin(series: Series, window: int, end: int) -> int:
    """The place in time from which on values are learned that end before `end`; 0 without a window."""
    if not window:
        return 0
    last = series.times[end - 1] - pd.Timedelta(seconds=window)
    return int(series.times.searchsorted(last, side="right"))


def _folds(
    series: Series, origin: np.ndarray, target: np.ndarray, split: Split, test: int
) -> FoldMatrix:
    """Each fold forecasts the horizon after its origin, and learns from all that was known there, or was in the window."""
    folds, horizon = split.folds, series.form.horizon
    assert folds is not None  # noqa: S101 - asked only where there are some
    matrix = np.full((folds.folds, len(origin)), LEFT_OUT, dtype=np.int8)
    for number, fold in enumerate(matrix):
        at = test - 1 - horizon * (folds.folds - number)
        fold[(target >= _window_begin(series, split.window, at + 1)) & (target <= at)] = LEARNED
        fold[origin == at] = MEASURED
        if not (fold == LEARNED).any() or not (fold == MEASURED).any():
            raise TerminalError(
                f"split.validation: {folds.in_words} of {horizon} steps each leave nothing to learn from for fold "
                f"{number + 1}: write fewer folds, a smaller horizon, or bring more rows"
            )
    if not split.window:
        return matrix
    return with_window(matrix, target >= _window_begin(series, split.window, test))
