"""The processes of a runtime: starting, finding and ending them.

Each process carries an environment variable that names its runtime, and so do all its descendants,
whatever session or group they put themselves into. Processes are ended by id, found by that mark.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from factory.base.processes import GRACE, end
from factory.runtime.home import OWNER_ONLY
from factory.runtime.variables import MARKER

POLL = 0.2
"""Seconds between two questions to a server or about a process."""


@dataclass(frozen=True)
class Mark:
    """What the environment of a runtime's processes says: which run, of which component, in which home."""

    run: str
    component: str
    home: Path

    def __str__(self) -> str:
        return f"{self.run}:{self.component}:{self.home}"

    @classmethod
    def of(cls, process: psutil.Process) -> "Mark | None":
        """The mark of a process; None where there is none, or none that we may read."""
        try:
            text = process.environ().get(MARKER, "")
        except (psutil.Error, OSError):
            return None
        match text.split(":", 2):
            case [run, component, home]:
                return cls(run, component, Path(home))
        return None


@dataclass(frozen=True)
class Component:
    """One supervised process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def launch(
        cls,
        name: str,
        command: list[str],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
    ) -> "Component":
        """Start a command in a session of its own, its output appended to `log`."""
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=folder,
                env=dict(environment),
                stdin=stdin,
                umask=OWNER_ONLY,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, process, log)

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return tail(self.log, lines)


def tail(path: Path, lines: int) -> str:
    """The last lines of a file, reading no more than its last 64 KiB."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def members(
    home: Path, *, run: str | None = None, component: str | None = None
) -> list[psutil.Process]:
    """The processes of the runtime in `home`; of one run, or of all, and likewise of one component."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        mark = Mark.of(process)
        if (
            mark
            and mark.home == home
            and run in (None, mark.run)
            and component in (None, mark.component)
        ):
            found.append(process)
    return found


def sweep(home: Path, *, run: str | None = None, grace: float = GRACE) -> int:
    """End every process of a runtime, also those that appear meanwhile; returns how many.

    Args:
        home: The runtime's folder.
        run: Of this run only; of every run in that home when left out.
        grace: Seconds that they have to end by themselves.
    """
    ended = 0
    for attempt in range(5):
        found = members(home, run=run)
        if not found:
            break
        end(found, grace=grace if attempt == 0 else 0)
        ended += len(found)
    return ended
