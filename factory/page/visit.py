"""What a page is given: who looks, and what may be asked."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from factory.catalog import Project, read_all
from factory.documents.installation import Installation
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_facts import AirflowByRest
from factory.team.environment import active_environment

if TYPE_CHECKING:
    from factory.lake.table import Lake
    from factory.models.tracking import Tracking

StorageAccess = Callable[[str | None], AbstractContextManager[None]]
"""Lets the lake be read by a connection within the block."""


class NotThereError(Exception):
    """What a person asks for is not there, or not for this person."""


MayDo = Callable[[str, str], bool]
"""Whether the person may `read`, `edit` (pause it) or `run` a DAG: its id, and the word."""


@dataclass(frozen=True)
class Visit:
    """A person who looks at a page."""

    configs: Path
    """The folder of the team files."""
    address: str
    """Airflow's address, as this person's browser knows it."""
    token: str
    """What Airflow gave this person."""
    transport: httpx.BaseTransport | None
    """What carries questions to Airflow, if not the network."""
    may: MayDo
    storage_access: StorageAccess

    @cached_property
    def client(self) -> AirflowClient:
        """Asks Airflow, by the rights of this person."""
        return AirflowClient(self.address, token=self.token, transport=self.transport)

    def project(self) -> Project:
        """The team files, read anew."""
        return read_all(self.configs, active_environment())

    @property
    def airflow(self) -> AirflowByRest:
        """Airflow, as far as this person may see it."""
        return AirflowByRest(self.client, self.address)

    @contextmanager
    def lake(self, project: Project, team: str) -> "Iterator[Lake]":
        """The lake, reached as a team's tasks reach it, while it is in use."""
        from factory.lake.table import Lake

        installation = Installation.of(project.platform, self.configs.parent)
        with self.storage_access(installation.of_team(team).storage_connection):
            yield Lake(installation.storage)

    def tracking(self) -> "Tracking":
        """The MLflow server."""
        from factory.models.tracking import Tracking

        return Tracking()
