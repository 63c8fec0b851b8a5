"""The Airflow that a command asks or tells something."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.cli.console import failures_explained
from factory.runtime.lock import addresses_of

if TYPE_CHECKING:
    from factory.runtime.airflow_api import AirflowClient
    from factory.runtime.airflow_facts import AirflowByRest

USER, PASSWORD = "FACTORY_AIRFLOW_USER", "FACTORY_AIRFLOW_PASSWORD"
"""The environment variables that say who asks an Airflow that wants to know."""

AirflowOption = Annotated[
    str | None,
    typer.Option(
        help="Which Airflow; the one that runs in the project if left out. The variables "
        f"{USER} and {PASSWORD} say who asks it.",
        envvar="FACTORY_AIRFLOW_URL",
    ),
]

NO_AIRFLOW = "no Airflow runs in this project, and none is named by --airflow-url"


def airflow_address(project: Path, airflow_url: str | None) -> str | None:
    """Where the Airflow answers that is named, or else the one that runs in the project; None without any."""
    if airflow_url is not None:
        return airflow_url.rstrip("/")
    running = addresses_of(project)
    return running.airflow if running else None


def airflow_client(address: str) -> "AirflowClient":
    """A client, as the user that the environment names."""
    # Late: importing it takes a fifth of a second.
    from factory.runtime.airflow_api import AirflowClient

    return AirflowClient(address, username=os.environ.get(USER), password=os.environ.get(PASSWORD))


@contextmanager
def running_airflow(project: Path, airflow_url: str | None) -> Iterator["AirflowByRest | None"]:
    """The Airflow to ask, while it is in use; None where none runs in the project and none is named.

    To be asked before an MLflow is started for a command: that counts as a runtime of the project too.

    Raises:
        typer.Exit: The one that is named does not answer.
    """
    with failures_explained():
        address = airflow_address(project, airflow_url)
        if address is None:
            yield None
            return
        from factory.runtime.airflow_api import NoAnswerFromAirflowError
        from factory.runtime.airflow_facts import AirflowByRest

        with airflow_client(address) as client:
            found: AirflowByRest | None = AirflowByRest(client, address)
            try:
                client.get("/version")
            except NoAnswerFromAirflowError:
                if airflow_url is not None:
                    raise
                # A runtime that has no Airflow: another command's.
                found = None
            yield found
