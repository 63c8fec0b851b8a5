"""The scratch folder that the tasks of one run share, and the lake's bucket."""

from collections.abc import Callable, Iterable
from pathlib import Path

from factory.airflow.task_run import TaskRun


def open_workspace(
    *, run: TaskRun, take_over: Callable[[Path, Iterable[Path]], None] | None = None
) -> None:
    """Make the run's folder, and remove those of the DAG's runs that were killed.

    Args:
        run: The task's run.
        take_over: Called with the folder and the others before they are removed.
    """
    import time

    from factory.airflow.live_runs import is_live
    from factory.base import workspace
    from factory.cleaning.leftover import clean
    from factory.cleaning.old_workspaces import workspaces

    own = workspace.open_workspace(Path(run.shared.workspace), run.ti.dag_id, run.ti.run_id)
    others = [folder for folder in own.parent.iterdir() if folder != own]
    if take_over is not None:
        take_over(own, others)
    clean("workspaces", workspaces(others, is_live, now=time.time(), grace=0), dry_run=False)


def make_bucket(*, run: TaskRun) -> None:
    """Make the lake's bucket in S3 if it is not there."""
    from factory.lake.storage import bucket

    bucket.make_bucket(run.shared.storage)


def close_workspace(*, run: TaskRun) -> None:
    """Remove the run's folder, whether the run went well or not."""
    from factory.base import workspace

    workspace.close_workspace(Path(run.shared.workspace), run.ti.dag_id, run.ti.run_id)
