"""The Airflow that a command asks or tells something."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.runtime.lock import addresses_of

if TYPE_CHECKING:
    from factory.runtime.airflow_api import AirflowClient

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
