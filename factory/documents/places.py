"""Where this installation keeps data, as the documents name it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from factory import storage
from factory.config.team import PlatformConfig


@dataclass(frozen=True)
class Places:
    """Addresses that documents carry.

    `storage` is the lake's address, `workspace` the folder for what a run's tasks share, and
    `project` the folder that SQL files are read from.
    """

    storage: str
    workspace: str
    project: Path

    @classmethod
    def of(
        cls, platform: PlatformConfig, project: Path, environ: Mapping[str, str] = os.environ
    ) -> "Places":
        """The places of a project; FACTORY_STORAGE and FACTORY_WORKSPACE win over `_defaults.yaml`."""
        lake = environ.get("FACTORY_STORAGE") or platform.storage
        workspace = environ.get("FACTORY_WORKSPACE") or platform.workspace
        return cls(
            storage=storage.resolve(lake, project),
            workspace=str((project / workspace).resolve()),
            project=project,
        )
