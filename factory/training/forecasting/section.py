"""`forecast`: what `task: forecasting` forecasts, how far ahead, and what it learns from."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section, Text, also_written
from factory.training.forecasting.form import STEP, LagForm, Statistic, lag_name

_LARGEST = 10_000
_FREQUENCY = re.compile(
    r"[1-9]\d{0,3}?(s|min|h|D|B|MS|ME)|([1-9]\d{0,3})?(W|QS|QE|YS|YE)(-[A-Z]{3})?"
)
_FREQUENCIES = "s, min, h, D, B, W, MS, ME, QS, QE, YS or YE"
_OLD_NAMES = {"S": "s", "T": "min", "H": "h", "d": "D", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE"}


def _check_frequency(value: str) -> str:
    number, name = re.fullmatch(r"(\d*)(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    if _FREQUENCY.fullmatch(value if number else f"1{value}"):
        return value
    newer = _OLD_NAMES.get(name)
    raise PydanticCustomError(
        "frequency",
        "{value} is no frequency: write one of pandas' names, {names}, with a number before it where it is more than one",
        {
            "value": repr(value),
            "names": _FREQUENCIES,
            "advice": f"write `{number}{newer}`" if newer else "such as D, 15min, W-MON or MS",
        },
    )


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_lags(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return list(range(1, value + 1)) if 1 <= value <= _LARGEST else [value]


Lag = Annotated[int, Field(ge=1, le=_LARGEST)]
Columns = Annotated[ListOf[Text], BeforeValidator(_as_list), also_written({"type": "string"})]
Calendar = Literal[
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "dayofweek",
    "dayofyear",
    "hour",
    "minute",
    "is_month_start",
    "is_month_end",
]


class Window(Section):
    """A statistic of the last values before a forecast is made: `{mean: 7}` is the mean of the last 7."""

    mean: Annotated[Lag | None, Field(examples=[7])] = None
    """The mean of so many values."""
    std: Lag | None = None
    """Their standard deviation, divided by their number less one."""
    min: Lag | None = None
    """The lowest of them."""
    max: Lag | None = None
    """The highest of them."""
    median: Lag | None = None
    """Their median."""

    @rule
    def _says_something(self) -> Broken:
        if not self.statistics:
            yield PydanticCustomError(
                "window", "a window is a statistic and a number of values, such as {mean: 7}"
            )
        if self.std == 1:
            yield PydanticCustomError(
                "window",
                "one value has no standard deviation",
                {"advice": "write 2 or more", "at": ("std",)},
            )

    @property
    def statistics(self) -> tuple[tuple[Statistic, int], ...]:
        """Each statistic that is written, and of how many values."""
        names: tuple[Statistic, ...] = ("mean", "std", "min", "max", "median")
        found = ((name, getattr(self, name)) for name in names)
        return tuple((name, size) for name, size in found if size is not None)


class Forecast(Section):
    """What a model of `task: forecasting` forecasts: the next `horizon` values of each series.

    It learns from the target's own past values (`lags`, `windows`), from the `calendar` and from columns that are
    `known` for the future too. Each step of the horizon has an estimator of its own, which learns from what was known
    when the forecast was made, and nothing later.
    """

    time: Text = Field(examples=["date"])
    """The column of points in time: dates or timestamps, in regular steps."""
    series: Columns = Field(default=(), examples=["store", ["store", "product"]])
    """The column, or columns, that tell series apart; all rows are one series when left out."""
    horizon: int = Field(ge=1, le=1000, examples=[14])
    """How many steps ahead are forecast."""
    frequency: Annotated[Text, AfterValidator(_check_frequency)] | None = Field(
        default=None, examples=["D", "15min", "W-MON", "MS"]
    )
    """The time between two steps, by pandas' names; found in the rows when left out."""
    season: Lag | None = None
    """How many steps a season has: what MASE and the baseline of the guard look back by. When left out it follows
    from the frequency: a day of hours or minutes, 7 for D, 5 for B, 52 for W, 12 for MS and ME, 4 for QS and QE, else 1."""
    lags: Annotated[
        ListOf[Lag], BeforeValidator(_as_lags), also_written({"type": "integer", "minimum": 1})
    ] = Field(min_length=1, examples=[[1, 2, 7, 14], 14])
    """Which past values are learned from: 1 is the last one that is known when the forecast is made. A number means
    all from 1 to it."""
    windows: ListOf[Window] = Field(default=(), examples=[[{"mean": 7}]])
    """Statistics of the last values that are known when the forecast is made."""
    calendar: ListOf[Calendar] = Field(default=(), examples=[["dayofweek", "month"]])
    """What is learned from of the point in time that is forecast, as numbers; `dayofweek` is 0 on Mondays."""
    known: ListOf[Text] = Field(default=(), examples=[["holiday"]])
    """Columns that are known for the future too, such as holidays or planned prices. Predictions read them
    from rows of their input that have no target yet."""
    short_series: Literal["fail", "drop"] = "fail"
    """What becomes of series that are too short to learn from, or to be forecast: `drop` leaves them out."""

    @rule
    def _columns_differ(self) -> Broken:
        taken: dict[str, str] = {}
        for place, column in self.places():
            what = str(place[0])
            if column in taken:
                yield PydanticCustomError(
                    "forecast",
                    "{column} is named by `{other}` already",
                    {
                        "column": repr(column),
                        "other": taken[column],
                        "at": place,
                        "advice": "take it away",
                    },
                )
            taken.setdefault(column, what)
            if what != "time" and column in self.made:
                yield PydanticCustomError(
                    "forecast",
                    "{column} is the name of what is made of the series",
                    {
                        "column": repr(column),
                        "at": place,
                        "advice": "rename the column in a transform",
                    },
                )

    @rule
    def _lags_differ(self) -> Broken:
        for name in ("lags", "calendar"):
            twice = [one for one, count in Counter(getattr(self, name)).items() if count > 1]
            if twice:
                yield PydanticCustomError(
                    "forecast",
                    "{value} stands there more than once",
                    {"value": str(twice[0]), "at": (name,), "advice": "take it away"},
                )

    def places(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Where each column is named that the rows must have, and the column."""
        yield ("time",), self.time
        for index, column in enumerate(self.series):
            yield ("series",) if len(self.series) == 1 else ("series", index), column
        for index, column in enumerate(self.known):
            yield ("known", index), column

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows that it reads beside the target."""
        return (*self.series, self.time, *self.known)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell rows apart; predictions keep them."""
        return (*self.series, self.time)

    @property
    def learned(self) -> tuple[str, ...]:
        """The features that the estimator of each step learns from."""
        return (*self.series, *self.made[1:], *self.known)

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns in which monitoring looks for drift."""
        return (*self.series, *self.known)

    @property
    def statistics(self) -> tuple[tuple[Statistic, int], ...]:
        """The statistics of all windows, once each."""
        return tuple(dict.fromkeys(one for window in self.windows for one in window.statistics))

    @property
    def made(self) -> tuple[str, ...]:
        """The names of the features that are made of the series."""
        windows = (f"{name}_{size}" for name, size in self.statistics)
        return (STEP, *map(lag_name, self.lags), *windows, *self.calendar)

    def form(self, target: str, frequency: str, season: int) -> LagForm:
        """All that makes rows of series, once their frequency is known."""
        return LagForm(
            target=target,
            time=self.time,
            series=self.series,
            frequency=frequency,
            season=self.season or season,
            horizon=self.horizon,
            lags=self.lags,
            windows=self.statistics,
            calendar=self.calendar,
            known=self.known,
            short_series=self.short_series,
        )
