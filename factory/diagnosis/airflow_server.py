"""Airflow: whether it answers and its parts are at work, and whether it has what team files name."""

import os
from collections.abc import Iterator
from typing import Any

from factory.base.texts import one_of
from factory.diagnosis.finding import Diagnosis, Examined
from factory.runtime.airflow_api import AirflowRefusedError
from factory.runtime.errors import EmbeddedRuntimeError
from factory.team.limits import connections_in

_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_DEFAULT_POOL = "default_pool"
_NOT_FOUND = 404


def check_server(examined: Examined) -> Iterator[Diagnosis]:
    """Whether Airflow answers, and its parts are at work."""
    if examined.airflow is None:
        text = (
            "none runs in this project, and none is named: connections and pools were not looked at"
        )
        yield Diagnosis(
            "Airflow", "warning", text, "name one by --airflow-url, or start `factory up`"
        )
        return
    try:
        health = examined.airflow.get("/monitor/health")
        found = examined.airflow.get("/version")["version"]
    except EmbeddedRuntimeError as error:
        advice = (
            "start it, or correct --airflow-url, FACTORY_AIRFLOW_USER and FACTORY_AIRFLOW_PASSWORD"
        )
        yield Diagnosis("Airflow", "wrong", str(error), advice)
        return
    ill = [
        part for part in _PARTS if (health.get(part) or {}).get("status") not in ("healthy", None)
    ]
    if ill:
        text = f"{found} answers; not at work: {one_of(ill)}"
        yield Diagnosis("Airflow", "wrong", text, f"start {one_of(ill)}, and look at the logs")
    else:
        yield Diagnosis("Airflow", "ok", f"{found} answers, and its parts are at work")


def check_connections(examined: Examined) -> Iterator[Diagnosis]:
    """Whether the connections that team files and the platform name are there."""
    named: dict[str, set[str]] = {}
    for team, file in examined.read.teams.items():
        for _, connection in connections_in(file.team):
            named.setdefault(connection, set()).add(team)
    if (of_lake := examined.installation.storage_connection) is not None:
        named.setdefault(of_lake, set()).add("the platform")
    for connection, teams in sorted(named.items()):
        yield from _of_connection(examined, connection, one_of(sorted(teams)))


def _of_connection(examined: Examined, connection: str, teams: str) -> Iterator[Diagnosis]:
    subject = f"connection {connection}"
    variable = f"AIRFLOW_CONN_{connection.upper()}"
    if variable in os.environ:
        yield Diagnosis(subject, "ok", f"is in {variable}")
        return
    answer = _asked(examined, f"/connections/{connection}", subject)
    if isinstance(answer, Diagnosis):
        yield answer
    elif answer is not None:
        yield Diagnosis(subject, "ok", f"is there; named by {teams}")
    elif examined.airflow is not None:
        text = f"is not among Airflow's, and {teams} name{'' if ', ' in teams else 's'} it"
        advice = f"`airflow connections add {connection} …`, or set {variable}"
        if examined.is_embedded:
            yield Diagnosis(subject, "wrong", text, advice)
        else:
            advice += "; all is well where a secrets backend has it"
            yield Diagnosis(subject, "warning", text, advice)


def check_pools(examined: Examined) -> Iterator[Diagnosis]:
    """Whether the pools that team files name are there, and have slots."""
    named: dict[str, set[str]] = {}
    for team, file in examined.read.teams.items():
        named.setdefault(file.team.defaults.pool or _DEFAULT_POOL, set()).add(team)
    for pool, teams in sorted(named.items()):
        subject = f"pool {pool}"
        answer = _asked(examined, f"/pools/{pool}", subject)
        if isinstance(answer, Diagnosis):
            yield answer
        elif answer is not None and answer["slots"] == 0:
            text = f"has no slots: no task of {one_of(sorted(teams))} starts"
            yield Diagnosis(subject, "wrong", text, f"`airflow pools set {pool} 8 …`")
        elif answer is not None:
            slots = "no limit" if answer["slots"] < 0 else f"{answer['slots']} slots"
            yield Diagnosis(subject, "ok", slots)
        elif examined.airflow is not None:
            text = f"is not there: no task of {one_of(sorted(teams))} starts"
            yield Diagnosis(subject, "wrong", text, f"`airflow pools set {pool} 8 …`")


def _asked(examined: Examined, path: str, subject: str) -> dict[str, Any] | Diagnosis | None:
    """What Airflow says; None where there is nothing of the kind, or nobody to ask."""
    if examined.airflow is None:
        return None
    try:
        return examined.airflow.get(path)
    except AirflowRefusedError as error:
        if error.status == _NOT_FOUND:
            return None
        advice = "ask as a user who may see it: FACTORY_AIRFLOW_USER, FACTORY_AIRFLOW_PASSWORD"
        return Diagnosis(subject, "warning", f"Airflow refuses to say ({error.status})", advice)
    except EmbeddedRuntimeError:
        return Diagnosis(subject, "warning", "was not looked at: Airflow does not answer")
