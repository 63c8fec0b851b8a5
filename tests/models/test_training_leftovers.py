"""What training runs leave behind in MLflow is ended, or taken away where it was created twice."""

import mlflow
import pytest

from factory.models import registry
from factory.models.tracking import Tracking
from factory.models.training_leftovers import delete_duplicate_versions, end_open_runs
from factory.models.training_run import TrainingRun
from tests.training.models import model, penguins
from tests.training.training import Training


@pytest.fixture
def run(request) -> TrainingRun:
    name = f"left.{request.node.name[-40:]}"
    return TrainingRun(name, f"{name}.train", "manual__1", "c0ffee")


@pytest.fixture
def tracking(mlflow_server) -> Tracking:
    return Tracking(mlflow_server)


def end(tracking: Tracking, run: TrainingRun, **how: str) -> int:
    return end_open_runs(tracking, run.model, dag_id=run.dag_id, run_id=run.run_id, **how)


def statuses(tracking: Tracking, experiment: str) -> dict[str, str]:
    return {
        found.info.run_id: found.info.status for found in tracking.client.search_runs([experiment])
    }


def test_an_open_run_is_ended_and_no_other(tracking, run):
    assert not end(tracking, run)
    experiment = tracking.ensure_experiment(run.model)
    assert not end(tracking, run)
    parent = tracking.start_parent(experiment, run, [])
    assert end(tracking, run, status="KILLED") == 1
    assert statuses(tracking, experiment) == {parent: "KILLED"}
    tracking.finish(parent)
    assert not end(tracking, run, status="KILLED")
    assert statuses(tracking, experiment) == {parent: "FINISHED"}


def test_runs_that_were_created_twice_are_deleted_and_killed_trials_ended(tracking, run):
    experiment = tracking.ensure_experiment(run.model)
    parent = tracking.start_parent(experiment, run, [])
    place = {**run.tags(), "role": "trial", "trial_index": "0"}
    child = tracking.log_child(
        experiment, parent, name="a", tags=place, params={}, metrics={"auc": 0.5}
    )
    killed = {**place, "trial_index": "1"}
    # As a client repeats what was not answered: once more, and nobody knows of it.
    tracking.client.create_run(experiment, tags={**run.tags(), "role": "sweep"})
    tracking.client.create_run(experiment, tags=place)
    open_for_ever = tracking.client.create_run(experiment, tags=killed).info.run_id
    tracking.finish(parent)
    assert end(tracking, run) == 3
    assert statuses(tracking, experiment) == {
        parent: "FINISHED",
        child: "FINISHED",
        open_for_ever: "FAILED",
    }


def test_another_training_run_keeps_its_open_runs(tracking, run):
    experiment = tracking.ensure_experiment(run.model)
    other = TrainingRun(run.model, run.dag_id, "manual__2", run.config_hash)
    parent = tracking.start_parent(experiment, other, [])
    assert not end(tracking, run)
    assert statuses(tracking, experiment) == {parent: "RUNNING"}


@pytest.fixture(scope="module")
def training(tmp_path_factory, mlflow_server) -> Training:
    """A training run whose model was registered three times."""
    found = Training(penguins(), model(), tmp_path_factory.mktemp("twice"), mlflow_server)
    found.plan()
    found.chosen = found.select([found.evaluate(trial.index) for trial in found.planned.trials])
    found.tested = found.test(found.chosen)
    found.register(found.chosen, found.tested)
    repeat(found, 2)
    return found


def repeat(training: Training, times: int) -> None:
    """Register version 1 again, as a client does that repeats what was not answered."""
    mlflow.set_tracking_uri(training.tracking.uri)
    version = training.tracking.client.get_model_version(training.name, "1")
    for _ in range(times):
        mlflow.register_model(version.source, training.name, tags=version.tags)


def numbers(training: Training) -> list[int]:
    return [one.number for one in registry.versions(training.name, tracking=training.tracking)]


def test_a_retry_of_the_registration_deletes_what_was_registered_twice(training):
    assert numbers(training) == [3, 2, 1]
    found = training.register(training.chosen, training.tested)
    assert numbers(training) == [found.record.version]
    assert not found.is_new
    assert (
        registry.with_alias(training.name, "challenger", tracking=training.tracking).number
        == found.record.version
    )


def test_what_is_or_was_in_production_and_what_people_registered_stay(training):
    client, name = training.tracking.client, training.name
    version = client.get_model_version(name, str(numbers(training)[0]))
    mlflow.set_tracking_uri(training.tracking.uri)

    def again(**tags: str) -> int:
        made = mlflow.register_model(version.source, name, tags={**version.tags, **tags})
        return int(made.version)

    in_production, was_there, twice = again(), again(promoted_at="2024-01-01"), again()
    client.set_registered_model_alias(name, "champion", str(in_production))
    deleted = delete_duplicate_versions(training.tracking, name, keep=int(version.version))
    assert deleted == [twice]
    assert numbers(training) == [was_there, in_production, int(version.version)]
    by_hand = [
        int(mlflow.register_model(version.source, f"{name}_by_hand").version) for _ in range(2)
    ]
    assert delete_duplicate_versions(training.tracking, f"{name}_by_hand", keep=1) == []
    assert by_hand == [1, 2]
