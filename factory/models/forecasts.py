"""Forecasts from the end of each series in a snapshot, as rows."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset

from factory.data.columns import require_columns
from factory.data.rows import Rows, write_pieces
from factory.models.predictor import Predictor
from factory.training.forecasting.form import STEP, LagForm
from factory.training.forecasting.lag_table import Asked, after_the_end, forecast_times
from factory.training.forecasting.rows import asked_rows
from factory.training.forecasting.series import Series, read_recent

logger = logging.getLogger(__name__)


def forecasts(
    rows: pyarrow.dataset.Dataset,
    predictor: Predictor,
    form: LagForm,
    input_version: int,
    *,
    batch_rows: int,
    file: Path,
) -> Rows:
    """The next steps of each series, as one parquet file that appears only when it is whole.

    The columns are those of the series and the time, `step` (from 1), `prediction`, `model_version` and
    `input_version`. A forecast starts after the last row of its series that has a target; rows after it say
    what is known of the future.

    Args:
        rows: The history of the series.
        predictor: The model.
        form: Its form.
        input_version: The version of the snapshot that the rows come from.
        batch_rows: How many rows are predicted at once.
        file: The file to make.

    Raises:
        TerminalError: Series are too short or irregular, or what must be known of the future is missing; says where.
    """
    record = predictor.record
    what = f"forecasts of {record.model} version {record.version}"
    require_columns(form.columns, rows.schema.names, what)
    table = rows.to_table(columns=list(form.columns))
    versions = {"model_version": record.version, "input_version": input_version}

    def pieces() -> Iterator[pa.Table]:
        for piece in forecast(table, predictor, form, batch_rows):
            whole = piece
            for name, version in versions.items():
                column = pa.repeat(pa.scalar(version, pa.int64()), piece.num_rows)
                whole = whole.append_column(name, column)
            yield whole

    predicted = write_pieces(pieces(), what, file)
    logger.info("%s: %s rows", what, f"{predicted.rows:,}")
    return predicted


def forecast(
    table: pa.Table, predictor: Predictor, form: LagForm, batch_rows: int
) -> Iterator[pa.Table]:
    """The next steps of each series, some rows at a time: what each is of, and `prediction`.

    Args:
        table: The history of the series, and what is known of the future.
        predictor: The model.
        form: Its form.
        batch_rows: How many rows are predicted at once.

    Raises:
        TerminalError: See `forecasts`.
    """
    series = read_recent(table, form)
    asked = after_the_end(series)
    for start in range(0, len(asked), batch_rows):
        some = Asked(asked.origin[start:][:batch_rows], asked.step[start:][:batch_rows])
        said = predictor.predict(asked_rows(series, some)).values
        keys = _keys(series, some, table.schema)
        yield keys.append_column("prediction", pa.array(said, pa.float64()))


def _keys(series: Series, asked: Asked, schema: pa.Schema) -> pa.Table:
    """What each forecast is of: the columns of its series, its time and its step, in the types of the input.

    Args:
        series: The series.
        asked: What is forecast.
        schema: That of the input.
    """
    form = series.form
    columns: dict[str, pa.Array] = {}
    for name in form.series:
        texts = pa.array(series.labels[name].to_numpy()[asked.origin], pa.large_string())
        columns[name] = texts.cast(_plain(schema.field(name).type))
    times = pa.array(forecast_times(series, asked).to_numpy()).cast(pa.timestamp("us"))
    kind = schema.field(form.time).type
    if tz := getattr(kind, "tz", None):
        times = times.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", tz))
    columns[form.time] = times.cast(kind)
    columns[STEP] = pa.array(asked.step, pa.int64())
    return pa.table(columns)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
