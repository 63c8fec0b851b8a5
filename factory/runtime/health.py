"""Which components answer for themselves."""

from datetime import datetime
from typing import Any

import httpx

from factory.runtime.ports import Ports
from factory.runtime.serving import SERVING

_HEARTBEATS = {
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag-processor": "dag_processor",
}


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
        # What tasks talk to is put together at its first request, which takes seconds: now, and
        # not when the first task waits for it.
        if answer and not _answer(client, f"{ports.airflow_url}/execution/health"):
            answer = None
    if answer is None:
        return healthy
    healthy.add("api-server")
    report = answer.json()
    for component, key in _HEARTBEATS.items():
        if _beats(report.get(key) or {}, key, since):
            healthy.add(component)
    return healthy


def _answer(client: httpx.Client, url: str) -> httpx.Response | None:
    try:
        answer = client.get(url)
    except httpx.TransportError:
        return None
    return answer if answer.is_success else None


def _beats(report: dict[str, Any], key: str, since: float) -> bool:
    heartbeat = report.get(f"latest_{key}_heartbeat")
    if report.get("status") != "healthy" or not heartbeat:
        return False
    return datetime.fromisoformat(heartbeat).timestamp() >= since
