"""Divide rows into train, validation and test, once for all trials of a run, and store the parts."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.base.values import Result
from factory.data.columns import TEXT, is_numeric, learnable, require_columns
from factory.data.images.frames import BYTES, as_frame, bytes_schema, with_bytes
from factory.data.images.store import ImageStore
from factory.lake.table import Lake
from factory.training.model import Model, Split

logger = logging.getLogger(__name__)

Part = Literal["train", "validation", "test"]
"""One of the three into which rows are divided; a file in the workspace."""
PARTS: tuple[Part, ...] = ("train", "validation", "test")

Indices = NDArray[np.int64]
Division = dict[Part, Indices]
Values = NDArray[Any]


class DividedRows(Result):
    """What was divided and how; the rows themselves lie in the workspace."""

    target: str
    features: tuple[str, ...]
    columns: dict[str, str]
    """Each feature's form: `double`, `large_string`, `timestamp[us]`, and `large_binary` for images."""
    method: Literal["random", "stratified", "time", "group"]
    seed: int
    rows: dict[Part, int]
    dropped: int
    """Rows without a target, which are in no part."""
    classes: dict[Part, dict[str, int]]
    """Rows of each class; empty for a regression."""


def split(
    rows: pa.Table | pyarrow.dataset.Dataset,
    model: Model,
    workspace: Path,
    *,
    images: Lake | ImageStore | None = None,
) -> DividedRows:
    """Divide rows and store each part in the workspace, where trials map it into memory.

    The division depends on the rows' contents, the seed and the method, not on the order in which
    rows arrive: a snapshot is divided the same way however its files or a query order it.

    Args:
        rows: The model's input, transforms applied. Only columns in use are read.
        model: The model's section of the team file.
        workspace: The run's scratch folder.
        images: Where the images lie, for a model that learns from them.

    Raises:
        TerminalError: A column is missing or of no use, an image is not there, or there are too few
            rows to divide.
    """
    names = rows.schema.names
    target, column = model.target, model.split.column
    require_columns([target], names, "target")
    require_columns(model.features or (), names, "features")
    require_columns([column] if column else (), names, "split.column")
    if model.image_column is None:
        others = tuple(name for name in names if name not in (target, column))
        features = model.features or others
    elif images is None:
        raise TerminalError(f"the images in {model.image_column!r} lie in a lake: hand in `images`")
    else:
        features = (model.image_column,)
    require_columns(features, names, "features")
    if not features:
        raise TerminalError(f"features: the rows hold nothing but {', '.join(names)}: add columns")
    wanted = list(dict.fromkeys([*features, target, *([column] if column else [])]))
    table = rows.select(wanted) if isinstance(rows, pa.Table) else rows.to_table(columns=wanted)

    known, dropped = _with_target(table, model)
    prepared = learnable(known, features).append_column(target, known.column(target))
    values = _split_values(known, column)
    order = _content_order(prepared, values)
    prepared = prepared.take(order)
    division = _divide(model, prepared, None if values is None else values[order])
    return _store(prepared, division, model, features, dropped, workspace, images)


def _with_target(rows: pa.Table, model: Model) -> tuple[pa.Table, int]:
    """The rows whose target is known, and how many others there are; NaN counts as unknown.

    The target has the form that the task's trainers take.

    Raises:
        TerminalError: The target has no value at all, or does not fit the task.
    """
    column = rows.column(model.target)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    known = pc.is_valid(column)
    if pa.types.is_floating(column.type):
        known = pc.and_(known, pc.invert(pc.fill_null(pc.is_nan(column), fill_value=True)))
    place = rows.column_names.index(model.target)
    kept = rows.set_column(place, model.target, column).filter(known)
    dropped = rows.num_rows - kept.num_rows
    if dropped:
        logger.warning(
            "%d of %d rows have no %r and are left out", dropped, rows.num_rows, model.target
        )
    if kept.num_rows == 0:
        raise TerminalError(
            f"target: none of the {rows.num_rows} rows has a value in {model.target!r}"
        )
    target = model.learning_task.prepare_target(model.target, kept.column(model.target))
    return kept.set_column(place, model.target, target), dropped


def _content_order(prepared: pa.Table, values: Values | None) -> Indices:
    """Row numbers sorted by a hash of each row; rows with equal hashes are interchangeable."""
    frame = prepared.to_pandas(split_blocks=True)
    if values is not None:
        # By place, not by name: the split's column may be a feature too.
        frame.insert(0, "split", values, allow_duplicates=True)
    return np.argsort(pd.util.hash_pandas_object(frame, index=False).to_numpy(), kind="stable")


def _split_values(known: pa.Table, column: str | None) -> Values | None:
    if column is None:
        return None
    values = known.column(column)
    unknown = pc.sum(pc.is_null(values, nan_is_null=True)).as_py()
    if unknown:
        raise TerminalError(
            f"split.column: {unknown} rows have no {column!r}, so they belong nowhere: "
            f"take them out in a transform (`where {column} is not null`)"
        )
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if is_numeric(kind):
        form = pa.float64()
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        form = pa.timestamp("us", tz=getattr(kind, "tz", None))
    else:
        form = TEXT
    found: Values = values.cast(form, safe=False).to_numpy()
    return found


def _divide(model: Model, prepared: pa.Table, values: Values | None) -> Division:
    rows, config = prepared.num_rows, model.split
    shuffled = np.random.default_rng(config.seed)
    if model.split_method == "time":
        division = _cut(_by_time(values), config)
    elif model.split_method == "group":
        division = _group(values, config, shuffled)
    elif model.split_method == "stratified":
        division = _stratified(prepared.column(model.target), config, shuffled)
    else:
        division = _cut(shuffled.permutation(rows), config)
    for part in PARTS:
        if len(division[part]) == 0:
            raise TerminalError(
                f"split: {rows} rows are too few: none would be left for {part} "
                f"(test {config.test}, validation {config.validation})"
            )
    return division


def _cut(order: Indices, config: Split) -> Division:
    """The last rows of an order are test, those before them validation, the first train."""
    rows = len(order)
    test = round(rows * config.test)
    train = rows - test - round(rows * config.validation)
    return {
        "train": order[:train],
        "validation": order[train : rows - test],
        "test": order[rows - test :],
    }


def _by_time(values: Values | None) -> Indices:
    if values is None or values.dtype == object:
        raise TerminalError(
            "split.column: `method: time` needs a column of dates, timestamps or numbers: "
            "cast it in a transform, such as `cast(day as date)`"
        )
    return np.argsort(values, kind="stable")


def _stratified(target: pa.ChunkedArray, config: Split, random: np.random.Generator) -> Division:
    """Divide each class on its own; with three rows or more, it is in every part."""
    labels, codes = np.unique(target.to_numpy(), return_inverse=True)
    counts = np.bincount(codes)
    rare = [f"{labels[at]!s} ({counts[at]})" for at in np.flatnonzero(counts < len(PARTS))]
    if rare:
        raise TerminalError(
            f"split: `method: stratified` needs 3 rows of each class; there are fewer of "
            f"{', '.join(rare[:10])}: take them out in a transform, or use `method: random`"
        )
    parts: dict[Part, list[Indices]] = {part: [] for part in PARTS}
    for code, count in enumerate(counts):
        members = random.permutation(np.flatnonzero(codes == code))
        test = int(np.clip(round(count * config.test), 1, count - 2))
        validation = int(np.clip(round(count * config.validation), 1, count - test - 1))
        parts["test"].append(members[:test])
        parts["validation"].append(members[test : test + validation])
        parts["train"].append(members[test + validation :])
    return {part: np.sort(np.concatenate(pieces)) for part, pieces in parts.items()}


def _group(values: Values | None, config: Split, random: np.random.Generator) -> Division:
    """Deal whole groups out, in random order: first to test, then to validation, the rest to train."""
    groups, codes = np.unique(np.asarray(values), return_inverse=True)
    if len(groups) < len(PARTS):
        raise TerminalError(
            f"split: `method: group` needs 3 groups or more in {config.column!r}, "
            f"and there are {len(groups)}"
        )
    order = random.permutation(len(groups))
    filled = np.cumsum(np.bincount(codes)[order]) / len(codes)
    test = int(np.clip(np.searchsorted(filled, config.test) + 1, 1, len(groups) - 2))
    both = np.searchsorted(filled, filled[test - 1] + config.validation) + 1
    validation = int(np.clip(both, test + 1, len(groups) - 1))
    chosen: dict[Part, Indices] = {
        "test": order[:test],
        "validation": order[test:validation],
        "train": order[validation:],
    }
    return {part: np.flatnonzero(np.isin(codes, members)) for part, members in chosen.items()}


def _store(
    prepared: pa.Table,
    division: Division,
    model: Model,
    features: tuple[str, ...],
    dropped: int,
    workspace: Path,
    images: Lake | ImageStore | None,
) -> DividedRows:
    classes: dict[Part, dict[str, int]] = {}
    for part in PARTS:
        rows = prepared.take(division[part])
        if model.learning_task.has_classes:
            classes[part] = _balance(rows.column(model.target))
        if model.image_column is None or images is None:
            write_part(rows, workspace, part)
        else:
            # Divided by their addresses, which name the bytes, and only now fetched.
            batches = with_bytes(rows, model.image_column, images)
            write_batches(bytes_schema(rows.schema, model.image_column), batches, workspace, part)
    if classes and len(classes["train"]) < 2:
        raise TerminalError(
            f"split: all {len(division['train'])} training rows are of the class "
            f"{next(iter(classes['train']))!r}: use `method: stratified`, or another `split.column`"
        )
    result = DividedRows.model_validate(
        {
            "target": model.target,
            "features": features,
            "columns": {
                name: str(BYTES if name == model.image_column else prepared.schema.field(name).type)
                for name in features
            },
            "method": model.split_method,
            "seed": model.split.seed,
            "rows": {part: len(division[part]) for part in PARTS},
            "dropped": dropped,
            "classes": classes,
        }
    )
    logger.info("Divided (%s, seed %d): %s", result.method, result.seed, result.rows)
    return result


def _balance(target: pa.ChunkedArray) -> dict[str, int]:
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(target).to_pylist()}
    return {str(label): counts[label] for label in sorted(counts)}


def write_part(rows: pa.Table, workspace: Path, part: Part) -> Path:
    """Store rows, the target last, as one uncompressed Arrow file; a reader never sees half of it.

    One record batch, so that a column without nulls is read without a copy.
    """
    return write_batches(rows.schema, rows.combine_chunks().to_batches(), workspace, part)


def write_batches(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], workspace: Path, part: Part
) -> Path:
    """Store rows as `write_part` does, as they come: they need not fit into memory."""
    file = _file(workspace, part)
    with (
        whole_file(file) as unfinished,
        pa.OSFile(str(unfinished), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    return file


def read_part(
    workspace: Path, part: Part, rows: int | None = None
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """The features and the target of a part, or of its first `rows` rows.

    Numbers and images are views of the file and must not be written to; an image is `bytes`, encoded
    as it was published, and in memory only once it is asked for.

    Raises:
        TerminalError: The part is not in the workspace.
    """
    file = _file(workspace, part)
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
    except FileNotFoundError:
        raise TerminalError(
            f"the {part} rows are not in the workspace any more: clear the DAG run from `split` on"
        ) from None
    table = table if rows is None else table.slice(0, rows)
    features = as_frame(table.select(table.column_names[:-1]))
    return features, table.column(table.num_columns - 1).to_numpy()


def _file(workspace: Path, part: Part) -> Path:
    return workspace / "split" / f"{part}.arrow"
