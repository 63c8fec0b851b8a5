"""Predictions beside what turned out to be right."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.lake import engine
from factory.lake.engine import columns_of, literal, quote
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.models.promotion import Bounds
from factory.monitoring.compared_rows import PREDICTION
from factory.monitoring.sections import GroundTruth
from factory.trainers.trainer import Predictions
from factory.training.entities import MODEL_COLUMN
from factory.training.metrics import score
from factory.training.model import Model


class Quality(Result):
    """How good the predictions were whose truth is known by now."""

    truth: str
    """The dataset, `team.dataset`."""
    truth_version: int
    rows: int
    predictions: int
    """How many predictions there are, with truth or without."""
    snapshots: tuple[int, ...]
    """The snapshots of predictions that were looked through."""
    counts: bool
    """Whether there are enough rows."""
    metrics: dict[str, float]
    skipped: dict[str, str]
    """Metrics that cannot be computed for these rows, and why."""
    missed: dict[str, str]
    """Metrics outside their limits, in words."""


ONE_MODEL = ""
"""What the registered model is called of predictions that are all one model's, and do not name it."""


def measure_quality(
    model: Model,
    truth: GroundTruth,
    limits: dict[str, Bounds],
    *,
    truth_snapshot: Snapshot,
    predictions: Snapshot,
    versions: Mapping[str, int],
    lake: Lake,
    scratch: Path,
) -> dict[str, Quality]:
    """Join models' predictions with the truth, and compute the metrics of their task for each.

    Of several predictions of a model for the same keys, the newest snapshot's counts, and in it the one of the newest
    input.

    Args:
        model: The model's section of the team file.
        truth: The part about truth.
        limits: The limits of metrics.
        truth_snapshot: The truth that is known by now.
        predictions: The newest snapshot of predictions; earlier ones are looked through too.
        versions: Whose predictions: the version of each registered model that the predictions name in their column
            `model`; of `ONE_MODEL` where they have none.
        lake: Where both lie.
        scratch: A folder that DuckDB may spill into.

    Raises:
        TerminalError: A column is missing, or the keys do not identify a row of truth.
    """
    true_columns = (truth.column,) if truth.column else model.target_columns
    if not true_columns:
        raise TerminalError("monitor.truth: the model has no target to compare predictions with")
    said_columns = tuple(model.learning_task.columns_of(model.targets_together))
    with engine.connect(scratch) as connection:
        engine.create_view(
            connection, "truth", lake.rows(truth_snapshot.dataset, truth_snapshot.version)
        )
        named = () if ONE_MODEL in versions else (MODEL_COLUMN,)
        looked_at = [
            version
            for version in _recent(predictions, truth.lookback)
            if _has_columns(connection, lake, predictions.dataset, version, (*truth.keys, *named))
        ]
        _check_columns(connection, truth_snapshot.dataset, [*truth.keys, *true_columns])
        _check_keys(connection, truth_snapshot.dataset, truth.keys, true_columns)
        if not looked_at:
            raise TerminalError(
                f"monitor.truth: {predictions.dataset} does not keep {', '.join(truth.keys)} yet: "
                "run its DAG, so that there are predictions with these columns"
            )
        # Of one target nothing is looked at but what is said of it.
        kept = said_columns if model.targets_together else (PREDICTION,)
        _make_predicted(connection, looked_at, truth.keys, kept, versions)
        pairs = _pairs(connection, model, true_columns, kept, truth.keys)
        counted = connection.sql("select answered_by, count(*) from predicted group by all")
        predicted = {str(name): int(rows) for name, rows in counted.fetchall()}

    def quality(name: str) -> Quality:
        target, said = _compared(pairs.filter(pc.equal(pairs.column("answered_by"), name)), model)
        metrics, skipped = {}, {}
        if len(target):
            scores = score(model.computed_metrics, target, said)
            metrics, skipped = scores.values, scores.skipped
        counts = len(target) >= truth.min_rows
        return Quality(
            truth=truth_snapshot.dataset,
            truth_version=truth_snapshot.version,
            rows=len(target),
            predictions=predicted.get(name, 0),
            snapshots=tuple(looked_at),
            counts=counts,
            metrics=metrics,
            skipped=skipped,
            missed=_missed(metrics, limits) if counts else {},
        )

    return {name: quality(name) for name in versions}


def _pairs(
    connection: DuckDBPyConnection,
    model: Model,
    true_columns: Sequence[str],
    kept: Sequence[str],
    keys: Sequence[str],
) -> pa.Table:
    """The rows whose truth is known: of each target `target_0` and `said_0`, and as `also_0` what else is said."""
    true_kinds, said_kinds = (columns_of(connection.table(name)) for name in ("truth", "predicted"))
    listed, is_known = [], []
    for place, (column, prediction) in enumerate(zip(true_columns, kept, strict=False)):
        kinds = true_kinds[column], said_kinds[prediction]
        right, said = model.learning_task.truth_sql(
            f"t.{quote(column)}", kinds, f"p.{quote(prediction)}", model.positive
        )
        listed += [f"{right} as target_{place}", f"{said} as said_{place}"]
        is_known += [f"target_{place} is not null", f"said_{place} is not null"]
    others = kept[len(true_columns) :]
    listed += [f"p.{quote(name)} as also_{place}" for place, name in enumerate(others)]
    found: pa.Table = (
        connection.sql(
            f"select p.answered_by, {', '.join(listed)} "  # noqa: S608 - quoted names
            f"from predicted p join truth t using ({', '.join(map(quote, keys))}) "
            f"where t.{quote(true_columns[0])} is not null"
        )
        .filter(" and ".join(is_known))
        .to_arrow_table()
    )
    return found


def _compared(pairs: pa.Table, model: Model) -> tuple[NDArray[Any], Predictions]:
    """The truth, and what was said of the same rows."""

    def values(name: str) -> NDArray[Any]:
        found: NDArray[Any] = pairs.column(name).to_numpy(zero_copy_only=False)
        return found

    targets = model.targets_together
    if not targets:
        return values("target_0"), Predictions(values("said_0"))
    target, said, likely = (
        [values(name) for name in pairs.column_names if name.startswith(before)]
        for before in ("target_", "said_", "also_")
    )
    has_all = bool(likely) and not any(pd.isna(each).any() for each in likely)
    return np.column_stack(target), Predictions(
        np.column_stack(said),
        np.column_stack(likely) if has_all else None,
        np.array(targets, dtype=object) if has_all else None,
    )


def _recent(newest: Snapshot, lookback: int) -> range:
    return range(newest.version, max(-1, newest.version - lookback), -1)


def _has_columns(
    connection: DuckDBPyConnection, lake: Lake, dataset: str, version: int, names: Sequence[str]
) -> bool:
    """Make a snapshot of predictions readable; whether it has these columns."""
    name = f"predictions_{version}"
    engine.create_view(connection, name, lake.rows(dataset, version))
    return set(names) <= set(connection.table(name).columns)


def _check_columns(connection: DuckDBPyConnection, dataset: str, wanted: Sequence[str]) -> None:
    present = columns_of(connection.table("truth"))
    missing = [name for name in wanted if name not in present]
    if missing:
        raise TerminalError(
            f"monitor.truth: {dataset} has no column {', '.join(missing)}; it has "
            f"{', '.join(present)}"
        )


def _check_keys(
    connection: DuckDBPyConnection, dataset: str, keys: Sequence[str], columns: Sequence[str]
) -> None:
    listed = ", ".join(map(quote, keys))
    is_known = " and ".join(f"{quote(column)} is not null" for column in columns)
    [(twice,)] = connection.sql(
        f"select count(*) from (select {listed} from truth "  # noqa: S608 - quoted names
        f"where {is_known} group by all having count(*) > 1)"
    ).fetchall()
    if twice:
        raise TerminalError(
            f"monitor.truth: {', '.join(keys)} do not identify a row of {dataset}: {twice} values "
            "have several rows; add a column to `keys`, or keep one row of each in a transform"
        )


def _make_predicted(
    connection: DuckDBPyConnection,
    snapshots: Sequence[int],
    keys: Sequence[str],
    kept: Sequence[str],
    versions: Mapping[str, int],
) -> None:
    listed, said = (", ".join(map(quote, names)) for names in (keys, kept))
    answered_by = literal(ONE_MODEL) if ONE_MODEL in versions else quote(MODEL_COLUMN)
    union = " union all by name ".join(
        f"select {listed}, {said}, model_version, input_version, {snapshot} as snapshot, "  # noqa: S608
        f"{answered_by} as answered_by from predictions_{snapshot}"
        for snapshot in snapshots
    )
    measured = ", ".join(f"({literal(name)}, {number})" for name, number in versions.items())
    connection.execute(
        f"create view predicted as select p.* from ({union}) p "  # noqa: S608 - quoted names, numbers
        f"semi join (values {measured}) as measured(name, number) "
        "on p.answered_by = measured.name and p.model_version = measured.number "
        f"qualify row_number() over (partition by answered_by, {listed} "
        "order by snapshot desc, input_version desc) = 1"
    )


def _missed(metrics: dict[str, float], limits: dict[str, Bounds]) -> dict[str, str]:
    missed = {}
    for name, limit in limits.items():
        value = metrics.get(name)
        if value is None:
            continue
        if limit.min is not None and value < limit.min:
            missed[name] = f"{name} {value:.4g} is below {limit.min:g}"
        elif limit.max is not None and value > limit.max:
            missed[name] = f"{name} {value:.4g} is above {limit.max:g}"
    return missed
