"""A look whether a dataset's source has something to read."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from factory.base.files import TEMPORARY


@dataclass(frozen=True)
class Look:
    """What must be known to look whether there is something to read: for a task, and for the triggerer."""

    source: Mapping[str, Any]
    """The section `source`, with full names and its templates rendered."""
    incremental: Mapping[str, Any] | None
    """The section `incremental`."""
    merges: bool
    """Whether new rows replace published ones with the same keys."""
    dataset: str
    """The full name, `team.dataset`."""
    run_id: str
    full_refresh: bool
    storage: str
    """The lake's address."""
    project: str
    """The project's folder."""
    data_folders: tuple[str, ...]
    """Where files may be read."""
    workspace: str
    """The folder of all workspaces, which no source reads."""

    def missing(self, connections: Any) -> str:
        """Why there is nothing to read yet; empty where there is something.

        Args:
            connections: See `factory.data.sources.source.Connections`.

        Raises:
            TerminalError: The source cannot be used as it is.
            FactoryError: It cannot be read now.
        """
        from factory.data.folders import DataFolders
        from factory.data.incremental import Incremental, IncrementalRun
        from factory.data.sources.source import AnySource, IngestContext, Source
        from factory.lake.table import Lake

        source: Source = TypeAdapter(AnySource).validate_python(self.source)
        folders = DataFolders.of(
            Path(self.project), self.data_folders, lake=self.storage, workspace=self.workspace
        )
        team = self.dataset.partition(".")[0]
        with tempfile.TemporaryDirectory(prefix=TEMPORARY) as scratch:
            lake = Lake(self.storage)
            context = IngestContext(folders, Path(scratch), team, lake, connections=connections)
            if self.incremental is not None:
                run = IncrementalRun(self.dataset, self.run_id, self.merges, self.full_refresh)
                context = Incremental.model_validate(self.incremental).narrowed(context, run)
            return source.missing(context)
