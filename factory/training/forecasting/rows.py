"""The rows of a forecasting model's parts, and the history that they were made of."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import whole_file, write_json
from factory.data.columns import TEXT, TIME
from factory.training.about_rows import About, read_about
from factory.training.division import Divided, Division, Part, Split
from factory.training.folds import FoldMatrix
from factory.training.forecasting.form import SCALE, SEASONAL_NAIVE, STEP, LagForm
from factory.training.forecasting.lag_table import (
    Asked,
    features,
    forecast_times,
    scales,
    seasonal_naive,
    truth,
)
from factory.training.forecasting.origins import divide_series
from factory.training.forecasting.section import Forecast
from factory.training.forecasting.series import Series, read_all, read_series

SERIES = "series"
"""What is known of each row: what people call its series."""
TIME_OF_ROW = "time"
"""The same: the point in time that is forecast."""
ORIGIN = "origin"
"""The same: the last point in time whose value is known."""


@dataclass(frozen=True, eq=False)
class ForecastRows:
    """Rows of all origins and steps, divided."""

    form: LagForm
    rows: pa.Table
    """The features, and the target as the last column."""
    given: Divided
    about: About
    division: Division
    folds: FoldMatrix | None
    history: int
    """How many values of the target they were made of."""


def forecast_rows(table: pa.Table, forecast: Forecast, target: str, split: Split) -> ForecastRows:
    """Make and divide the rows that a model learns from and is measured on.

    Args:
        table: The model's input.
        forecast: The section.
        target: The column that is forecast.
        split: How the time is divided.

    Raises:
        TerminalError: Series are irregular, or too short; says where, and what to write instead.
    """
    series = read_series(table, forecast, target)
    divided = divide_series(series, split)
    asked = divided.asked
    frame = features(series, asked)
    values = truth(series, asked)
    about = about_rows(series, asked, divided.trained_before)
    # Rows of different times are different ones, however alike their features are.
    keyed = frame.assign(**{" series": about[SERIES], " origin": about[ORIGIN]})
    hashed = _hashes(keyed)
    content = _hashes(keyed.assign(**{" target": values}))
    return ForecastRows(
        form=series.form,
        rows=_table(frame).append_column(target, pa.array(values)),
        given=Divided(values, (about[TIME_OF_ROW],), content, hashed),
        about=about,
        division=divided.division,
        folds=divided.folds,
        history=int(series.is_history.sum()),
    )


def about_rows(series: Series, asked: Asked, trained_before: int) -> About:
    """What is known of rows beside their features.

    Args:
        series: The series.
        asked: The rows.
        trained_before: The place in time of the first value that is not for training.
    """
    return {
        SERIES: series.names[asked.origin],
        TIME_OF_ROW: forecast_times(series, asked).to_numpy(),
        ORIGIN: series.times[series.place[asked.origin]].to_numpy(),
        STEP: asked.step,
        SEASONAL_NAIVE: seasonal_naive(series, asked),
        SCALE: scales(series, trained_before)[asked.origin],
    }


def _hashes(frame: pd.DataFrame) -> NDArray[np.uint64]:
    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def asked_rows(series: Series, asked: Asked) -> pd.DataFrame:
    """The features of what is asked, in the forms that models are trained on.

    Raises:
        TerminalError: A column that is said to be known for the future is not.
    """
    frame: pd.DataFrame = _table(features(series, asked)).to_pandas(split_blocks=True)
    return frame


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.table({name: _column(frame[name]) for name in frame})


def _column(values: pd.Series) -> pa.Array:
    if pd.api.types.is_numeric_dtype(values):
        return pa.array(values.to_numpy(np.float64))
    is_time = pd.api.types.is_datetime64_any_dtype(values)
    return pa.array(values, TIME if is_time else TEXT, from_pandas=True)


def write_history(rows: pa.Table | pyarrow.dataset.Dataset, form: LagForm, workspace: Path) -> None:
    """Keep the rows that series were read from, and their form; all columns, since a champion may know others."""
    folder = _folder(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    batches = rows.to_reader() if isinstance(rows, pa.Table) else rows.scanner().to_reader()
    with (
        whole_file(folder / "history.arrow") as unfinished,
        pa.OSFile(str(unfinished), "wb") as sink,
        pa.ipc.new_file(sink, batches.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    write_json(folder / "form.json", form.as_json())


def read_form(workspace: Path) -> LagForm | None:
    """The form of a run's rows; None where nothing is forecast."""
    file = _folder(workspace) / "form.json"
    return LagForm.from_json(json.loads(file.read_bytes())) if file.exists() else None


def rows_of_form(form: LagForm, workspace: Path, part: Part) -> pd.DataFrame:
    """The rows of a part as another version learned from them: the same series, origins and steps.

    Args:
        form: The version's.
        workspace: The run's scratch folder.
        part: Which rows.

    Raises:
        TerminalError: The series lack a column of the form, or history before an origin.
    """
    with pa.memory_map(str(_folder(workspace) / "history.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    series, about = read_all(table, form), read_about(workspace, part)
    known = pd.MultiIndex.from_arrays([series.names, series.times[series.place]])
    origin = known.get_indexer(pd.MultiIndex.from_arrays([about[SERIES], about[ORIGIN]]))
    if (origin < 0).any() or (origin - series.start[origin] + 1 < form.history).any():
        raise TerminalError(
            f"it forecasts from {form.history} values before an origin, and some test rows have fewer"
        )
    if int(about[STEP].max()) > form.horizon:
        raise TerminalError(
            f"it forecasts {form.horizon} steps, and the test has {about[STEP].max()}"
        )
    return asked_rows(series, Asked(origin, about[STEP]))


def _folder(workspace: Path) -> Path:
    return workspace / "series"
