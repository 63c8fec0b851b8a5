"""The record of a version: in the registry, in a folder, and where a version has none yet."""

import json

import mlflow
import pytest

from factory.base.errors import TerminalError
from factory.deploy.model_folder import fill_model_folder
from factory.models import registry
from factory.models.predictor import load_predictor
from factory.models.record import RECORD, ModelColumn, ModelRecord
from factory.serving.folder import load_folder
from factory.serving.limits import ServingLimits
from tests.models.records import record
from tests.training.models import model, penguins
from tests.training.training import Training


@pytest.fixture(scope="module")
def training(tmp_path_factory, mlflow_server) -> Training:
    training = Training(penguins(), model(), tmp_path_factory.mktemp("run"), mlflow_server)
    training.registered = training.all().record
    return training


@pytest.fixture(scope="module")
def registered_before(training) -> ModelRecord:
    """The same model, registered as it was done before there were records."""
    client = training.tracking.client
    source = client.get_model_version(training.name, "1")
    tags = {key: value for key, value in source.tags.items() if key != RECORD}
    tags |= {metric: repr(value) for metric, value in training.registered.metrics.items()}
    mlflow.set_tracking_uri(training.tracking.uri)
    name = f"{training.name}_before"
    mlflow.register_model(source.source, name, tags=tags)
    return registry.version(name, 1, tracking=training.tracking).record


def test_the_registry_gives_back_what_was_registered(training):
    found = registry.version(training.name, 1, tracking=training.tracking).record
    assert found == training.registered
    assert (found.model, found.version, found.task) == (training.name, 1, "classification")
    assert found.estimator == "sklearn.linear_model.LogisticRegression"
    assert found.packages == ("sklearn",)
    assert found.snapshots == {"marine.penguins": 3}
    assert found.config_hash == training.run.config_hash
    assert found.mlflow_run_id == training.planned.sweep.parent_run_id
    assert found.features == training.split.features
    assert found.outputs == ("string",)
    assert ModelColumn(name="bill_length_mm", type="double", nullable=True) in found.inputs


def test_what_people_look_at_stands_in_tags_of_its_own(training):
    found = training.registered
    tags = registry.version(training.name, 1, tracking=training.tracking).tags
    assert tags["task"] == found.task
    assert tags["estimator"] == found.estimator
    assert tags["packages"] == "sklearn"
    assert tags["sha256"] == found.sha256
    assert tags["config_hash"] == found.config_hash
    assert tags["snapshot.marine.penguins"] == "3"


def test_a_version_without_a_record_is_read_from_its_other_tags(training, registered_before):
    told_by_files = {"inputs": training.registered.inputs, "outputs": training.registered.outputs}
    of_registry = {
        "model": registered_before.model,
        "registered_at": registered_before.registered_at,
        "mlflow_run_id": registered_before.mlflow_run_id,
        # Which trainer it was, the estimator tells.
        "trainer": "",
        # Nobody wrote down then what it said, and on how many rows it was tested.
        "example": None,
        "test_rows": None,
    }
    expected = training.registered.model_copy(update=of_registry)
    assert registered_before.inputs == ()
    assert registered_before.model_copy(update=told_by_files) == expected


def test_a_version_without_a_record_predicts_and_knows_its_columns(training, registered_before):
    predictor = load_predictor(registered_before, tracking=training.tracking)
    assert predictor.record.inputs == training.registered.inputs
    assert len(predictor.predict(predictor.example).values) == len(predictor.example)


def test_a_version_without_the_tag_task_asks_its_run(training):
    name = f"{training.name}_first"
    mlflow.set_tracking_uri(training.tracking.uri)
    source = training.tracking.client.get_model_version(training.name, "1").source
    mlflow.register_model(source, name)
    found = registry.version(name, 1, tracking=training.tracking)
    assert "task" not in found.tags
    assert found.record.task == "classification"


def test_a_folder_of_the_release_before_is_served(training, tmp_path):
    """What was written into container images and archives before it was a record."""
    folder, found = tmp_path / "model", training.registered
    fill_model_folder(found, folder, training.tracking)
    written_before = {
        "model": found.model,
        "version": 1,
        "task": "classification",
        "estimator": "sklearn.linear_model.LogisticRegression",
        "packages": ["sklearn"],
        "sha256": found.sha256,
        "registered_at": "2024-01-31T12:00:00Z",
    }
    (folder / "release.json").write_text(json.dumps(written_before))
    served = load_folder(folder, ServingLimits())
    assert (served.version.model, served.version.number) == (found.model, 1)
    assert served.contract.features == found.inputs


def test_a_folder_holds_the_whole_record(training, tmp_path):
    fill_model_folder(training.registered, tmp_path / "model", training.tracking)
    assert ModelRecord.read(tmp_path / "model") == training.registered


@pytest.mark.parametrize("changes", [{"model": "species"}, {"task": None}, {"model": "a.b.c"}])
def test_a_file_that_names_no_trained_model_is_refused(tmp_path, changes):
    record().model_copy(update=changes).write(tmp_path)
    with pytest.raises(TerminalError, match="is not what `factory` writes"):
        ModelRecord.read(tmp_path)


def test_what_a_later_release_writes_is_left_out():
    tags = record().as_tags()
    later = {RECORD: json.dumps({**json.loads(tags[RECORD]), "invented_later": [1]})}
    read = ModelRecord.from_tags(
        later, model="ecology.species", version=1, registered_at=record().registered_at
    )
    assert read == record()


def test_a_metric_that_is_no_number_survives():
    given = record(metrics={"test_r2": float("nan"), "test_max_error": float("inf")})
    read = ModelRecord.from_tags(
        given.as_tags(), model=given.model, version=1, registered_at=given.registered_at
    )
    assert str(read.metrics) == "{'test_r2': nan, 'test_max_error': inf}"


def test_more_columns_than_a_tag_holds_are_left_to_the_models_files():
    many = [
        ModelColumn(name=f"column {number:050}", type="double", nullable=False)
        for number in range(2000)
    ]
    given = record(inputs=many, outputs=("double",))
    tags = given.as_tags()
    assert len(tags[RECORD]) < 1000
    read = ModelRecord.from_tags(
        tags, model=given.model, version=1, registered_at=given.registered_at
    )
    assert read == given.model_copy(update={"inputs": ()})


def test_a_version_that_no_training_run_registered_is_refused():
    with pytest.raises(TerminalError, match="no tag `task`: it was not registered by a training"):
        _ = record("sea.cod", 2, task=None).learning_task
