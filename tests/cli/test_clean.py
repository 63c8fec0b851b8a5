"""`factory clean`, as a person calls it."""

import os
from pathlib import Path

import mlflow
import pytest
from typer.testing import CliRunner

from factory.base.workspace import open_workspace
from factory.cli.main import app
from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.runtime.home import Home
from tests.cleaning.test_cleaning import age
from tests.lake.publisher import Publisher

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a leftover of each kind, and a run at work."""
    import sqlite3

    for name in ("FACTORY_STORAGE", "FACTORY_WORKSPACE", "FACTORY_AIRFLOW_URL"):
        monkeypatch.delenv(name, raising=False)
    home = Home.of(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(home.airflow))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "_defaults.yaml").write_text(
        "version: 1\nstorage: lake\nworkspace: scratch\n"
    )
    log = home.airflow / "logs" / "dag_id=sea.m.train" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text("line\n")
    with sqlite3.connect(home.airflow_database) as database:
        database.execute("create table dag_run (dag_id text, run_id text, state text)")
        database.execute("insert into dag_run values ('sea.m.train', 'live', 'running')")
    for run_id in ("live", "killed"):
        open_workspace(tmp_path / "scratch", "sea.m.train", run_id)
    publish = Publisher(tmp_path)
    publish("select 1 as id")
    orphan = tmp_path / "lake/marine/penguins" / f"part-00000-x-{'0' * 64}.parquet"
    orphan.write_bytes(b"x" * 100)
    for path in (tmp_path / "scratch", tmp_path / "lake", home.airflow / "logs"):
        age(path, 40 * 24 * 3600)
    return tmp_path


@pytest.fixture
def open_runs(project: Path, mlflow_server: str) -> dict[str, str]:
    """MLflow's runs of the live run and of the killed one; both began before the grace period."""
    tracking = Tracking(mlflow_server)
    experiment = tracking.ensure_experiment(f"sea.{project.name}")
    two_days_ago = int((project / "scratch").stat().st_mtime * 1000)
    made = {}
    for run_id in ("live", "killed"):
        run = TrainingRun("sea.m", "sea.m.train", run_id, "c0ffee")
        made[run_id] = tracking.client.create_run(
            experiment, start_time=two_days_ago, tags=run.tags()
        ).info.run_id
    return made


def clean(project: Path, *arguments: str):
    return CliRunner().invoke(app, ["clean", *arguments, "--project", str(project)])


def test_each_kind_of_leftover_is_removed_and_what_is_live_stays(project, open_runs):
    dry = clean(project, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "would be removed" in dry.output
    for said in (
        "workspace of sea.m.train killed",
        f"MLflow run {open_runs['killed']} of sea.m.train killed, which was open still",
        ".parquet, which no snapshot names",
        "attempt=1.log",
    ):
        assert said in dry.output
    assert "sea.m.train live" not in dry.output
    assert len(list((project / "scratch").glob("*/*"))) == 2, "nothing was removed"

    done = clean(project)
    assert done.exit_code == 0, done.output
    [left] = (project / "scratch").glob("*/*")
    assert '"live"' in (left / "run.json").read_text()
    client = mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    states = {name: client.get_run(run).info.status for name, run in open_runs.items()}
    assert states == {"live": "RUNNING", "killed": "KILLED"}
    assert Publisher(project).rows(0) == [(1,)]
    again = clean(project)
    assert "which no snapshot names" not in again.output


def test_what_is_younger_than_asked_for_stays(project, open_runs):
    done = clean(project, "--older-than", "52w", "--keep-logs", "52w")
    assert done.exit_code == 0, done.output
    assert len(list((project / "scratch").glob("*/*"))) == 2


def test_what_is_no_duration_is_said(project):
    done = clean(project, "--older-than", "soon")
    assert done.exit_code == 1
    assert "'soon' is not a duration: write a number and a unit" in done.output
