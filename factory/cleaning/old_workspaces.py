"""Workspaces and temporary folders of runs that were killed."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from factory.base.files import TEMPORARY
from factory.base.workspace import OWNER
from factory.cleaning.leftover import IsLive, Leftover, Stays


def workspaces(
    folders: Iterable[Path], is_live: IsLive, *, now: float, grace: float
) -> Iterator[Leftover | Stays]:
    """The workspaces of runs that are over; an ended run removes its own, a killed one does not.

    Args:
        folders: Workspaces; they lie at `<root>/<DAG>/<run>`.
        is_live: Asked of each workspace's run.
        now: The time, in seconds of the epoch.
        grace: Seconds for which nothing is touched after its last change.
    """
    for folder in sorted(folders):
        if not folder.is_dir() or not _is_old(folder, now, grace):
            continue
        what = f"workspace {folder}"
        try:
            owner = json.loads((folder / OWNER).read_text())
            dag_id, run_id, home = owner["dag_id"], owner["run_id"], owner["airflow"]
        except (OSError, ValueError, KeyError):
            yield Stays(f"{what}: it does not say whose it is")
            continue
        live = is_live(dag_id, run_id, home)
        what = f"workspace of {dag_id} {run_id}"
        if live is None:
            yield Stays(f"{what}: no Airflow says whether the run is over")
        elif not live:
            yield Leftover(what, size_of(folder), partial(_remove, folder))


def temporary_folders(*, now: float, grace: float) -> Iterator[Leftover]:
    """The folders below the system's own that a process of this user left when it was killed."""
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{TEMPORARY}????????")):
        is_ours = (
            folder.is_dir() and not folder.is_symlink() and folder.lstat().st_uid == os.geteuid()
        )
        if is_ours and _is_old(folder, now, grace):
            yield Leftover(f"temporary folder {folder}", size_of(folder), partial(_remove, folder))


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def _is_old(folder: Path, now: float, grace: float) -> bool:
    """Whether nothing in it has changed for a while; a change in the future, by the clock, is young."""
    try:
        newest = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return False  # somebody is at work in it
    return now - newest > grace


def _remove(folder: Path) -> None:
    shutil.rmtree(folder)
    try:
        folder.parent.rmdir()
    except OSError:
        return  # other runs of the DAG have theirs beside it
