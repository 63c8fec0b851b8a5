"""Divide rows into train, validation and test, once for all trials of a run, and store the parts."""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.base.texts import one_of
from factory.base.values import Result
from factory.data.columns import TEXT, is_numeric, learnable, require_columns
from factory.data.images.frames import BYTES, as_frame, bytes_schema, with_bytes
from factory.data.images.store import ImageStore
from factory.lake.table import Lake
from factory.trainers.class_weights import as_key
from factory.trainers.trainer import Rows
from factory.training.about_rows import write_about
from factory.training.division import BY_CHANCE, Divided, Division, Method, Part, divide
from factory.training.folds import LEARNED, FoldMatrix, assign_folds, write_folds
from factory.training.forecasting.rows import ForecastRows, forecast_rows, write_history
from factory.training.forecasting.section import Forecast
from factory.training.guard.features import Columns, FeatureGuard, sampled
from factory.training.guard.finding import GuardFinding
from factory.training.guard.known_rows import FILE as TRAINING_ROWS
from factory.training.guard.known_rows import TrainingRows
from factory.training.guard.rows import DividedParts, RowsGuard
from factory.training.model import Model
from factory.training.ranking_rules import GROUP
from factory.training.row_groups import row_groups
from factory.training.weights import row_weights, write_weights

logger = logging.getLogger(__name__)

_TARGETS = b"targets"
"""What the files of parts say: how many of their columns, the last ones, are targets; one where they say nothing."""


class DividedRows(Result):
    """What was divided and how; the rows themselves lie in the workspace."""

    target: str | tuple[str, ...] | None
    features: tuple[str, ...]
    columns: dict[str, str]
    """Each feature's form: `double`, `large_string`, `timestamp[us]`, and `large_binary` for images."""
    method: Method
    seed: int
    rows: dict[Part, int]
    dropped: int
    """Rows without a target, which are in no part."""
    left_out: int = 0
    """Rows of rare classes, and rows in the gaps of `method: time`, which are in no part either."""
    folds: int = 0
    """How many times a trial is trained and measured to choose by; 0 where that is on the validation rows."""
    classes: dict[Part, dict[str, int]]
    """Rows of each class, or with each label; empty where the target is no class, or there is none."""
    findings: tuple[GuardFinding, ...] = ()
    """What makes scores on these rows unbelievable."""


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
    if model.forecast is not None:
        return _split_series(rows, model, model.forecast, workspace)
    features = _features(rows.schema.names, model)
    if model.image_column is not None and images is None:
        raise TerminalError(f"the images in {model.image_column!r} lie in a lake: hand in `images`")
    others = (*model.target_columns, *model.columns_beside_features)
    wanted = list(dict.fromkeys([*features, *others]))
    table = rows.select(wanted) if isinstance(rows, pa.Table) else rows.to_table(columns=wanted)

    known, dropped = _with_target(table, model)
    prepared = learnable(known, features)
    for name in model.target_columns:
        prepared = prepared.append_column(name, known.column(name))
    _check_target(known, model)
    weights = None if model.weights is None else row_weights(known, model.weights)
    groups = None if model.group is None else row_groups(known, model.group)
    told_apart = [one for one in (weights, groups) if one is not None]
    given, order = _in_content_order(prepared, known, model, told_apart)
    prepared = prepared.take(order)
    division, findings = _divide(given, model)
    _check_classes(given, division, model)
    if weights is not None:
        write_weights(weights[order], division, workspace)
    if groups is not None:
        for part, members in division.items():
            write_about({GROUP: groups[order][members]}, workspace, part)
    folds = _folds(given, division, model)
    findings += _look(prepared, given, division, folds, model)
    for finding in findings:
        logger.warning("%s", finding)
    _remember_rows(prepared.column_names, given, division, model.learned_parts, workspace)
    if folds is not None:
        write_folds(folds, workspace)
    return _store(prepared, division, model, features, dropped, findings, workspace, images)


def _split_series(
    rows: pa.Table | pyarrow.dataset.Dataset, model: Model, forecast: Forecast, workspace: Path
) -> DividedRows:
    """Make the rows of all origins and steps, and store those of each part with what is known of them.

    Raises:
        TerminalError: Series are irregular or too short; see `forecast_rows`.
    """
    (target,) = model.target_columns
    wanted = [name for name in (*forecast.columns, target) if name in rows.schema.names]
    table = rows.select(wanted) if isinstance(rows, pa.Table) else rows.to_table(columns=wanted)
    made = forecast_rows(table, forecast, target, model.split)
    findings = _look_at_series(made, model)
    for finding in findings:
        logger.warning("%s", finding)
    _remember_rows(
        made.rows.column_names, made.given, made.division, model.learned_parts, workspace
    )
    for part, members in made.division.items():
        about = {name: values[members] for name, values in made.about.items()}
        write_about(about, workspace, part)
    if made.folds is not None:
        write_folds(made.folds, workspace)
    write_history(rows, made.form, workspace)
    dropped = table.num_rows - made.history
    return _store(
        made.rows,
        made.division,
        model,
        made.form.features,
        dropped,
        findings,
        workspace,
        None,
    )


def _look_at_series(made: ForecastRows, model: Model) -> list[GuardFinding]:
    """What the guards find; of features, about those that are not made of the target's own past."""
    target = made.given.target
    assert target is not None  # noqa: S101 - it is what is forecast
    parts = DividedParts(
        target={part: target[rows] for part, rows in made.division.items()},
        features={part: made.given.features[rows] for part, rows in made.division.items()},
        has_classes=False,
        targets=model.target_columns,
        least_learned=None
        if made.folds is None
        else int((made.folds == LEARNED).sum(axis=1).min()),
    )
    guards = [guard for guard in RowsGuard.all_in(model.guard) if guard.of_series]
    found = [finding for guard in guards for finding in guard.look(parts)]
    columns = Columns(
        sampled(made.rows.select([*made.form.known, *model.target_columns])),
        model.target_columns,
        has_classes=False,
        takes_texts_as_categories=model.uses_default_preprocessing,
    )
    for guard in FeatureGuard.all_in(model.guard) if made.form.known else ():
        found += guard.look(columns)
    return found


def _features(names: Sequence[str], model: Model) -> tuple[str, ...]:
    """The columns to learn from; of rows with these columns.

    Raises:
        TerminalError: One that is needed is missing, or nothing is left to learn from.
    """
    require_columns(model.target_columns, names, "target")
    require_columns(model.features or (), names, "features")
    require_columns(model.split.columns, names, "split.key" if model.split.key else "split.column")
    require_columns([model.weights] if model.weights else [], names, "weights")
    require_columns([model.group] if model.group else [], names, "group")
    if model.image_column is None:
        no_features = (*model.target_columns, *model.columns_beside_features)
        others = tuple(name for name in names if name not in no_features)
        features = model.features or others
    else:
        features = (model.image_column,)
    require_columns(features, names, "features")
    if not features:
        raise TerminalError(f"features: the rows hold nothing but {', '.join(names)}: add columns")
    return features


def _with_target(rows: pa.Table, model: Model) -> tuple[pa.Table, int]:
    """The rows whose target is known, or all of their targets, and how many others there are; NaN counts as unknown.

    Each target has the form that the task's trainers take. Without a target all rows are known.

    Raises:
        TerminalError: There are no rows, or a target has no value at all, or does not fit the task.
    """
    if model.target is None:
        if not rows.num_rows:
            raise TerminalError("there are no rows to learn from")
        return rows, 0
    known = pa.chunked_array([pa.repeat(pa.scalar(value=True), rows.num_rows)])
    for name in model.target_columns:
        column = rows.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        has_value = pc.is_valid(column)
        if pa.types.is_floating(column.type):
            is_nan = pc.fill_null(pc.is_nan(column), fill_value=True)
            has_value = pc.and_(has_value, pc.invert(is_nan))
        known = pc.and_(known, has_value)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    kept = rows.filter(known)
    named = one_of(map(repr, model.target_columns))
    dropped = rows.num_rows - kept.num_rows
    if dropped:
        logger.warning("%d of %d rows have no %s and are left out", dropped, rows.num_rows, named)
    if kept.num_rows == 0:
        raise TerminalError(f"target: none of the {rows.num_rows} rows has a value in {named}")
    for name in model.target_columns:
        target = model.learning_task.prepare_target(name, kept.column(name), model.positive)
        kept = kept.set_column(kept.column_names.index(name), name, target)
    return kept, dropped


def _in_content_order(
    prepared: pa.Table, known: pa.Table, model: Model, others: Sequence[NDArray[Any]]
) -> tuple[Divided, NDArray[np.int64]]:
    """What the division looks at, sorted by a hash of each row, and the order; equal rows are interchangeable."""
    frame = prepared.to_pandas(split_blocks=True)
    columns = tuple(_split_values(known, column) for column in model.split.columns)
    of_features = frame.drop(columns=[*model.target_columns])
    features, content = _hashes(of_features), _hashes(frame)
    target = _values(frame, model)
    whole = content
    told_apart = (*columns, *others)
    if told_apart:
        for at, values in enumerate(told_apart):
            # By place, not by name: the split's column may be a feature too.
            frame.insert(at, "split", values, allow_duplicates=True)
        whole = _hashes(frame)
    order = np.argsort(whole, kind="stable")
    given = Divided(
        target=None if target is None else target[order],
        columns=tuple(values[order] for values in columns),
        content=content[order],
        features=features[order],
    )
    return given, order


def _values(frame: pd.DataFrame, model: Model) -> NDArray[Any] | None:
    """The targets: one value a row, or rows x targets; None where there are none."""
    if model.target is None:
        return None
    targets = [frame[name].to_numpy() for name in model.target_columns]
    return np.column_stack(targets) if model.targets_together else targets[0]


def _hashes(frame: pd.DataFrame) -> NDArray[np.uint64]:
    return np.asarray(pd.util.hash_pandas_object(frame, index=False).to_numpy(), dtype=np.uint64)


def _split_values(known: pa.Table, column: str) -> NDArray[Any]:
    values = known.column(column)
    unknown = pc.sum(pc.is_null(values, nan_is_null=True)).as_py()
    if unknown:
        raise TerminalError(
            f"split: {unknown} rows have no {column!r}, so they belong nowhere: "
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
    found: NDArray[Any] = values.cast(form, safe=False).to_numpy()
    return found


def _divide(given: Divided, model: Model) -> tuple[Division, list[GuardFinding]]:
    """The division; rows of rare classes are for training only, or in no part.

    Raises:
        TerminalError: There are rare classes, or one that stands for no value, and nobody has said what to do.
    """
    method = model.split_method
    if not model.has_class_target:
        return divide(model.split, method, given), []
    labels, codes = np.unique(given.classes, return_inverse=True)
    counts = np.bincount(codes)
    of_class = {str(label): int(rows) for label, rows in zip(labels, counts, strict=True)}
    missing = model.guard.missing_class.look(str(model.target_name), of_class)
    findings = [missing] if missing else []
    least = model.rows_of_a_class
    is_rare = (counts < least)[codes]
    if not is_rare.any():
        return divide(model.split, method, given), findings
    findings.append(model.guard.rare_classes.found(labels, counts, least))
    common = np.flatnonzero(~is_rare)
    division = {
        part: common[members]
        for part, members in divide(model.split, method, given.take(common)).items()
    }
    if model.guard.rare_classes.action == "train":
        division["train"] = np.concatenate([division["train"], np.flatnonzero(is_rare)])
    return division, findings


def _folds(given: Divided, division: Division, model: Model) -> FoldMatrix | None:
    """The folds of the training rows, if trials are measured by folds; each learns from the rows of rare classes."""
    if model.split.folds is None:
        return None
    rows = given.take(division["train"])
    is_rare = None
    if model.has_class_target:
        _, codes = np.unique(given.classes, return_inverse=True)
        is_rare = (np.bincount(codes) < model.rows_of_a_class)[codes][division["train"]]
    return assign_folds(
        model.split,
        model.split.folds,
        model.split_method,
        rows,
        classes=rows.classes if model.has_class_target else None,
        always_learned=is_rare,
    )


def _check_target(known: pa.Table, model: Model) -> None:
    """Refuse values that `target_transform` cannot take.

    Raises:
        TerminalError: There are some; says how many.
    """
    transform = model.target_transform
    if transform is None or model.target_name is None:
        return
    target = known.column(model.target_name)
    if refused := transform.count_refused(target.to_numpy()):
        raise TerminalError(
            f"target_transform: {transform.transformer} takes values {transform.values_in_words}, and {refused} of "
            f"{len(target)} rows have others in {model.target!r}: take these rows out in a transform, or write "
            "`yeo_johnson` or `quantile`"
        )


def _check_classes(given: Divided, division: Division, model: Model) -> None:
    """Refuse classes that a model names and the target has not.

    Raises:
        TerminalError: The class that counts is none of two, or a weight is for no class.
    """
    if model.targets_together and given.target is not None:
        learned = given.target[division["train"]]
        model.learning_task.check_learned(model.targets_together, learned)
    if not model.has_class_target:
        return
    classes = np.unique(given.classes[np.concatenate(list(division.values()))]).tolist()
    for place, named in model.named_classes:
        for name in named:
            if name not in map(as_key, classes):
                known = one_of((f'"{as_key(one)}"' for one in classes), most=10)
                raise TerminalError(
                    f"{place}: {model.target!r} has no class {_as_yaml(name)}: write one of {known}"
                )
    _check_positive(classes, model)


def _check_positive(classes: Sequence[Any], model: Model) -> None:
    positive = model.counted_class
    if positive is None:
        return
    shown = one_of((_as_yaml(one) for one in classes), most=10)
    if not any(type(one) is type(positive) and one == positive for one in classes):
        raise TerminalError(
            f"positive: {model.target!r} has no class {_as_yaml(positive)}: write one of {shown}"
        )
    if len(classes) > 2:
        raise TerminalError(
            f"positive: {model.target!r} has {len(classes)} classes ({shown}), and `positive` is for "
            "two: take it away, and name averages such as f1_macro, or make two classes of them in "
            "a transform"
        )


def _as_yaml(value: object) -> str:
    """A class as a team file has it."""
    return json.dumps(value, ensure_ascii=False)


def _look(
    prepared: pa.Table,
    given: Divided,
    division: Division,
    folds: FoldMatrix | None,
    model: Model,
) -> list[GuardFinding]:
    """What the guards find about the rows and about their division."""
    target = given.target
    parts = DividedParts(
        target=None if target is None else {part: target[rows] for part, rows in division.items()},
        features={part: given.features[rows] for part, rows in division.items()},
        has_classes=model.learning_task.has_categories,
        targets=model.target_columns,
        learns_target=model.learning_task.learns_target,
        least_learned=None if folds is None else int((folds == LEARNED).sum(axis=1).min()),
        by_chance=model.split_method in BY_CHANCE,
    )
    found = [finding for guard in RowsGuard.all_in(model.guard) for finding in guard.look(parts)]
    if model.image_column is None:
        columns = Columns(
            sampled(prepared),
            model.target_columns,
            has_classes=model.learning_task.has_categories,
            takes_texts_as_categories=model.uses_default_preprocessing,
        )
        for guard in FeatureGuard.all_in(model.guard):
            found += guard.look(columns)
    return found


def _remember_rows(
    columns: Sequence[str],
    given: Divided,
    division: Division,
    learned_parts: Sequence[Part],
    workspace: Path,
) -> None:
    """Keep the hashes of test rows, and of those that a version learns from, by which a later gate knows rows again."""
    learned = np.concatenate([division[part] for part in learned_parts])
    TrainingRows.of(columns, given.content[learned]).save(
        training_rows_folder(workspace) / TRAINING_ROWS
    )
    file = _test_rows_file(workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as unfinished, unfinished.open("wb") as sink:
        np.save(sink, given.content[division["test"]])


def training_rows_folder(workspace: Path) -> Path:
    """The folder with the hashes of the training rows, and with nothing else."""
    return workspace / "row_hashes" / "train"


def read_test_rows(workspace: Path) -> NDArray[np.uint64] | None:
    """A hash of each test row, of its features and its target; None where rows were divided without."""
    file = _test_rows_file(workspace)
    if not file.exists():
        return None
    found: NDArray[np.uint64] = np.load(file, allow_pickle=False)
    return found


def _test_rows_file(workspace: Path) -> Path:
    return workspace / "row_hashes" / "test" / "test_rows.npy"


def _store(
    prepared: pa.Table,
    division: Division,
    model: Model,
    features: tuple[str, ...],
    dropped: int,
    findings: Sequence[GuardFinding],
    workspace: Path,
    images: Lake | ImageStore | None,
) -> DividedRows:
    classes: dict[Part, dict[str, int]] = {}
    for part, members in division.items():
        rows = prepared.take(members)
        if model.has_class_target:
            classes[part] = _balance(rows.column(model.target_name))
        elif model.learning_task.name == "multilabel":
            classes[part] = {one: pc.sum(rows.column(one)).as_py() for one in model.target_columns}
        if model.image_column is None or images is None:
            write_part(rows, workspace, part, targets=len(model.target_columns))
        else:
            # Divided by their addresses, which name the bytes, and only now fetched.
            batches = with_bytes(rows, model.image_column, images)
            write_batches(bytes_schema(rows.schema, model.image_column), batches, workspace, part)
    is_one = model.has_class_target and len(classes["train"]) < 2
    if is_one and model.learning_task.learns_target:
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
            "rows": {part: len(members) for part, members in division.items()},
            "folds": 0 if model.split.folds is None else model.split.folds.trainings,
            "dropped": dropped,
            "left_out": prepared.num_rows - sum(map(len, division.values())),
            "classes": classes,
            "findings": tuple(findings),
        }
    )
    logger.info("Divided (%s, seed %d): %s", result.method, result.seed, result.rows)
    return result


def _balance(target: pa.ChunkedArray) -> dict[str, int]:
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(target).to_pylist()}
    return {str(label): counts[label] for label in sorted(counts)}


def write_part(rows: pa.Table, workspace: Path, part: Part, *, targets: int = 1) -> Path:
    """Store rows, their targets last, as one uncompressed Arrow file; a reader never sees half of it.

    One record batch, so that a column without nulls is read without a copy.
    """
    schema = rows.schema
    if targets != 1:
        schema = schema.with_metadata({_TARGETS: str(targets)})
    return write_batches(schema, rows.combine_chunks().to_batches(), workspace, part)


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


def read_part(workspace: Path, part: Part, rows: int | None = None) -> Rows:
    """The features and the target of a part, or of its first `rows` rows.

    The target is None where rows have none, and rows x targets where they have several.

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
    targets = int((table.schema.metadata or {}).get(_TARGETS, 1))
    if targets == 0:
        return as_frame(table), None
    features = as_frame(table.select(table.column_names[:-targets]))
    values = [column.to_numpy() for column in table.columns[-targets:]]
    return features, values[0] if targets == 1 else np.column_stack(values)


def read_learned(workspace: Path, model: Model) -> Rows:
    """The features and the target of the rows that a version learns from: those of `refit`.

    Raises:
        TerminalError: They are not in the workspace.
    """
    parts = [read_part(workspace, part) for part in model.learned_parts]
    if len(parts) == 1:
        return parts[0]
    features = pd.concat([features for features, _ in parts], ignore_index=True)
    targets = [target for _, target in parts if target is not None]
    return features, np.concatenate(targets) if targets else None


def _file(workspace: Path, part: Part) -> Path:
    return workspace / "split" / f"{part}.arrow"
