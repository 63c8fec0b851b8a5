"""Predictions beside what turned out to be right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.lake import engine
from factory.lake.engine import columns_of, literal, quote
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.models.promotion import Bounds
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
    column = truth.column or model.target
    if column is None:
        raise TerminalError("monitor.truth: the model has no target to compare predictions with")
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
        _check_columns(connection, truth_snapshot.dataset, [*truth.keys, column])
        _check_keys(connection, truth_snapshot.dataset, truth.keys, column)
        if not looked_at:
            raise TerminalError(
                f"monitor.truth: {predictions.dataset} does not keep {', '.join(truth.keys)} yet: "
                "run its DAG, so that there are predictions with these columns"
            )
        _make_predicted(connection, looked_at, truth.keys, versions)
        kinds = (
            columns_of(connection.table("truth"))[column],
            columns_of(connection.table("predicted"))["prediction"],
        )
        right, said_so = model.learning_task.truth_sql(
            f"t.{quote(column)}", kinds, "p.prediction", model.positive
        )
        pairs = connection.sql(
            f"select p.answered_by, {right} as target, {said_so} as prediction "  # noqa: S608 - quoted names
            f"from predicted p join truth t using ({', '.join(map(quote, truth.keys))}) "
            f"where t.{quote(column)} is not null and p.prediction is not null"
        ).to_arrow_table()
        counted = connection.sql("select answered_by, count(*) from predicted group by all")
        predicted = {str(name): int(rows) for name, rows in counted.fetchall()}

    def quality(name: str) -> Quality:
        own = pairs.filter(pc.equal(pairs.column("answered_by"), name))
        target, said = (
            own.column(one).to_numpy(zero_copy_only=False) for one in ("target", "prediction")
        )
        metrics, skipped = {}, {}
        if len(target):
            scores = score(model.computed_metrics, target, Predictions(said))
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
    connection: DuckDBPyConnection, dataset: str, keys: Sequence[str], column: str
) -> None:
    listed = ", ".join(map(quote, keys))
    [(twice,)] = connection.sql(
        f"select count(*) from (select {listed} from truth "  # noqa: S608 - quoted names
        f"where {quote(column)} is not null group by all having count(*) > 1)"
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
    versions: Mapping[str, int],
) -> None:
    listed = ", ".join(map(quote, keys))
    answered_by = literal(ONE_MODEL) if ONE_MODEL in versions else quote(MODEL_COLUMN)
    union = " union all by name ".join(
        f"select {listed}, prediction, model_version, input_version, {snapshot} as snapshot, "  # noqa: S608
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
