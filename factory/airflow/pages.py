"""Addresses of Airflow's pages, and the buttons that lead from a task to pages elsewhere."""

from typing import TYPE_CHECKING, Any, ClassVar
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


class _PageLink(BaseOperatorLink):  # type: ignore[misc]
    """A button on a task's page, to an address that the task's function has left in an attribute of the operator."""

    title: ClassVar[str]
    attribute: ClassVar[str]

    @property
    def name(self) -> str:
        """What the button says."""
        return self.title

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str | None:
        """Where it leads; nowhere, if the task has ended before it knew.

        Args:
            operator: The task, after it has run.
            ti_key: Which instance it was.
        """
        del ti_key
        page: str | None = getattr(operator, self.attribute)
        return page


class MlflowLink(_PageLink):
    """A task's page in MLflow: see `TaskRun.link`."""

    title = "MLflow"
    attribute = "mlflow_page"


class SnapshotLink(_PageLink):
    """The page of the snapshot that a task has published: see `TaskRun.link_snapshot`."""

    title = "Snapshot"
    attribute = "snapshot_page"
