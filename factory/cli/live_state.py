"""What Airflow says of the DAGs that it has, for `factory plan --against live`."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import typer

from factory.cli.airflow_access import NO_AIRFLOW, airflow_address, airflow_client
from factory.cli.console import failed

if TYPE_CHECKING:
    from factory.changes.live import LiveState
    from factory.changes.plan import State

_AT_ONCE = 8
_NOT_TOLD = (
    "note: this Airflow does not say which commit it has read, so that its DAGs are compared by what its API tells: "
    "words, tags, schedules, `default_args` and whole sections of models. Of datasets and predictions it "
    "does not tell sources, transforms and limits of checks; where these changed alone, nothing is shown"
)


def live_state(now: "State", airflow_url: str | None) -> "LiveState | str":
    """The commit that Airflow has read all DAGs of teams from; else their state as far as Airflow tells it.

    Args:
        now: The files as they are.
        airflow_url: Which Airflow; the one that runs in the project if left out.

    Raises:
        typer.Exit: There is no Airflow.
        EmbeddedRuntimeError: It does not answer, or refuses.
    """
    from factory.changes.live import LiveState

    address = airflow_address(now.installation.project, airflow_url)
    if address is None:
        raise failed(f"nothing to compare with: {NO_AIRFLOW}")
    with airflow_client(address) as airflow:
        teams = now.read.catalog.teams.keys() | {name.partition(".")[0] for name in now.documents}
        known = airflow.dags()
        ours = [dag for dag in known if dag.dag_id.partition(".")[0] in teams]
        commits = {dag.bundle_version for dag in ours}
        if len(commits) == 1 and (commit := commits.pop()):
            return commit
        airflow.import_errors()  # asks for a token, which threads then share
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            details = pool.map(airflow.get, (f"/dags/{dag.dag_id}/details" for dag in known))
            told: Mapping[str, Any] = {one["dag_id"]: one for one in details}
        refused = "\n".join(one.stack_trace for one in airflow.import_errors())
    typer.echo(_NOT_TOLD, err=True)
    return LiveState.against(now, told, refused)
