"""Addresses of Airflow's pages, and the buttons that lead from a task to pages elsewhere."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


TEAMS = "/factory"
"""Where Airflow's API server answers with the pages of the teams."""


def run_url(dag_id: str, run_id: str) -> str:
    """The page of a run."""
    return f"{_base()}/dags/{dag_id}/runs/{quote(run_id)}"


def _base() -> str:
    from airflow.sdk.configuration import conf

    address: str = conf.get("api", "base_url", fallback="http://localhost:8080/")
    return address.rstrip("/")


def log_url(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The page with the log of a task instance."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{run_url(dag_id, run_id)}/tasks/{task_id}{mapped}"


def snapshot_url(dataset: str, version: int) -> str:
    """The page of a snapshot, among those of the teams within Airflow."""
    return f"{_base()}{TEAMS}/datasets/{quote(dataset)}?version={version}"


class MlflowLink(BaseOperatorLink):  # type: ignore[misc]
    """A task's page in MLflow, which its function has named: see `TaskRun.link`."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "MLflow"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str | None:
        """Where it leads; nowhere, if the task has failed before it knew.

        Args:
            operator: The task, after it has run.
            ti_key: Which instance it was.
        """
        del ti_key
        page: str | None = operator.mlflow_page
        return page


class SnapshotLink(BaseOperatorLink):  # type: ignore[misc]
    """The page of the snapshot that a task has published, which its function has named."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Snapshot"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str | None:
        """Where it leads; nowhere, if nothing has been published.

        Args:
            operator: The task, after it has run.
            ti_key: Which instance it was.
        """
        del ti_key
        page: str | None = operator.snapshot_page
        return page
