"""The scratch folder that the tasks of one run share."""

from pathlib import Path
from typing import Any


def folder(root: str, ti: Any) -> Path:
    """The folder of the run that a task belongs to."""
    from factory.base.workspace import workspace_path

    return workspace_path(Path(root), ti.dag_id, ti.run_id)


def open_workspace(*, root: str, ti: Any) -> None:
    """Make the run's folder."""
    from factory.base import workspace

    workspace.open_workspace(Path(root), ti.dag_id, ti.run_id)


def make_bucket(*, storage: str) -> None:
    """Make the lake's bucket in S3 if it is not there."""
    from factory.lake.storage import bucket

    bucket.make_bucket(storage)


def close_workspace(*, root: str, ti: Any) -> None:
    """Remove the run's folder, whether the run went well or not."""
    from factory.base import workspace

    workspace.close_workspace(Path(root), ti.dag_id, ti.run_id)
