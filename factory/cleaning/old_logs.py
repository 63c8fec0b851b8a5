"""Logs of tasks that are older than anybody looks at."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from factory.cleaning.leftover import Leftover


def old_logs(folder: Path, *, now: float, keep: float) -> Iterator[Leftover]:
    """The logs below a folder of Airflow's, one a run or a day, that nobody has written to for so long.

    Args:
        folder: Airflow's folder of logs.
        now: The time, in seconds of the epoch.
        keep: Seconds since the last line.
    """
    for file in sorted(folder.rglob("*.log*")):
        facts = file.lstat()
        if file.is_file() and now - facts.st_mtime > keep:
            yield Leftover(f"log {file}", facts.st_size, partial(_remove, file, folder))


def _remove(file: Path, root: Path) -> None:
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == root:
            return
        try:
            folder.rmdir()
        except OSError:
            return  # other logs are in it
