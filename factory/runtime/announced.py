"""Where the runtime of a project answers, for commands that are not that runtime."""

import fcntl
from dataclasses import dataclass
from pathlib import Path

from factory.runtime.home import Home
from factory.runtime.lock import read_holder


@dataclass(frozen=True)
class Announced:
    """The addresses of a runtime."""

    airflow: str
    mlflow: str


def announced(project: Path) -> Announced | None:
    """The addresses of the `factory up` or `factory demo` that runs in a project; None without one.

    What a killed runtime left written down does not count: its lock is gone with it.
    """
    path = Home(project.resolve() / ".factory").lock
    try:
        file = path.open("r", encoding="utf-8")
    except OSError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            holder = read_holder(file.read())
        else:
            return None
    airflow, mlflow = holder.get("airflow"), holder.get("mlflow")
    return Announced(airflow, mlflow) if airflow and mlflow else None
