"""The platform's own DAG among those of teams: there where it is asked for, and nowhere else."""

from pathlib import Path

import pytest

TEAM = """\
version: 1
team: maintenance
owner: a@example.org
datasets: {raw: {source: {type: csv, path: data/a.csv}}}
"""


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    folder = tmp_path / "configs"
    folder.mkdir()
    # A team may have the DAG's name: ids of teams' DAGs have a dot.
    (folder / "maintenance.yaml").write_text(TEAM)
    return folder


def test_maintenance_is_a_dag_where_the_platform_asks_for_it(configs):
    from factory.airflow.load import load_all, load_one

    (configs / "_defaults.yaml").write_text("version: 1\nmaintenance: {schedule: '@weekly'}\n")
    assert set(load_all(configs)) == {"maintenance", "maintenance.raw"}
    [dag] = load_one(configs, "maintenance").values()
    assert dag.schedule == "@weekly"
    assert set(dag.task_ids) == {"workspaces", "lake", "mlflow", "logs"}
    assert set(load_one(configs, "maintenance.raw")) == {"maintenance.raw"}


def test_there_is_none_by_default(configs):
    from factory.airflow.load import load_all, load_one

    assert set(load_all(configs)) == {"maintenance.raw"}
    assert load_one(configs, "maintenance") == {}


def test_tasks_take_away_what_is_old(configs, tmp_path, monkeypatch):
    """The tasks' functions, as Airflow calls them; whom they ask for runs is in `live_runs`."""
    import os
    from types import SimpleNamespace

    from factory.airflow.tasks import maintenance
    from factory.base.workspace import open_workspace
    from factory.lake.table import Lake

    folder = open_workspace(tmp_path / "scratch", "sea.raw", "manual__1")
    image = tmp_path / "lake/sea/_files/aa" / f"{'a' * 64}.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"bytes")
    for path in (folder, *folder.iterdir(), image):
        os.utime(path, (0, 0))
    run = SimpleNamespace(
        shared=SimpleNamespace(workspace=str(tmp_path / "scratch")),
        lake=Lake((tmp_path / "lake").as_uri()),
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = maintenance.workspaces(run=run, grace=60)
    # There is no Airflow to ask here: nothing says that the run is over.
    assert (found["removed"], found["stays"]) == (
        0,
        ["workspace of sea.raw manual__1: no Airflow says whether the run is over"],
    )
    assert maintenance.lake(run=run, grace=60) == {"removed": 1, "bytes": 5, "stays": []}
    assert not image.exists()
