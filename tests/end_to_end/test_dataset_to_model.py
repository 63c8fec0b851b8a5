"""Rows in, a model out, by datasets alone: what the whole system promises, on a real Airflow.

The tests build on each other, as days in the life of one installation do.
"""

import json
from collections import Counter

import pytest
from mlflow import MlflowClient

from tests.end_to_end.conftest import CONSUMER, PRODUCER, TRIALS, Chain, Installation


def mlflow_of(installation: Installation) -> MlflowClient:
    url = installation.runtime.ports.mlflow_url
    return MlflowClient(tracking_uri=url, registry_uri=url)


def test_dataset_starts_training_and_training_reads_the_events_snapshot(
    installation: Installation, first: Chain
):
    assert (first.producer.state, first.training.state) == ("success", "success")
    assert first.training.run_type == "asset_triggered"
    (upstream,) = installation.airflow.upstream_asset_events(CONSUMER, first.training.dag_run_id)
    assert upstream.id == first.event.id
    assert first.event.extra["version"] == 0
    assert first.event.extra["rows"] == 150
    assert first.event.extra["checks"]["passed"] == 2

    mlflow = mlflow_of(installation)
    experiment = mlflow.get_experiment_by_name("lab.species")
    runs = mlflow.search_runs([experiment.experiment_id])
    roles = Counter(run.data.tags["role"] for run in runs)
    assert roles == {"sweep": 1, "trial": TRIALS}
    assert {run.data.tags["snapshot.sea.catches"] for run in runs} == {"0"}
    assert {run.data.tags["trigger"] for run in runs} == {"asset"}


def test_each_hyperparameter_set_is_one_instance_of_the_mapped_group(
    installation: Installation, first: Chain
):
    tasks = installation.airflow.tasks(CONSUMER, first.training.dag_run_id)
    for name in ("trial.fit", "trial.evaluate"):
        instances = [task for task in tasks if task.task_id == name]
        assert sorted(task.map_index for task in instances) == list(range(TRIALS))
        labels = {task.rendered_map_index for task in instances}
        assert len(labels) == TRIALS
        assert any("C=0.1" in label for label in labels)


def test_winner_is_registered_with_its_data_and_can_be_loaded(
    installation: Installation, first: Chain
):
    result = installation.airflow.xcom(CONSUMER, first.training.dag_run_id, "register")
    assert result["model"] == "lab.species"
    assert result["trials"] == TRIALS
    assert result["score"] > 0.8
    version = mlflow_of(installation).get_model_version("lab.species", result["version"])
    assert version.tags["snapshot.sea.catches"] == "0"
    assert mlflow_of(installation).get_model_version_by_alias("lab.species", "champion")


def test_workspaces_are_gone_when_runs_have_ended(installation: Installation, first: Chain):
    left = [
        path for path in (installation.project / ".factory/workspace").rglob("*") if path.is_file()
    ]
    assert left == []


def test_lineage_events_name_the_dataset_and_the_version(installation: Installation, first: Chain):
    events = [
        json.loads(line) for line in installation.runtime.home.lineage.read_text().splitlines()
    ]
    completed = {
        event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"
    }
    (read,) = completed[f"{CONSUMER}.split"]["inputs"]
    (written,) = completed[f"{PRODUCER}.publish"]["outputs"]
    assert read["name"].endswith("/sea/catches")
    assert (read["namespace"], read["name"]) == (written["namespace"], written["name"])
    assert read["facets"]["version"]["datasetVersion"] == "0"
    assert written["facets"]["version"]["datasetVersion"] == "0"


@pytest.fixture(scope="module")
def unchanged(installation: Installation, first: Chain):
    return installation.produce()


def test_republishing_unchanged_content_emits_no_event(installation: Installation, unchanged):
    assert unchanged.state == "success"
    tasks = installation.airflow.tasks(PRODUCER, unchanged.dag_run_id)
    states = {task.task_id: task.state for task in tasks}
    assert states["publish"] == "skipped"
    assert states["close_workspace"] == "success"
    assert len(installation.events()) == 1


@pytest.fixture(scope="module")
def refused(installation: Installation, unchanged):
    installation.write_rows(species=(7, None))
    return installation.produce()


def test_failing_check_emits_no_event_and_starts_no_training(installation: Installation, refused):
    assert refused.state == "failed"
    tasks = installation.airflow.tasks(PRODUCER, refused.dag_run_id)
    states = {task.task_id: task.state for task in tasks}
    assert (states["check"], states["publish"]) == ("failed", "upstream_failed")
    assert states["close_workspace"] == "success"
    assert len(installation.events()) == 1
    log = installation.log_of(refused, "check")
    assert "not_null" in log
    assert "1 row" in log
    # No retry can mend bad rows: the task has failed at its first attempt.
    assert [task.try_number for task in tasks if task.task_id == "check"] == [1]


@pytest.fixture(scope="module")
def second(installation: Installation, refused) -> Chain:
    installation.write_rows(petal_length=(3, 1.9))
    producer = installation.produce()
    _, event = installation.events()
    return Chain(producer, event, installation.training_after(event))


def test_changed_rows_make_a_new_snapshot_a_new_run_and_a_new_model_version(
    installation: Installation, first: Chain, second: Chain
):
    assert second.event.extra["version"] == 1
    assert second.event.extra["content_hash"] != first.event.extra["content_hash"]
    assert second.training.state == "success"
    # One training run an event: neither the unchanged nor the refused rows have started one.
    assert len(installation.airflow.runs(CONSUMER)) == 2
    results = [
        installation.airflow.xcom(CONSUMER, chain.training.dag_run_id, "register")
        for chain in (first, second)
    ]
    assert [result["version"] for result in results] == ["1", "2"]
    assert [result["snapshots"] for result in results] == [{"sea.catches": 0}, {"sea.catches": 1}]


def test_broken_team_takes_nothing_away_and_shows_its_line(
    installation: Installation, second: Chain
):
    airflow = installation.airflow
    broken = installation.project / "configs" / "reef.yaml"
    broken.write_text(
        "version: 1\nteam: reef\nowner: reef@example.org\n"
        "datasets:\n  corals:\n    source: {type: csv, paht: data/corals.csv}\n"
    )
    try:
        (problem,) = airflow.wait_until(airflow.import_errors, "an import error", seconds=90)
        assert problem.filename.endswith("config_errors.py")
        assert "reef.yaml:6:" in problem.stack_trace
        assert "paht" in problem.stack_trace
        # The healthy teams have been parsed beside it, and run as before.
        for dag_id in (PRODUCER, CONSUMER):
            airflow.reparse(dag_id)
        assert installation.produce().state == "success"
        dags = {dag.dag_id: dag for dag in airflow.dags()}
        assert {PRODUCER, CONSUMER} <= set(dags)
        assert not dags[PRODUCER].is_stale
        assert not dags[CONSUMER].is_stale
    finally:
        broken.unlink()
    airflow.wait_until(lambda: not airflow.import_errors(), "no import error", seconds=90)
