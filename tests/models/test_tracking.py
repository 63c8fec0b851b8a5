import json
import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from factory.base.errors import TerminalError
from factory.lake.snapshot import Snapshot
from factory.models.tracking import Tracking, TrackingError
from factory.models.training_run import TrainingRun

SNAPSHOT = Snapshot(
    dataset="marine.penguins",
    uri="file:///lake/marine/penguins",
    version=3,
    rows=344,
    columns={"species": "VARCHAR", "bill_length_mm": "DOUBLE"},
    schema_hash="5" * 64,
    content_hash="c" * 64,
    published_at="2026-01-01T00:00:00+00:00",
)


def training_run(model):
    return TrainingRun(
        model=model,
        dag_id=f"{model}.train",
        run_id="asset_triggered__2026-01-01T00:00:00+00:00_x",
        config_hash="abc",
        trigger="asset",
        snapshots={"marine.penguins": 3},
    )


@pytest.fixture
def tracking(mlflow_server):
    return Tracking(mlflow_server)


@pytest.fixture
def run():
    return training_run(f"ecology.species_{uuid4().hex[:8]}")


def test_an_experiment_that_many_create_at_once_exists_once(mlflow_server, run):
    with ThreadPoolExecutor(8) as pool:
        ids = set(
            pool.map(lambda _: Tracking(mlflow_server).ensure_experiment(run.model), range(8))
        )
    assert len(ids) == 1


def test_a_deleted_experiment_is_terminal(tracking, run):
    tracking.client.delete_experiment(tracking.ensure_experiment(run.model))
    with pytest.raises(TerminalError, match="was deleted: restore it"):
        tracking.ensure_experiment(run.model)


def test_a_retry_finds_the_parent_run_with_its_input(tracking, run):
    experiment = tracking.ensure_experiment(run.model)
    first = tracking.start_parent(experiment, run, [SNAPSHOT])
    tracking.finish(first, "FAILED")
    assert tracking.start_parent(experiment, run, [SNAPSHOT]) == first

    parent = tracking.client.get_run(first)
    assert parent.info.status == "RUNNING"
    assert parent.data.tags["trigger"] == "asset"
    assert parent.data.tags["airflow.dag_id"] == run.dag_id
    assert parent.data.tags["snapshot.marine.penguins"] == "3"
    (found,) = parent.inputs.dataset_inputs
    assert found.dataset.name == "marine.penguins"
    assert found.dataset.source == "file:///lake/marine/penguins@3"
    assert found.dataset.digest == "cccccccccccc-v3"
    assert json.loads(found.dataset.schema)["mlflow_colspec"][0]["name"] == "species"
    assert {tag.key: tag.value for tag in found.tags}["version"] == "3"


def test_another_run_has_a_parent_of_its_own(tracking, run):
    experiment = tracking.ensure_experiment(run.model)
    other = TrainingRun(run.model, run.dag_id, "manual__it's mine", run.config_hash)
    first = tracking.start_parent(experiment, run, [SNAPSHOT])
    assert tracking.start_parent(experiment, other, []) != first
    assert tracking.find_parent(experiment, run).info.run_id == first


def test_a_child_names_its_parent_and_a_later_try_replaces_it(tracking, run):
    experiment = tracking.ensure_experiment(run.model)
    parent = tracking.start_parent(experiment, run, [])
    tags = {"trial": "0"}

    def log(value):
        return tracking.log_child(
            experiment,
            parent,
            name="Ridge",
            tags=tags,
            params={"alpha": value},
            metrics={"r2": 0.5},
            started_at=1000,
        )

    first = log("1.0")
    tracking.delete_child(experiment, parent, tags)
    second = log("2.0")
    children = tracking.client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert [child.info.run_id for child in children] == [second] != [first]
    assert children[0].info.status == "FINISHED"
    assert children[0].info.start_time == 1000
    assert children[0].data.params == {"alpha": "2.0"}
    assert children[0].data.metrics == {"r2": 0.5}


def test_files_of_a_run_are_replaced_by_a_retry(tracking, run, tmp_path):
    parent = tracking.start_parent(tracking.ensure_experiment(run.model), run, [])
    for text in ("first", "second"):
        (tmp_path / "table.csv").write_text(text)
        tracking.log_files(parent, tmp_path, at="sweep")
    artifacts = MlflowClient(tracking.uri).list_artifacts(parent, "sweep")
    assert [artifact.path for artifact in artifacts] == ["sweep/table.csv"]
    local = MlflowClient(tracking.uri).download_artifacts(parent, "sweep/table.csv", str(tmp_path))
    assert Path(local).read_text() == "second"


@pytest.mark.slow
def test_a_server_that_is_not_there_is_a_clear_error_soon_and_without_its_password():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        tracking = Tracking(f"http://me:secret@127.0.0.1:{unused.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(TrackingError, match="does not answer: check that it runs") as caught:
            tracking.ensure_experiment("team.model")
    assert time.monotonic() - start < 30
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_what_the_server_refuses_is_said(tracking):
    with pytest.raises(TrackingError, match=r"refuses: .*no-such-run"):
        tracking.log("no-such-run", metrics={"x": 1.0})


def test_without_an_address_there_is_no_tracking(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TerminalError, match="set MLFLOW_TRACKING_URI"):
        Tracking()


def test_the_address_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert Tracking().uri == "http://mlflow:5000"
