"""Whose MLflow a command uses, and whom it waits for: as the lock of the project's home says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.runtime import foreground
from factory.runtime.home import Home
from factory.runtime.lock import HomeLock, addresses_of
from factory.runtime.ports import Ports


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dags").mkdir()
    return tmp_path


class Holders:
    """Runtimes that hold the home of a project, until the test ends."""

    def __init__(self, project: Path) -> None:
        self._path = Home.of(project).lock
        self.locks: list[HomeLock] = []

    def __call__(self, *, airflow: bool = False, stays: bool) -> HomeLock:
        lock = HomeLock(self._path)
        lock.acquire()
        lock.announce(Ports(mlflow=15000), airflow=airflow, stays=stays)
        self.locks.append(lock)
        return lock


@pytest.fixture
def held(project: Path) -> Iterator[Holders]:
    holders = Holders(project)
    yield holders
    for lock in holders.locks:
        lock.release()


def test_mlflow_of_a_runtime_that_stays_is_used(project: Path, held: Holders) -> None:
    held(stays=True)
    with foreground.tracking(project, Home.of(project), _never) as variables:
        assert variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:15000"


def test_command_that_takes_a_moment_uses_any_mlflow(project: Path, held: Holders) -> None:
    held(stays=False)
    with foreground.tracking(project, Home.of(project), _never, brief=True) as variables:
        assert variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:15000"


def test_command_that_may_outlive_another_waits_for_its_end(project: Path, held: Holders) -> None:
    lock = held(stays=False)
    said: list[str] = []
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            # The other command ends, and a runtime that stays comes first.
            lock.release()
            held(airflow=True, stays=True)

    home = Home.of(project)
    with foreground.tracking(project, home, pause, on_wait=said.append) as variables:
        assert variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:15000"
    assert len(waited) == 3
    assert len(said) == 1
    assert said[0].startswith("Waiting for process ")


def test_mlflow_of_a_command_is_no_factory_that_is_up(project: Path, held: Holders) -> None:
    held(stays=False)
    assert addresses_of(project) is None


def _never(seconds: float) -> None:
    raise AssertionError(f"nobody is waited for, and not {seconds} s")
