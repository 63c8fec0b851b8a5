from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from factory.base.errors import TerminalError
from factory.training.forecasting.lag_table import (
    after_the_end,
    all_known,
    features,
    forecast_times,
    scales,
    seasonal_naive,
    truth,
)
from factory.training.forecasting.section import Forecast
from factory.training.forecasting.series import read_recent, read_series

START = date(2024, 1, 1)


def section(**changes) -> Forecast:
    return Forecast.model_validate({"time": "day", "horizon": 2, "lags": [1, 3], **changes})


def days(values, **columns) -> pa.Table:
    times = [START + timedelta(days=at) for at in range(len(values))]
    return pa.table({"day": times, "y": values, **columns})


def two_series(**changes) -> pa.Table:
    rows = pd.DataFrame(
        {
            "shop": ["a"] * 6 + ["b"] * 6,
            "day": [START + timedelta(days=at) for at in range(6)] * 2,
            "y": [float(value) for value in [*range(6), *range(10, 16)]],
        }
    )
    return pa.Table.from_pandas(rows.assign(**changes), preserve_index=False)


def read(rows, **changes):
    return read_series(rows, section(**changes), "y")


def test_rows_are_what_was_known_at_each_origin():
    series = read(days([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), windows=[{"mean": 2, "max": 3}])
    asked = all_known(series)
    table = features(series, asked)
    assert table.to_dict("list") == {
        "step": [1, 2, 1, 2, 1],
        "lag_1": [4, 4, 8, 8, 16],
        "lag_3": [1, 1, 2, 2, 4],
        "mean_2": [3, 3, 6, 6, 12],
        "max_3": [4, 4, 8, 8, 16],
    }
    assert truth(series, asked).tolist() == [8, 16, 16, 32, 32]


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "median"])
def test_windows_are_those_of_pandas(statistic):
    values = np.random.default_rng(0).normal(size=50)
    series = read(days(values), windows=[{statistic: 5}])
    asked = all_known(series)
    expected = getattr(pd.Series(values).rolling(5), statistic)().to_numpy()[asked.origin]
    found = features(series, asked)[f"{statistic}_5"].to_numpy()
    assert found == pytest.approx(expected, rel=1e-9)


def test_no_window_or_lag_reaches_into_another_series():
    series = read(two_series(), series="shop", windows=[{"mean": 3}])
    table = features(series, all_known(series))
    of_b = table[table["shop"] == "b"]
    assert of_b["lag_3"].min() == 10
    assert of_b["mean_3"].min() == 11
    assert set(table["shop"]) == {"a", "b"}


def test_the_calendar_is_of_the_time_that_is_forecast():
    series = read(
        days([float(at) for at in range(40)]),
        calendar=["dayofweek", "month", "week", "dayofyear", "is_month_start", "day"],
    )
    asked = all_known(series)
    table, times = features(series, asked), forecast_times(series, asked)
    assert table["dayofweek"].tolist() == [time.weekday() for time in times]
    assert table["week"].tolist() == [time.isocalendar().week for time in times]
    assert table["dayofyear"].tolist() == [time.dayofyear for time in times]
    assert table["is_month_start"].tolist() == [float(time.day == 1) for time in times]


def test_the_order_of_rows_does_not_matter():
    rows = two_series()
    mixed = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    one, other = (read(each, series="shop") for each in (rows, mixed))
    assert features(one, all_known(one)).equals(features(other, all_known(other)))


def test_seasonal_naive_is_the_last_known_value_of_the_season():
    series = read(days([float(at) for at in range(10)]), season=3, horizon=5, lags=3)
    asked = after_the_end(series)
    # Values 7, 8 and 9 are the last season: the season goes on as it was.
    assert seasonal_naive(series, asked).tolist() == [7, 8, 9, 7, 8]


def test_seasonal_naive_is_the_last_value_where_there_is_no_season_yet():
    series = read(days([1.0, 2.0, 3.0, 4.0, 5.0]), season=100)
    assert seasonal_naive(series, after_the_end(series)).tolist() == [5, 5]


def test_scales_are_of_the_training_part_of_each_series():
    rows = two_series(y=[0.0, 1.0, 0.0, 1.0, 9.0, 9.0, 5.0, 8.0, 11.0, 14.0, 0.0, 0.0])
    series = read(rows, series="shop", season=1)
    found = scales(series, before=4)
    assert found[:6].tolist() == [1.0] * 6
    assert found[6:].tolist() == [3.0] * 6


def test_a_series_that_never_changes_has_no_scale():
    series = read(days([3.0] * 8))
    assert np.isnan(scales(series, before=8)).all()


@pytest.mark.parametrize(
    ("frequency", "season"),
    [("D", 7), ("B", 5), ("h", 24), ("15min", 96), ("W-MON", 52), ("MS", 12), ("QS", 4), ("YS", 1)],
)
def test_frequency_is_found_and_says_how_long_a_season_is(frequency, season):
    times = pd.date_range("2024-01-01", periods=20, freq=frequency)
    rows = pa.table({"day": times.to_numpy(), "y": [float(at) for at in range(20)]})
    form = read(rows).form
    assert (
        pd.tseries.frequencies.to_offset(form.frequency).name.split("-")[0]
        == frequency[-len(frequency.lstrip("0123456789")) :].split("-")[0]
    )
    assert form.season == season


def test_rows_without_a_target_at_the_end_are_the_future():
    rows = days([*map(float, range(6)), None, None], sale=[0, 0, 1, 0, 0, 0, 1, 1])
    series = read_recent(rows, read(rows, known=["sale"]).form)
    asked = after_the_end(series)
    assert features(series, asked).to_dict("list") == {
        "step": [1, 2],
        "lag_1": [5, 5],
        "lag_3": [3, 3],
        "sale": [1, 1],
    }
    assert [time.date() for time in forecast_times(series, asked)] == [
        START + timedelta(days=6),
        START + timedelta(days=7),
    ]


def test_a_forecast_needs_no_more_than_its_history():
    rows = days([float(at) for at in range(30)], sale=[0] * 30)
    form = read(rows).form
    few, all_of_them = (
        features(series, after_the_end(series))
        for series in (read_recent(rows.slice(27), form), read_recent(rows, form))
    )
    assert few.equals(all_of_them)


WRONG = {
    "there twice": (
        lambda: pa.concat_tables([two_series(), two_series().slice(2, 1)]),
        r"1 rows have a series and a time that another row has too: a at 2024-01-03: keep one row",
    ),
    "without the column of series": (
        lambda: two_series().drop_columns("shop").append_column("x", pa.array(["s"] * 12)),
        r"forecast.series: the rows have no column 'shop'",
    ),
    "a step is missing": (
        lambda: two_series().filter(pa.array([at not in (2, 9) for at in range(12)])),
        r"2 steps of D are missing in 2 series, after a at 2024-01-02; b at 2024-01-03: add rows",
    ),
    "no target in between": (
        lambda: two_series(y=[0.0, None, 2.0, 3.0, 4.0, None, *range(10, 16)]),
        r"1 rows before the end of their series have no 'y': a at 2024-01-02: fill them",
    ),
    "too short": (
        lambda: two_series().slice(0, 8),
        r"1 of 2 series have fewer values than the 5 to be learned from \(3 .* and 2 .*\): b \(2\): ",
    ),
    "no times": (
        lambda: two_series(day=[None, *[START + timedelta(days=at) for at in range(1, 12)]]),
        r"forecast.time: 1 rows have no 'day'",
    ),
    "times as texts": (
        lambda: two_series(day=["2024-01-01"] * 12),
        r"forecast.time: 'day' is of type .*: cast it to a date",
    ),
    "target as texts": (lambda: two_series(y=["a"] * 12), r"target: 'y' is of type"),
    "infinite": (lambda: two_series(y=[float("inf")] * 12), r"holds 12 infinite values"),
    "series without a name": (
        lambda: two_series(shop=[None] * 6 + ["b"] * 6),
        r"forecast.series: 6 rows have no 'shop'",
    ),
    "nothing": (lambda: two_series().slice(0, 0), r"cannot be told from 0 rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_series_is_told_with_its_first_places(name):
    rows, message = WRONG[name]
    with pytest.raises(TerminalError, match=message):
        read(rows(), series="shop")


def test_another_frequency_than_that_of_the_rows_is_told():
    with pytest.raises(TerminalError, match=r"forecast.frequency: 1 of 6 rows have a 'day' .*B"):
        read(days([float(at) for at in range(6)]), frequency="B")


@pytest.mark.parametrize(("frequency", "steps"), [("min", "5,258,963,520"), ("D", "3,652,058")])
def test_series_that_lie_too_far_apart_are_told_before_they_fill_the_memory(frequency, steps):
    form = read(two_series(), series="shop", frequency="D").form
    times = pa.array([datetime(1, 1, 1), datetime(9999, 12, 31)], pa.timestamp("us"))  # noqa: DTZ001
    rows = pa.table({"shop": ["a", "b"], "day": times, "y": [1.0, 2.0]})
    wide = form.model_copy(update={"frequency": frequency, "lags": (1,)})
    with pytest.raises(TerminalError, match=f"there are {steps} steps of {frequency}, for 2 rows"):
        read_recent(rows, wide)


def test_short_series_are_left_out_if_somebody_says_so(caplog):
    series = read(two_series().slice(0, 8), series="shop", short_series="drop")
    assert set(series.labels["shop"]) == {"a"}
    assert "1 of 2 series have fewer values" in caplog.text


def test_nothing_is_left_where_all_series_are_too_short():
    with pytest.raises(TerminalError, match="2 of 2 series have fewer values than the 102"):
        read(two_series(), series="shop", short_series="drop", lags=[100])


def test_what_is_not_known_of_the_future_is_told():
    rows = two_series(sale=0)
    form = read(rows, series="shop", known=["sale"]).form
    series = read_recent(rows, form)
    with pytest.raises(
        TerminalError,
        match=r"sale must be known for the 2 steps .* 4 rows are missing: a at 2024-01-07",
    ):
        features(series, after_the_end(series))


def test_series_may_be_told_apart_by_numbers_and_by_several_columns():
    rows = two_series(shop=[1] * 6 + [2] * 6, product=["x"] * 12)
    series = read(rows, series=["shop", "product"])
    assert set(series.names) == {"1 / x", "2 / x"}
