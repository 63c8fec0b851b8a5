"""What stories are made of: chapters, each with something that arrives and what follows from it."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from factory.runtime.embedded import EmbeddedRuntime


@dataclass(frozen=True)
class Chapter:
    """Something arrives, and one DAG is told to fetch it; all else follows by datasets."""

    title: str
    arrive: Callable[[Path], int]
    """Writes what arrives below the project's `data`; how much it is."""
    what: str
    """What arrives, in the plural."""
    producer: str
    """The DAG that fetches it."""
    awake: frozenset[str]
    """The DAGs that may run; the others are paused as yet."""


def _nothing_more(_about: Path | EmbeddedRuntime) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Story:
    """A project of its own, and what happens in it."""

    chapters: tuple[Chapter, ...]
    environment: str | None = None
    """The environment of its team files, unless FACTORY_ENVIRONMENT names one."""
    prepare: Callable[[Path], object] = _nothing_more
    """Puts into the project, below the folder given, what must be there from the start."""
    ending: Callable[[EmbeddedRuntime], Iterable[str]] = _nothing_more
    """What there is to say at the end, line by line."""


def make_project(folder: Path, *, package: str) -> None:
    """Make a project of team files that ship with the factory.

    Args:
        folder: The project's folder; made if it is not there.
        package: The package that has them in its folder `configs`.
    """
    from factory.starter_project.project_files import dag_files, write_files

    with as_file(files(package) / "configs") as configs:
        shutil.copytree(configs, folder / "configs", dirs_exist_ok=True)
    write_files(folder, dag_files(), {})
