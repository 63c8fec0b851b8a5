"""The windows of a model's monitoring, kept as MLflow runs: what was found, and what to do about it."""

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from factory.base.values import Result
from factory.models import registry
from factory.models.tracking import Tracking
from factory.models.training_run import identity
from factory.monitoring.measure import Measurement
from factory.monitoring.sections import Monitor

logger = logging.getLogger(__name__)

ROLE = {"role": "monitor"}
"""The tag of windows' runs."""
ASKED = "retraining_asked_for"
"""The tag of a window's run that has asked for a training: on which snapshots."""
_LOOKED_THROUGH = 1000
"""Monitoring runs that are read at most to find the last windows."""
LONGEST_TAG = 5000
# MLflow takes 1,000.
_METRICS_A_CALL = 500


@dataclass(frozen=True)
class MeasuredWindow:
    """One window as it is remembered."""

    mlflow_run_id: str
    version: int
    """The model's version that was measured."""
    label: str
    """What was looked at."""
    breached: bool
    counts: bool
    findings: str
    at: int
    """When, milliseconds since 1970."""

    @property
    def when(self) -> str:
        """When, for a person, in UTC."""
        return datetime.fromtimestamp(self.at / 1000, UTC).strftime("%Y-%m-%d %H:%M")


class RecordedWindow(Result):
    """A window in MLflow."""

    experiment_id: str
    mlflow_run_id: str
    url: str
    """The report, in MLflow's page."""


class WindowDecision(Result):
    """What a window comes to, together with those before it."""

    breached: bool
    """Whether enough of the last windows were bad, this one among them."""
    retrain: bool
    why: str


def record(
    found: Measurement,
    *,
    dag_id: str,
    run_id: str,
    tracking: Tracking,
    files: Path,
) -> RecordedWindow:
    """Log a window as a run of the model's experiment; a second try replaces the first one's.

    Args:
        found: What was measured.
        dag_id: Airflow's.
        run_id: Airflow's.
        tracking: The MLflow server.
        files: A folder with the report, logged below `monitor`.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    return record_run(
        found.model,
        _name(found),
        _tags(found),
        _metrics(found),
        dag_id=dag_id,
        run_id=run_id,
        tracking=tracking,
        files=files,
    )


def record_run(
    model: str,
    name: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    *,
    dag_id: str,
    run_id: str,
    tracking: Tracking,
    files: Path,
) -> RecordedWindow:
    """Log a window as `record` does.

    Args:
        model: Whose experiment.
        name: What a person calls the window.
        tags: Of the run, beside those by which it is found.
        metrics: Of the run.
        dag_id: Airflow's.
        run_id: Airflow's.
        tracking: The MLflow server.
        files: A folder with the report, logged below `monitor`.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    experiment_id = tracking.ensure_experiment(model)
    found_by = {**ROLE, **identity(dag_id, run_id)}
    for earlier in tracking.find_runs(experiment_id, found_by, most=10):
        with tracking.asked() as client:
            client.delete_run(earlier.info.run_id)
    with tracking.asked() as client:
        run = client.create_run(experiment_id, tags={**found_by, **tags}, run_name=name)
    mlflow_run_id = str(run.info.run_id)
    left = iter(metrics.items())
    while some := dict(itertools.islice(left, _METRICS_A_CALL)):
        tracking.log(mlflow_run_id, metrics=some)
    tracking.log_files(mlflow_run_id, files, at="monitor")
    tracking.finish(mlflow_run_id)
    return RecordedWindow(
        experiment_id=experiment_id,
        mlflow_run_id=mlflow_run_id,
        url=tracking.run_page(experiment_id, mlflow_run_id, "artifacts"),
    )


def _name(found: Measurement) -> str:
    """What a person calls a window, as long as MLflow's column is wide."""
    return f"monitor snapshot {next(iter(found.window.values()))}"


def label_of(window: Mapping[str, int]) -> str:
    """What was looked at, on one line; equal for equal windows."""
    return ", ".join(f"{name} {version}" for name, version in window.items())


def _tags(found: Measurement) -> dict[str, str]:
    lines = [f"* {text}" for text in found.findings] or ["* nothing has changed much"]
    if not found.counts:
        lines.append(f"* {found.current_rows} rows are too few for a verdict")
    note = f"{label_of(found.window)}, measured for version {found.version}:\n\n" + "\n".join(lines)
    return {
        "model": found.model,
        "model_version": str(found.version),
        "window": label_of(found.window),
        "breached": str(found.breached).lower(),
        "counts": str(found.counts).lower(),
        "findings": "; ".join(found.findings)[:LONGEST_TAG],
        MLFLOW_RUN_NOTE: note[:LONGEST_TAG],
        **{f"window.{name}": str(version) for name, version in found.window.items()},
        **{f"reference.{name}": str(version) for name, version in found.reference.items()},
    }


def _metrics(found: Measurement) -> dict[str, float]:
    metrics = {
        "rows": float(found.current_rows),
        "drifted_columns": float(len(found.drifted)),
        **{f"drift/{metric_name(column.column)}": column.statistic for column in found.columns},
    }
    if found.prediction is not None:
        metrics["prediction_drift"] = found.prediction.statistic
    metrics |= {f"drift/{metric_name(one.column)}": one.statistic for one in found.of_targets}
    if found.quality is not None:
        metrics["rows_with_truth"] = float(found.quality.rows)
        metrics |= {f"quality/{name}": value for name, value in found.quality.metrics.items()}
    return metrics


def metric_name(name: str) -> str:
    """A column's name with only the characters that MLflow takes."""
    return "".join(one if one.isalnum() or one in "_-. " else "_" for one in name)


def recent(model: str, version: int, most: int, *, tracking: Tracking) -> list[MeasuredWindow]:
    """The last windows that were measured for a version, the newest first.

    A window that was measured more than once is there once, as it was measured last.

    Args:
        model: The full name, `team.model`.
        version: With another version, another history begins.
        most: How many.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    experiment_id = tracking.ensure_experiment(model)
    tags = {**ROLE, "model_version": str(version)}
    windows: dict[str, MeasuredWindow] = {}
    for run in tracking.find_runs(experiment_id, tags, most=_LOOKED_THROUGH):
        window = _window(run)
        windows.setdefault(window.label, window)
    return list(windows.values())[:most]


def _window(run: Run) -> MeasuredWindow:
    tags = run.data.tags
    return MeasuredWindow(
        mlflow_run_id=run.info.run_id,
        version=int(tags["model_version"]),
        label=tags.get("window", ""),
        breached=tags.get("breached") == "true",
        counts=tags.get("counts") == "true",
        findings=tags.get("findings", ""),
        at=run.info.start_time,
    )


def act(
    found: Measurement,
    recorded: RecordedWindow,
    monitor: Monitor,
    *,
    newest: Mapping[str, int],
    tracking: Tracking,
) -> WindowDecision:
    """Decide what a recorded window comes to; a request for a training is remembered in MLflow.

    Args:
        found: The newest window.
        recorded: Where it is kept.
        monitor: The section.
        newest: The newest snapshots of what the model is trained on.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    # Windows that do not count take no place.
    windows = recent(found.model, found.version, _LOOKED_THROUGH, tracking=tracking)
    champion = registry.champion(found.model, tracking=tracking)
    decision = decide(
        found,
        windows,
        monitor,
        champion=None if champion is None else champion.number,
        newest=newest,
        asked_before=was_asked_before(found.model, recorded, newest, tracking),
    )
    tags = {"verdict": decision.why[:LONGEST_TAG]}
    if decision.retrain:
        tags[ASKED] = as_text(newest)
    tracking.log(recorded.mlflow_run_id, tags=tags)
    logger.info("%s: %s", "breached" if decision.breached else "not breached", decision.why)
    return decision


def decide(
    found: Measurement,
    windows: Sequence[MeasuredWindow],
    monitor: Monitor,
    *,
    champion: int | None,
    newest: Mapping[str, int],
    asked_before: bool,
) -> WindowDecision:
    """Whether enough of the last windows were bad, and whether to train.

    There is no training that cannot help: for a version that is no longer in production, or while
    there are no other rows to train on than those that the version, or an earlier request, had.

    Args:
        found: The newest window.
        windows: The last ones of the same version, the newest first; `found` is the first.
        monitor: The section.
        champion: The number of the version in production.
        newest: The newest snapshots of what the model is trained on.
        asked_before: Whether a training on just these was asked for before.
    """
    counted = [window for window in windows if window.counts][: monitor.windows.of]
    bad = sum(window.breached for window in counted)
    share = f"{bad} of the last {len(counted)} windows are bad"
    if not found.breached or bad < monitor.windows.breach:
        reason = "; ".join(found.findings) if found.breached else _calm(found)
        needed = f"it takes {monitor.windows.breach} of {monitor.windows.of}"
        text = f"{reason} ({share}, {needed})" if found.breached else reason
        return WindowDecision(breached=False, retrain=False, why=text)
    why = "; ".join(found.findings) + (f" ({share})" if monitor.windows.of > 1 else "")
    if not monitor.retrains:
        return WindowDecision(breached=True, retrain=False, why=why)
    obstacle = _obstacle(found, champion, newest, asked_before=asked_before)
    if obstacle:
        return WindowDecision(breached=True, retrain=False, why=f"{why}. No training: {obstacle}")
    return WindowDecision(breached=True, retrain=True, why=why)


def _calm(found: Measurement) -> str:
    if not found.counts:
        return f"{found.current_rows} rows are too few for a verdict"
    return "nothing has changed much"


def _obstacle(
    found: Measurement, champion: int | None, newest: Mapping[str, int], *, asked_before: bool
) -> str:
    if champion != found.version:
        now = f"version {champion}" if champion else "none"
        return f"version {found.version} is no longer the champion, {now} is"
    versions = ", ".join(f"{name} version {version}" for name, version in newest.items())
    if dict(newest) == found.reference:
        return f"there are no other rows to train on than it was trained on ({versions})"
    if asked_before:
        return f"one on {versions} was asked for before, and nothing was published since"
    return ""


def was_asked_before(
    model: str, recorded: RecordedWindow, newest: Mapping[str, int], tracking: Tracking
) -> bool:
    """Whether another window has asked for a training on just these snapshots."""
    tags = {**ROLE, "model": model, ASKED: as_text(newest)}
    runs = tracking.find_runs(recorded.experiment_id, tags, most=2)
    return any(run.info.run_id != recorded.mlflow_run_id for run in runs)


def as_text(versions: Mapping[str, int]) -> str:
    """Snapshots as a tag says them."""
    return json.dumps(versions, sort_keys=True)
