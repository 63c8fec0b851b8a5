"""What a killed `factory run` leaves, and the next one removes."""

import sqlite3
from pathlib import Path

import pytest

from factory.base.workspace import open_workspace
from factory.cli.run import remove_what_killed_runs_left
from factory.runtime.home import Home
from factory.runtime.recorded_runs import in_foreground


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which a `factory run` was killed: its database calls the run running for ever."""
    monkeypatch.delenv("FACTORY_WORKSPACE", raising=False)
    home = Home.of(tmp_path)
    home.foreground.airflow.mkdir(parents=True)
    with sqlite3.connect(home.foreground.airflow_database) as database:
        database.execute("create table dag_run (dag_id text, run_id text, state text)")
        database.execute("insert into dag_run values ('sea.raw', 'killed', 'running')")
    for run_id, airflow in (("killed", home.foreground.airflow), ("of factory up", home.airflow)):
        monkeypatch.setenv("AIRFLOW_HOME", str(airflow))
        open_workspace(home.folder / "workspace", "sea.raw", run_id)
    return tmp_path


def workspaces(project: Path) -> int:
    return len(list((project / ".factory" / "workspace").glob("*/*")))


def test_next_run_removes_the_workspace_of_a_killed_one_and_no_other(project):
    with in_foreground(Home.of(project)):
        pass  # the killed one: the kernel has taken its lock back
    remove_what_killed_runs_left(project, Home.of(project))
    assert workspaces(project) == 1


def test_run_that_is_at_work_keeps_its_workspace(project):
    with in_foreground(Home.of(project)):
        remove_what_killed_runs_left(project, Home.of(project))
    assert workspaces(project) == 2
