"""The tasks of the maintenance DAG: one a kind of leftover."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.airflow.live_runs import is_live
from factory.airflow.task_run import TaskRun

if TYPE_CHECKING:
    from factory.cleaning.leftover import Leftover, Stays

__all__ = ["lake", "logs", "mlflow", "workspaces"]

log = logging.getLogger(__name__)


def workspaces(*, run: TaskRun, grace: int) -> dict[str, Any]:
    """Remove the workspaces and temporary folders of killed runs, on this worker."""
    from factory.cleaning.old_workspaces import temporary_folders
    from factory.cleaning.old_workspaces import workspaces as found

    root, now = Path(run.shared.workspace), time.time()
    return _cleaned(
        "workspaces",
        (
            *found(root.glob("*/*"), is_live, now=now, grace=grace),
            *temporary_folders(now=now, grace=grace),
        ),
    )


def lake(*, run: TaskRun, grace: int) -> dict[str, Any]:
    """Remove the files of the lake that no snapshot names."""
    from factory.cleaning.unnamed_files import unnamed_files

    return _cleaned("lake", unnamed_files(run.lake, now=time.time(), grace=grace))


def mlflow(*, grace: int) -> dict[str, Any]:
    """End the MLflow runs of trainings that are over."""
    from factory.cleaning.abandoned_runs import abandoned_runs
    from factory.models.tracking import Tracking

    runs = abandoned_runs(Tracking(), is_live, now=time.time(), grace=grace)
    return _cleaned("MLflow runs", runs)


def logs(*, keep: int) -> dict[str, Any]:
    """Remove old logs of tasks, on this worker."""
    from airflow.sdk.configuration import conf

    from factory.cleaning.old_logs import old_logs

    folder = Path(conf.get("logging", "base_log_folder"))
    return _cleaned("logs", old_logs(folder, now=time.time(), keep=keep))


def _cleaned(kind: str, found: "Iterable[Leftover | Stays]") -> dict[str, Any]:
    from factory.cleaning.leftover import clean

    cleaned = clean(kind, found, dry_run=False)
    for leftover in cleaned.removed:
        log.info("removed %s (%s bytes)", leftover.what, f"{leftover.bytes:,}")
    for what in cleaned.stays:
        log.warning("left alone: %s", what)
    return cleaned.as_json()
