"""A project in a temporary folder, in which something is inspected."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from factory.data.profile.inspection import Inspection
from factory.data.profile.targets import Asked, Project, inspect
from factory.lake.table import Lake


class InspectedProject:
    """A project with the folders `configs`, `data`, `lake`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("configs", "data", "workspace"):
            (folder / name).mkdir()
        self.lake = Lake((folder / "lake").as_uri())

    def write(self, name: str, content: str | bytes) -> str:
        """A file below `data`; its path."""
        file = self.folder / "data" / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    def inspect(self, *what: str, **asked: Any) -> Inspection:
        @contextmanager
        def lake() -> Iterator[Lake]:
            yield self.lake

        return inspect(what, Asked(**asked), Project(self.folder, ("data",), (), lake))

    def look(self, content: str | bytes, name: str = "table.csv") -> Inspection:
        """What is found in a file with this content."""
        return self.inspect(self.write(name, content))

    def accept(self, found: Inspection) -> str:
        """Write the YAML as a team's file; the full name of its dataset."""
        team = yaml.safe_load(found.yaml)
        (self.folder / "configs" / f"{team['team']}.yaml").write_text(found.yaml)
        [dataset] = team["datasets"]
        return f"{team['team']}.{dataset}"


def section(found: Inspection) -> dict[str, Any]:
    """The dataset of the YAML."""
    [dataset] = yaml.safe_load(found.yaml)["datasets"].values()
    return dataset


def kinds(found: Inspection) -> set[tuple[str, str]]:
    """The column and the kind of each suspicion."""
    return {(one.column, one.kind) for one in found.suspicions}
