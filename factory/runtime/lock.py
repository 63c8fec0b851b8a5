"""One runtime a home: a lock that the kernel drops when its holder dies, and what the holder says."""

import fcntl
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from factory.runtime.errors import AlreadyRunningError, EmbeddedRuntimeError
from factory.runtime.home import Home
from factory.runtime.ports import Ports

_COMMAND = "factory"


class HomeLock:
    """Held from start to stop; the file's content tells others where this runtime answers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunningError: another process holds it; names its addresses.
            EmbeddedRuntimeError: its folder cannot be written to.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise EmbeddedRuntimeError(
                f"{self._path} cannot be written ({error.strerror}): everything that runs here is kept in "
                f"{self._path.parent}. Let this user write there, make room, or run in a copy of the project"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = _holder(file.read())
            file.close()
            raise AlreadyRunningError(
                self._path.parent,
                holder.get("pid"),
                holder.get("airflow"),
                holder.get("mlflow"),
                holder.get("serving"),
                stays=bool(holder.get("stays")),
                command=holder.get("command"),
            ) from error
        self._file = file
        self._write("")

    def announce(
        self, ports: Ports, *, serving: bool = False, airflow: bool = True, stays: bool = True
    ) -> None:
        """Say where this runtime answers.

        Args:
            ports: Where its servers listen.
            serving: Whether it has a server of models.
            airflow: Whether it has an Airflow, and not MLflow alone.
            stays: Whether it runs until somebody stops it, and not for one command alone.
        """
        said: dict[str, Any] = {"pid": os.getpid(), "mlflow": ports.mlflow_url, "stays": stays}
        if (program := Path(sys.argv[0]).name) == _COMMAND:
            # The options may hold what is nobody's business.
            said["command"] = " ".join([program, *sys.argv[1:2]])
        if airflow:
            said["airflow"] = ports.airflow_url
        if serving:
            said["serving"] = ports.serving_url
        self._write(json.dumps(said))

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._file is None:
            return
        self._write("")
        self._file.close()
        self._file = None

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        self._file.truncate(0)
        self._file.write(text)
        self._file.flush()


@dataclass(frozen=True)
class Addresses:
    """Where a runtime answers."""

    airflow: str
    mlflow: str


def addresses_of(project: Path) -> Addresses | None:
    """Where the `factory up` or `factory demo` that runs in a project answers; None without one.

    What a killed runtime left written down does not count: its lock is gone with it.
    """
    try:
        file = Home.of(project).lock.open("r", encoding="utf-8")
    except OSError:
        return None
    with file:
        try:
            # Shared: others may ask at the same time.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(file.read())
        else:
            return None
    airflow, mlflow = holder.get("airflow"), holder.get("mlflow")
    return Addresses(airflow, mlflow) if airflow and mlflow else None


def _holder(text: str) -> dict[str, Any]:
    """What the lock file says of its holder; empty where it says nothing."""
    with suppress(ValueError):
        if isinstance(holder := json.loads(text), dict):
            return holder
    return {}
