"""Which runs are waiting or at work, as the databases of a project's own Airflows say."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from factory.runtime.home import Home

_LIVE = ("queued", "running")


class RecordedRuns:
    """The runs of `factory up` and `factory run` in a project, whether these are up or not."""

    def __init__(self, home: Home) -> None:
        """Read nothing yet."""
        self._homes = (home, home.foreground)

    def is_live(self, dag_id: str, run_id: str, airflow_home: str | None) -> bool | None:
        """Whether a run is waiting or at work; None if no Airflow of this project is its own.

        Args:
            dag_id: The DAG's id.
            run_id: The run's.
            airflow_home: The AIRFLOW_HOME that the run belongs to; None asks all.
        """
        homes = [
            home
            for home in self._homes
            if airflow_home in (None, str(home.airflow)) and home.airflow_database.is_file()
        ]
        if not homes:
            return None
        return any(_has(home, dag_id, run_id) and not _is_dead(home) for home in homes)


def _has(home: Home, dag_id: str, run_id: str) -> bool:
    address = f"{home.airflow_database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=60)) as database:
        found = database.execute(
            "select state from dag_run where dag_id = ? and run_id = ?", (dag_id, run_id)
        ).fetchone()
    return found is not None and found[0] in _LIVE


def _is_dead(home: Home) -> bool:
    """Whether nobody goes on with the runs that are open: those of a `factory run` that was killed."""
    try:
        file = home.foreground_lock.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def is_at_work(home: Home) -> bool:
    """Whether a `factory run` is at work in a home."""
    own = home.foreground
    return own.foreground_lock.exists() and not _is_dead(own)


@contextmanager
def in_foreground(home: Home) -> Iterator[None]:
    """Say for as long as the block lasts that a `factory run` is at work; several may be.

    The kernel takes it back when the process dies.
    """
    file = home.foreground.foreground_lock
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
