"""Batch prediction: rows of a snapshot through a registered model, a batch at a time."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

from factory.base.errors import TerminalError
from factory.data.columns import TEXT, TIME, learnable, require_columns
from factory.data.images.frames import as_frame, with_bytes
from factory.data.images.store import ImageStore
from factory.data.rows import Rows, write_pieces
from factory.data.sql import SqlError
from factory.data.transforms.sql import SqlTransform
from factory.data.transforms.transform import Transform
from factory.lake import engine
from factory.lake.engine import quote
from factory.lake.table import Lake
from factory.models.added_columns import (
    AddedColumns,
    explanation_of,
    interval_of,
    probabilities_of,
)
from factory.models.forecasts import forecasts
from factory.models.predict import OnRequest
from factory.models.predictor import Predictor
from factory.trainers.trainer import Predictions
from factory.training.learning_task import TaskName
from factory.training.rows import model_rows
from factory.training.tasks import TASKS

logger = logging.getLogger(__name__)

# What a model's record calls a column, and the form that `learnable` gives such a column; of an image,
# rows have the address.
_FORMS = {"string": TEXT, "datetime": TIME, "binary": TEXT}
_CLASSES = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "long": pa.int64(),
    "string": pa.string(),
}


def prediction_rows(
    datasets: Sequence[str],
    transforms: Sequence[Transform],
    *,
    absent: Mapping[str, str],
    workspace: Path,
    lake: Lake,
    versions: Mapping[str, int],
) -> pyarrow.dataset.Dataset:
    """The first dataset's rows after the transforms, read when they are asked for.

    Transforms that were written for training may name the target, which new rows need not have.
    Where they do, they run again, and it is there without any value.

    Args:
        datasets: Full names; the first is `source` in the transforms.
        transforms: SQL transforms have their text in `query`.
        absent: DuckDB type of each column that the rows may lack though transforms name it.
        workspace: The run's scratch folder.
        lake: Where the snapshots lie.
        versions: The version to read, of every dataset.

    Raises:
        TerminalError: A transform fails, or leaves nothing because the target has no value.
    """
    after = partial(model_rows, datasets, workspace=workspace, lake=lake, versions=versions)
    try:
        return after(transforms)
    except (SqlError, KeyError) as error:
        missing = {name: kind for name, kind in absent.items() if _asks_for(error, name)}
        if not missing:
            raise
    nothing = ", ".join(
        f"cast(null as {kind}) as {quote(name)}" for name, kind in sorted(missing.items())
    )
    logger.info("The transforms ask for %s, which %s lacks", ", ".join(missing), datasets[0])
    added = SqlTransform(type="sql", query=f"select *, {nothing} from source")  # noqa: S608
    rows = after((added, *transforms))
    if rows.count_rows() == 0 and lake.scan(datasets[0], versions[datasets[0]]).count_rows():
        raise TerminalError(
            f"the model's transforms leave none of the rows of {datasets[0]}, where "
            f"{', '.join(missing)} has no value: give `predict` its own `transforms`, without that"
        )
    return rows


def _asks_for(error: SqlError | KeyError, column: str) -> bool:
    if isinstance(error, KeyError):
        return error.args == (column,)
    # What follows is the query itself.
    return f'"{column}"' in str(error).partition("\n\nThe query:")[0]


@dataclass(frozen=True)
class PredictionForm:
    """What the rows of a prediction dataset hold."""

    task: TaskName
    keep: Sequence[str]
    """Columns of the input that stay as they are."""
    input_version: int
    """The version of the snapshot that the rows come from."""
    on_request: OnRequest = field(default_factory=OnRequest.unwritten)
    """What they hold beside what all predictions do."""


def predict(
    rows: pyarrow.dataset.Dataset,
    predictor: Predictor,
    form: PredictionForm,
    *,
    batch_rows: int,
    file: Path,
    images: Lake | ImageStore | None = None,
) -> Rows:
    """What a model says about rows, as one parquet file that appears only when it is whole.

    Of a model that forecasts, the rows are its history, and what is known of the future: see `forecasts`. Of others the
    columns are those to keep, `prediction` (or `prediction_…` of each of several targets), what else the task has (such as
    `probability`, of the predicted class; null where the estimator gives none), those that the form asks for, `model_version` and `input_version`.

    Args:
        rows: The rows, as the model was trained on them; only columns in use are read.
        predictor: The model.
        form: What the predictions hold beside what the model says.
        batch_rows: How many rows are in memory at once; fewer where images are large.
        file: The file to make.
        images: Where the images lie, for a model that learned from them.

    Raises:
        TerminalError: A column is missing or of another form than the model learned from, the model refuses
            the rows, or cannot give what the form asks for.
    """
    record = predictor.record
    if record.forecast is not None:
        return forecasts(
            rows, predictor, record.forecast, form.input_version, batch_rows=batch_rows, file=file
        )
    what = f"predictions of {record.model} version {record.version}"
    names = rows.schema.names
    require_columns(predictor.features, names, f"{what}: features")
    require_columns(form.keep, names, f"{what}: keep")

    added = _added(rows, predictor, form)
    columns = list(dict.fromkeys([*form.keep, *predictor.features]))

    def pieces() -> Iterator[pa.Table]:
        # No rows have predictions too, with columns; an estimator refuses to be asked.
        yield of_no_rows(rows.schema, predictor, form, added)
        for batch in batches(rows, columns, batch_rows):
            yield from said_of(batch, predictor, form, images, added)

    predicted = write_pieces(pieces(), what, file)
    logger.info("%s: %s rows", what, f"{predicted.rows:,}")
    return predicted


def of_no_rows(
    schema: pa.Schema,
    predictor: Predictor,
    form: PredictionForm,
    added: Sequence[AddedColumns] = (),
) -> pa.Table:
    """The columns of predictions, without rows; nobody is asked.

    Args:
        schema: Of the input.
        predictor: The model.
        form: What the predictions hold.
        added: What makes the columns that the form asks for.
    """
    said = Predictions(np.empty(0, object))
    return _piece(schema.empty_table(), said, predictor, form, added)


def said_of(
    batch: pa.Table,
    predictor: Predictor,
    form: PredictionForm,
    images: Lake | ImageStore | None = None,
    added: Sequence[AddedColumns] = (),
) -> Iterator[pa.Table]:
    """What a model says about some rows, in their order.

    Args:
        batch: Rows as the lake has them.
        predictor: The model.
        form: What the predictions hold.
        images: Where the images lie, for a model that learned from them.
        added: What makes the columns that the form asks for.

    Raises:
        TerminalError: The model refuses the rows.
    """
    for part, features in as_learned(batch, predictor, images):
        yield _piece(part, predictor.predict(features), predictor, form, added, features)


def batches(rows: pyarrow.dataset.Dataset, columns: list[str], size: int) -> Iterator[pa.Table]:
    """Tables of `size` rows, the last one of what is left; files may hold fewer or more each."""
    scanner = rows.scanner(columns=columns, batch_size=size, **engine.no_read_ahead())
    held: list[pa.RecordBatch] = []
    for batch in scanner.to_batches():
        left = batch
        while left.num_rows:
            room = size - sum(one.num_rows for one in held)
            held.append(left.slice(0, room))
            left = left.slice(min(room, left.num_rows))
            if sum(one.num_rows for one in held) == size:
                yield pa.Table.from_batches(held)
                held = []
    if held:
        yield pa.Table.from_batches(held)


def as_learned(
    batch: pa.Table, predictor: Predictor, images: Lake | ImageStore | None
) -> Iterator[tuple[pa.Table, pd.DataFrame]]:
    """Rows with their features in the forms that a model learned from; images some at a time.

    Args:
        batch: Rows as the lake has them.
        predictor: The model.
        images: Where the images lie, for a model that learned from them.

    Raises:
        TerminalError: A feature is missing, or an image cannot be read.
    """
    image = predictor.record.image_column
    if image is None:
        yield batch, as_frame(_features(batch, predictor))
        return
    if images is None:
        raise TerminalError(f"the images in {image!r} lie in a lake: hand in `images`")
    done = 0
    for some in with_bytes(_features(batch, predictor), image, images):
        yield batch.slice(done, some.num_rows), as_frame(pa.Table.from_batches([some]))
        done += some.num_rows


def _features(batch: pa.Table, predictor: Predictor) -> pa.Table:
    learned = learnable(batch, predictor.features)
    for place, column in enumerate(predictor.record.inputs):
        form = _FORMS.get(column.type, pa.float64())
        found = learned.column(column.name)
        if found.type != form and pc.count(found, mode="only_valid").as_py() == 0:
            # Nothing tells what a column without any value holds; it may be read as texts.
            learned = learned.set_column(place, column.name, _without_values(form, len(found)))
    return learned


def _without_values(form: pa.DataType, rows: int) -> pa.Array:
    nothing = pa.nulls(rows, form)
    return pc.fill_null(nothing, float("nan")) if pa.types.is_floating(form) else nothing


def _piece(
    batch: pa.Table,
    said: Predictions,
    predictor: Predictor,
    form: PredictionForm,
    added: Sequence[AddedColumns],
    features: pd.DataFrame | None = None,
) -> pa.Table:
    rows = batch.num_rows
    columns = {name: batch.column(name) for name in form.keep}
    for name, kind in TASKS[form.task].columns_of(predictor.record.targets).items():
        if name == "prediction":
            columns[name] = pa.array(said.values, _prediction_type(predictor))
            continue
        values, without = said.column(name), pa.bool_() if kind == "BOOLEAN" else pa.float64()
        columns[name] = pa.nulls(rows, without) if values is None else pa.array(values)
    for one in added:
        columns |= one(said, features)
    columns["model_version"] = pa.repeat(pa.scalar(predictor.record.version, pa.int64()), rows)
    columns["input_version"] = pa.repeat(pa.scalar(form.input_version, pa.int64()), rows)
    return pa.table(columns)


def _prediction_type(predictor: Predictor) -> pa.DataType:
    outputs = predictor.record.outputs
    return _CLASSES.get(outputs[0] if outputs else "", pa.float64())


def _added(
    rows: pyarrow.dataset.Dataset, predictor: Predictor, form: PredictionForm
) -> list[AddedColumns]:
    """What the form asks for beside what every prediction has."""
    added: list[AddedColumns] = []
    asked = form.on_request
    if asked.probabilities != "highest":
        added.append(probabilities_of(predictor, asked.probabilities, form.keep))
    if asked.interval is not None:
        added.append(interval_of(predictor.record, asked.interval))
    if asked.explain is not None:
        others = _spread(rows, predictor, asked.explain.samples)
        added.append(explanation_of(predictor, asked.explain, others, rows.count_rows()))
    return added


def _spread(rows: pyarrow.dataset.Dataset, predictor: Predictor, count: int) -> pd.DataFrame:
    """The features of some of the rows, from the first to the last in equal steps."""
    total = rows.count_rows()
    places = np.unique(np.linspace(0, max(0, total - 1), min(count, total)).astype(int))
    taken = rows.take(places, columns=list(predictor.features), **engine.no_read_ahead())
    [(_, features)] = as_learned(taken, predictor, None)
    return features[list(predictor.features)]
