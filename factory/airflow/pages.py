"""Addresses of Airflow's pages, and the buttons that lead from a task to pages elsewhere."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


def run_url(dag_id: str, run_id: str) -> str:
    """The page of a run."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="http://localhost:8080/").rstrip("/")
    return f"{base}/dags/{dag_id}/runs/{quote(run_id)}"


def log_url(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The page with the log of a task instance."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{run_url(dag_id, run_id)}/tasks/{task_id}{mapped}"


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
