"""The components of a runtime: which there are, how each is started, and which are healthy."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from factory.runtime.ports import HOST, Ports

MIGRATION = "database"
"""Brings Airflow's database to the installed version, and ends."""
SERVING = "serving"
"""Models that answer over HTTP, where a project wants that."""
COMPONENTS = ("mlflow", "api-server", "scheduler", "dag-processor", "triggerer")
"""What every runtime has; the names of their logs."""

_HEARTBEATS = {
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag-processor": "dag_processor",
}
"""Where Airflow's API tells of a component."""


def components_of(project: Path, environment: str | None) -> tuple[str, ...]:
    """The components that a project wants: SERVING if one of its models is deployed here.

    Args:
        project: The folder with `configs/`.
        environment: Whose overlays apply; the default one's when left out.
    """
    from factory.catalog import read_all
    from factory.team.environment import DEFAULT_ENVIRONMENT

    found = read_all(project / "configs", environment or DEFAULT_ENVIRONMENT)
    sections = [
        model.deploy for file in found.teams.values() for model in file.team.models.values()
    ]
    serves = any(each is not None and each.wants_local_server for each in sections)
    return (*COMPONENTS, SERVING) if serves else COMPONENTS


def command(component: str, ports: Ports) -> list[str]:
    """The command that starts a component."""
    python = [sys.executable, "-P", "-m"]
    # One machine, one file system: logs are read from disk. The log servers, which would listen on
    # every interface, are not needed.
    modules = {
        MIGRATION: ["airflow", "db", "migrate"],
        "mlflow": ["mlflow", "server", "--host", HOST, "--port", str(ports.mlflow), "--workers=1"],
        SERVING: ["factory", "serve", "--host", HOST, "--port", str(ports.serving)],
        "api-server": ["airflow", "api-server"],
        "scheduler": ["factory.runtime.scheduler", "--skip-serve-logs"],
        "dag-processor": ["factory.airflow.dag_processor"],
        "triggerer": ["airflow", "triggerer", "--skip-serve-logs"],
    }
    return [*python, *modules[component]]


def healthy_components(ports: Ports, *, since: float, serving: bool = False) -> set[str]:
    """The components that are healthy now.

    Args:
        ports: Where the servers listen.
        since: Heartbeats before this time (seconds of the epoch) are an earlier run's.
        serving: Whether there is a server of models; another program may have its port otherwise.
    """
    healthy = set()
    with httpx.Client(timeout=5, trust_env=False) as client:
        if _answer(client, f"{ports.mlflow_url}/health") is not None:
            healthy.add("mlflow")
        if serving and _answer(client, f"{ports.serving_url}/healthz/live") is not None:
            healthy.add(SERVING)
        answer = _answer(client, f"{ports.airflow_url}/api/v2/monitor/health")
        # The API's cookie is no token of a task: it would be complained about in the log.
        client.cookies.clear()
        # What tasks talk to is put together at its first request, which takes seconds: now, and
        # not when the first task waits for it.
        if answer and not _answer(client, f"{ports.airflow_url}/execution/health"):
            answer = None
    if answer is None:
        return healthy
    healthy.add("api-server")
    states = answer.json()
    for component, key in _HEARTBEATS.items():
        if _beats(states.get(key) or {}, key, since):
            healthy.add(component)
    return healthy


def _answer(client: httpx.Client, url: str) -> httpx.Response | None:
    try:
        answer = client.get(url)
    except httpx.TransportError:
        return None
    return answer if answer.is_success else None


def _beats(state: dict[str, Any], key: str, since: float) -> bool:
    heartbeat = state.get(f"latest_{key}_heartbeat")
    if state.get("status") != "healthy" or not heartbeat:
        return False
    return datetime.fromisoformat(heartbeat).timestamp() >= since
