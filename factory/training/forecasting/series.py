"""Rows of series in their order, checked: what a form makes features of."""

import logging
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import Tick

from factory.base.errors import TerminalError
from factory.data.columns import TEXT, is_numeric, learnable, require_columns
from factory.training.forecasting.form import LagForm
from factory.training.forecasting.section import Forecast

logger = logging.getLogger(__name__)

_FIRST = 3
"""Places that a message names."""
_SEASONS = {"D": 7, "B": 5, "W": 52, "MS": 12, "ME": 12, "QS": 4, "QE": 4}
_DAY = pd.Timedelta(days=1)
_MOST_STEPS = 1_000_000
_MOST_STEPS_A_ROW = 100


@dataclass(frozen=True, eq=False)
class Series:
    """All series one after the other, each in the order of time; one value a row in each array."""

    form: LagForm
    labels: pd.DataFrame
    """The columns that tell series apart, as texts."""
    target: NDArray[np.float64]
    """NaN in rows of the future."""
    known: pd.DataFrame
    """The columns that are known for the future too."""
    code: NDArray[np.int64]
    """The number of the row's series."""
    place: NDArray[np.int64]
    """Where the row's time is in `times`."""
    times: pd.DatetimeIndex
    """All points in time of all series, and those of the horizon after the last one, in regular steps."""
    start: NDArray[np.int64] = field(init=False)
    """The first row of the row's series."""
    end: NDArray[np.int64] = field(init=False)
    """The row after the last one of the row's series whose target is known."""
    stop: NDArray[np.int64] = field(init=False)
    """The row after the last one of the row's series."""

    def __post_init__(self) -> None:
        """Find where each series begins and ends."""
        starts = np.flatnonzero(np.diff(self.code, prepend=-1))
        stops = np.append(starts[1:], len(self.code))
        counted = (~np.isnan(self.target)).astype(np.int64)
        known = np.add.reduceat(counted, starts) if len(starts) else starts
        sizes = stops - starts
        for name, values in (("start", starts), ("end", starts + known), ("stop", stops)):
            object.__setattr__(self, name, np.repeat(values, sizes))

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.code)

    @property
    def is_history(self) -> NDArray[np.bool_]:
        """Whether the row's target is known."""
        return ~np.isnan(self.target)

    @property
    def names(self) -> NDArray[np.object_]:
        """What people call the series of each row."""
        return _names(self.labels)


def read_series(rows: pa.Table, forecast: Forecast, target: str) -> Series:
    """The series that a model is to learn from.

    Args:
        rows: The model's input; rows without a target after the end of a series are its future.
        forecast: The section.
        target: The column that is forecast.

    Raises:
        TerminalError: Times are irregular, missing or there twice, or series are too short; says where.
    """
    table = _Table.read(rows, forecast, target, forecast.short_series)
    table = table.with_history()
    frequency = forecast.frequency or _frequency_of(table)
    form = forecast.form(target, frequency, _season_of(frequency))
    return table.long_enough(form.history + form.horizon, "learned from", form).series(form)


def read_recent(rows: pa.Table, form: LagForm) -> Series:
    """The last values of series, as many as a form needs for a forecast, and their future.

    Args:
        rows: Rows with the columns of the form.
        form: A version's.

    Raises:
        TerminalError: As `read_series`.
    """
    table = _Table.read(rows, form, form.target, form.short_series)
    table = table.long_enough(form.history, "forecast", form)
    return table.last(form.history).series(form)


def read_all(rows: pa.Table, form: LagForm) -> Series:
    """All series by the form of a version, however short they are.

    Raises:
        TerminalError: As `read_series`.
    """
    return _Table.read(rows, form, form.target, "drop").with_history().series(form)


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows in the order of series and time; those of the future only where something is known of it."""

    labels: pd.DataFrame
    time: pd.Series
    target: NDArray[np.float64]
    known: pd.DataFrame
    code: NDArray[np.int64]
    time_column: str
    short_series: str

    @classmethod
    def read(
        cls, rows: pa.Table, columns: Forecast | LagForm, target: str, short_series: str
    ) -> "_Table":
        require_columns([target], rows.column_names, "target")
        for name in ("series", "known"):
            require_columns(getattr(columns, name), rows.column_names, f"forecast.{name}")
        require_columns([columns.time], rows.column_names, "forecast.time")
        labels = pd.DataFrame(
            {name: _texts(rows.column(name), name) for name in columns.series},
            index=range(rows.num_rows),
        )
        time = _points_in_time(rows, columns.time)
        values = _numbers(rows.column(target), target)
        known = (
            learnable(rows, columns.known).to_pandas()
            if columns.known
            else pd.DataFrame(index=range(rows.num_rows))
        )
        code = _codes(labels)
        order = np.lexsort((time.to_numpy(), code))
        found = cls(
            labels.iloc[order].reset_index(drop=True),
            time.iloc[order].reset_index(drop=True),
            values[order],
            known.iloc[order].reset_index(drop=True),
            code[order],
            columns.time,
            short_series,
        )
        found._check_duplicates()
        found._check_gaps_of_target(target)
        return found if columns.known else found._take(~np.isnan(found.target))

    def _take(self, which: NDArray[np.bool_]) -> "_Table":
        return _Table(
            self.labels[which].reset_index(drop=True),
            self.time[which].reset_index(drop=True),
            self.target[which],
            self.known[which].reset_index(drop=True),
            self.code[which],
            self.time_column,
            self.short_series,
        )

    def with_history(self) -> "_Table":
        """Without what is known of the future."""
        return self._take(~np.isnan(self.target))

    def _check_duplicates(self) -> None:
        same = (np.diff(self.code) == 0) & (np.diff(self.time.to_numpy()) == np.timedelta64(0))
        places = np.flatnonzero(same) + 1
        if len(places):
            raise TerminalError(
                f"forecast: {len(places)} rows have a series and a time that another row has too: "
                f"{self._named(places)}: keep one row of each in a transform, or name the columns that tell series "
                "apart under `series`"
            )

    def _check_gaps_of_target(self, target: str) -> None:
        is_known = ~np.isnan(self.target)
        # The number of known values from here to the end of the series.
        last = (
            pd.Series(np.where(is_known, np.arange(len(is_known)), -1))
            .groupby(self.code)
            .transform("max")
        )
        places = np.flatnonzero(~is_known & (np.arange(len(is_known)) < last.to_numpy()))
        if len(places):
            raise TerminalError(
                f"target: {len(places)} rows before the end of their series have no {target!r}: {self._named(places)}: "
                f"fill them in a transform, such as `coalesce({target}, 0)` where nothing is zero"
            )

    def _named(self, places: NDArray[np.int64]) -> str:
        """The first of some rows, in words."""
        first = places[:_FIRST]
        names = _names(self.labels.iloc[first])
        said = [
            " at ".join(filter(None, (name, _as_text(self.time.iloc[place]))))
            for name, place in zip(names, first, strict=True)
        ]
        return "; ".join(said) + (" …" if len(places) > _FIRST else "")

    def long_enough(self, least: int, what: str, form: LagForm) -> "_Table":
        """Without series of which fewer values are known.

        Raises:
            TerminalError: There are such series and nobody has said to leave them out, or all are.
        """
        count = pd.Series(~np.isnan(self.target)).groupby(self.code).transform("sum").to_numpy()
        is_short = count < least
        if not is_short.any() and len(self.code):
            return self
        codes, first = np.unique(self.code[is_short], return_index=True)
        places = np.flatnonzero(is_short)[first][:_FIRST]
        names = _names(self.labels.iloc[places])
        named = ", ".join(
            f"{name or 'the series'} ({int(count[place])})"
            for name, place in zip(names, places, strict=True)
        ) + (", …" if len(codes) > _FIRST else "")
        needs = f"{form.history} for the largest lag or window"
        if what == "learned from":
            needs += f" and {form.horizon} for the horizon"
        said = (
            f"{len(codes)} of {len(np.unique(self.code))} series have fewer values than the {least} to be {what} ({needs}): {named}"
            if len(self.code)
            else "there are no rows with a target"
        )
        if self.short_series == "fail" or is_short.all():
            raise TerminalError(
                f"forecast: {said}: bring more rows, write smaller `lags`, or leave such series out with `short_series: drop`"
            )
        logger.warning("Left out: %s", said)
        return self._take(~is_short)

    def last(self, count: int) -> "_Table":
        """The last so many values of each series, and all that is known of its future."""
        is_known = ~np.isnan(self.target)
        after = pd.Series(is_known[::-1]).groupby(self.code[::-1]).cumsum().to_numpy()[::-1]
        return self._take(~is_known | (after <= count))

    def series(self, form: LagForm) -> Series:
        """The series, once their times are known to be regular.

        Raises:
            TerminalError: They are not.
        """
        begin, end = self.time.min(), self.time.max()
        self._check_span(end - begin, form)
        times = pd.date_range(begin, end, freq=form.frequency)
        if not len(times):
            raise self._off_grid(np.arange(len(self.time)), form)
        times = pd.date_range(times[0], periods=len(times) + form.horizon, freq=form.frequency)
        place = times.get_indexer(pd.DatetimeIndex(self.time))
        if (place < 0).any():
            raise self._off_grid(np.flatnonzero(place < 0), form)
        missing = np.where(np.diff(self.code) == 0, np.diff(place) - 1, 0)
        if missing.any():
            places = np.flatnonzero(missing)
            raise TerminalError(
                f"forecast: {int(missing.sum())} steps of {form.frequency} are missing in {len(np.unique(self.code[places]))} series, "
                f"after {self._named(places)}: add rows for them in a transform (with 0 where nothing is zero), or write another "
                "`frequency`"
            )
        code = np.unique(self.code, return_inverse=True)[1]
        return Series(form, self.labels, self.target, self.known, code, place, times)

    def _check_span(self, span: pd.Timedelta, form: LagForm) -> None:
        """Check that there are not far more steps than rows: all of them are held in memory."""
        try:
            step = pd.Timedelta(cast("Tick", to_offset(form.frequency)))
        except ValueError:  # One of the calendar's, such as a month.
            step = _DAY
        steps = span // step
        if steps > max(_MOST_STEPS, _MOST_STEPS_A_ROW * len(self.time)):
            first, last = (_as_text(time) for time in (self.time.min(), self.time.max()))
            raise TerminalError(
                f"forecast.time: from {first} to {last} there are {steps:,} steps of {form.frequency}, for {len(self.time):,} rows: "
                "correct these times, or bring the series of one period alone"
            )

    def _off_grid(self, places: NDArray[np.int64], form: LagForm) -> TerminalError:
        return TerminalError(
            f"forecast.frequency: {len(places)} of {len(self.time)} rows have a {self.time_column!r} that is no step of "
            f"{form.frequency} from {_as_text(self.time.min())} on: {self._named(places)}: write the `frequency` that they have, "
            "or truncate them in a transform, such as `date_trunc('day', …)`"
        )


def _texts(column: pa.ChunkedArray, name: str) -> pd.Series:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    unknown = column.null_count
    if unknown:
        raise TerminalError(
            f"forecast.series: {unknown} rows have no {name!r}, so they belong to no series: take them out in a transform"
        )
    try:
        texts: pd.Series = column.cast(TEXT).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise TerminalError(
            f"forecast.series: {name!r} is of type {column.type}, which names no series: use texts, whole numbers or dates"
        ) from None
    return texts


def _points_in_time(rows: pa.Table, name: str) -> pd.Series:
    kind = rows.column(name).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise TerminalError(
            f"forecast.time: {name!r} is of type {kind}: cast it to a date or a timestamp in a transform, such as `cast({name} as date)`"
        )
    time: pd.Series = learnable(rows, [name]).column(name).to_pandas()
    unknown = int(time.isna().sum())
    if unknown:
        raise TerminalError(
            f"forecast.time: {unknown} rows have no {name!r}: take them out in a transform"
        )
    return time


def _numbers(column: pa.ChunkedArray, target: str) -> NDArray[np.float64]:
    if not (is_numeric(column.type) or pa.types.is_null(column.type)):
        raise TerminalError(
            f"target: {target!r} is of type {column.type}, and a forecast is of numbers: cast it in a transform"
        )
    numbers = column.cast(pa.float64(), safe=False)
    infinite = pc.sum(pc.is_inf(numbers)).as_py() or 0
    if infinite:
        raise TerminalError(
            f"target: {target!r} holds {infinite} infinite values: replace them in a transform"
        )
    found: NDArray[np.float64] = pc.fill_null(numbers, float("nan")).to_numpy()
    return found


def _codes(labels: pd.DataFrame) -> NDArray[np.int64]:
    """The number of each row's series, in the order of their names."""
    if not len(labels.columns):
        return np.zeros(len(labels), dtype=np.int64)
    numbers = labels.groupby(list(labels.columns), sort=True).ngroup()
    return np.asarray(numbers, dtype=np.int64)


def _names(labels: pd.DataFrame) -> NDArray[np.object_]:
    if not len(labels.columns):
        return np.full(len(labels), "", dtype=object)
    columns = [labels[name].astype(object) for name in labels]
    joined = columns[0]
    for column in columns[1:]:
        joined = joined + " / " + column
    return joined.to_numpy(dtype=object)


def _as_text(time: pd.Timestamp) -> str:
    return time.isoformat(sep=" ").removesuffix(" 00:00:00")


def _frequency_of(table: _Table) -> str:
    """The frequency of the longest series; of irregular ones that of most of its steps.

    Raises:
        TerminalError: It cannot be told.
    """
    longest = int(np.argmax(np.bincount(table.code))) if len(table.code) else 0
    times = pd.DatetimeIndex(table.time[table.code == longest])
    found = pd.infer_freq(times) if len(times) >= 3 else None  # pandas needs three
    if found is None and len(times) > 1:
        found = pd.infer_freq(pd.date_range(times[0], periods=3, freq=_usual_step(times)))
    if found is None:
        raise TerminalError(
            f"forecast.frequency: it cannot be told from {len(times)} rows: write it, such as `frequency: D`"
        )
    logger.info("The frequency is %s", found)
    return str(found)


def _usual_step(times: pd.DatetimeIndex) -> pd.Timedelta:
    steps, counts = np.unique(np.diff(times.to_numpy()), return_counts=True)
    return pd.Timedelta(steps[np.argmax(counts)])


def _season_of(frequency: str) -> int:
    """How many steps a season usually has; 1 where there is none that is usual."""
    offset = pd.tseries.frequencies.to_offset(frequency)
    name = offset.name.partition("-")[0]
    if offset.n == 1 and name in _SEASONS:
        return _SEASONS[name]
    try:
        step = pd.Timedelta(offset)  # type: ignore[arg-type] # one of days or less
    except (ValueError, TypeError):
        return 1
    return int(_DAY / step) if step < _DAY and _DAY % step == pd.Timedelta(0) else 1
