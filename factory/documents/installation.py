"""Where this installation keeps data, as the documents name it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from factory.base.section import DATA_FOLDERS
from factory.data.sample import VARIABLE as SAMPLE
from factory.documents.dag import Shared
from factory.lake.storage import address as storage
from factory.team.environment import storage_address
from factory.team.team import PlatformConfig


@dataclass(frozen=True)
class Installation:
    """What documents need to know of where they run.

    `storage` is the lake's address, `workspace` the folder for what a run's tasks share, and
    `project` the folder that SQL files are read from.
    """

    storage: str
    workspace: str
    project: Path
    storage_connection: str | None = None
    """The Airflow connection by which tasks reach storage; None where it needs none."""
    create_bucket: bool = False
    """Whether runs make the bucket of storage if it is not there."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """USD an hour, by instance type."""

    data_folders: tuple[str, ...] = DATA_FOLDERS
    """The folders of the project below which sources may read files."""
    internal_hosts: tuple[str, ...] = ()
    """Servers of the worker's own network that sources may ask, and notifiers tell."""

    team_connections: Mapping[str, str] = field(default_factory=dict)
    """The Airflow connection by which a team's tasks reach storage, where it has one of its own."""

    is_sample: bool = False
    """Whether its runs are those of a sample, of which nobody outside is to hear."""

    def of_team(self, team: str) -> "Installation":
        """The installation as one team's tasks reach it."""
        own = self.team_connections.get(team)
        return self if own is None else replace(self, storage_connection=own)

    def shared(self, **facts: Any) -> Shared:
        """What all tasks of a DAG share: where data lies, and these facts."""
        return Shared(
            self.storage,
            self.workspace,
            self.storage_connection,
            self.data_folders,
            self.internal_hosts,
            **facts,
        )

    @classmethod
    def of(
        cls, platform: PlatformConfig, project: Path, environ: Mapping[str, str] = os.environ
    ) -> "Installation":
        """The installation of a project.

        FACTORY_STORAGE, FACTORY_STORAGE_CONNECTION and FACTORY_WORKSPACE win over `_defaults.yaml`.
        """
        lake = storage_address(platform.storage, project, environ)
        in_s3 = storage.is_s3(lake)
        connection = environ.get("FACTORY_STORAGE_CONNECTION") or platform.storage_connection
        workspace = environ.get("FACTORY_WORKSPACE") or platform.workspace
        return cls(
            storage=lake,
            workspace=str((project / workspace).resolve()),
            project=project,
            storage_connection=connection if in_s3 else None,
            create_bucket=platform.create_bucket and in_s3,
            prices=platform.prices,
            data_folders=platform.data_folders,
            internal_hosts=platform.internal_hosts,
            is_sample=bool(environ.get(SAMPLE)),
            team_connections={
                name: limits.storage_connection
                for name, limits in platform.teams.items()
                if limits.storage_connection and in_s3
            },
        )
