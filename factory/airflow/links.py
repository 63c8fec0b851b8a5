"""Addresses of pages in Airflow."""

from urllib.parse import quote


def run_url(dag_id: str, run_id: str) -> str:
    """The page of a run."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="http://localhost:8080/").rstrip("/")
    return f"{base}/dags/{dag_id}/runs/{quote(run_id)}"


def log_url(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The page with the log of a task instance."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{run_url(dag_id, run_id)}/tasks/{task_id}{mapped}"
