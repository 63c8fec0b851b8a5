"""Whole training runs with fastai: trials, MLflow, registry, and a model that was tampered with."""

import json

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient

from factory.models import registry
from factory.models.files import TamperedError, downloaded
from factory.models.predictor import load_predictor
from factory.trainers.fastai.params import TABULAR, VISION
from factory.training.division import PARTS
from factory.training.split import DividedRows, read_part, write_part
from factory.training.sweep import plan_trials
from factory.training.trial import copy_trial_files, trial_files
from tests.trainers.shapes import shapes
from tests.training.models import model, one_trial, penguins
from tests.training.training import Training

SCIKIT = "sklearn.dummy.DummyClassifier"


class OfImages(Training):
    """Rows that hold the images themselves, as `split` writes them."""

    def plan(self):
        counts = dict(zip(PARTS, (160, 40, 40), strict=True))
        for seed, (part, count) in enumerate(counts.items()):
            features, target = shapes(count, seed)
            columns = {"image": pa.array(features["image"], pa.large_binary()), "label": target}
            write_part(pa.table(columns), self.workspace, part)
        self.split = DividedRows.model_validate(
            {
                "target": "label",
                "features": ("image",),
                "columns": {"image": "large_binary"},
                "method": "stratified",
                "seed": 1,
                "rows": counts,
                "dropped": 0,
                "classes": {},
            }
        )
        self.planned = plan_trials(
            self.model, self.split, tracking=self.tracking, run=self.run, snapshots=[]
        )
        return self.planned


@pytest.fixture(scope="module")
def seen(tmp_path_factory, mlflow_server):
    """A network that tells shapes apart, trained and registered."""
    trial = one_trial(VISION, arch="test_resnet", size=32, bs=32, lr=0.01, epochs=10)
    section = model(train_on="shapes", target="label", search=trial | {"parallel_trials": 2})
    training = OfImages(None, section, tmp_path_factory.mktemp("shapes"), mlflow_server)
    training.registered = training.all()
    return training


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, mlflow_server):
    """Trials of scikit-learn and fastai in one sweep of penguins; fastai wins."""
    search = {
        "strategy": "grid",
        "candidates": [
            {"estimator": SCIKIT, "params": {}},
            {"estimator": TABULAR, "params": {"epochs": 8, "lr": 0.02, "bs": 32}},
        ],
    }
    folder = tmp_path_factory.mktemp("mixed")
    training = Training(penguins(), model(search=search), folder, mlflow_server)
    training.plan()
    found = [training.evaluate(0), training.evaluate(1)]
    training.selection = training.select(found)
    training.registered = training.register(training.selection, training.test(training.selection))
    return training


def version_of(training):
    return registry.version(
        training.name, training.registered.record.version, tracking=training.tracking
    )


def test_a_sweep_mixes_libraries(mixed):
    assert mixed.selection.winner.fit.trial.estimator == TABULAR
    assert mixed.selection.score > 0.9


def test_each_epoch_is_a_step_of_the_trials_run(mixed):
    run = mixed.selection.winner.mlflow_run_id
    steps = mixed.tracking.client.get_metric_history(run, "epoch_valid_loss")
    history = mixed.selection.winner.fit.history
    assert [each.step for each in steps] == list(range(1, 9))
    assert [each.value for each in steps] == [epoch["valid_loss"] for epoch in history]
    files = mixed.tracking.client.list_artifacts(mixed.planned.sweep.parent_run_id, "sweep")
    assert "sweep/learning_curves.png" in [file.path for file in files]


@pytest.mark.parametrize("which", ["mixed", "seen"])
def test_a_registered_model_predicts_as_the_fitted_one_did(which, request):
    training = request.getfixturevalue(which)
    predictor = load_predictor(version_of(training).record, tracking=training.tracking)
    rows, target = read_part(training.workspace, "test")
    found = predictor.predict(rows)
    assert (found.values == target).mean() > 0.75
    assert predictor.features == training.split.features


def test_mlflow_itself_asks_the_model_for_images(seen):
    mlflow.set_tracking_uri(seen.uri)
    loaded = mlflow.pyfunc.load_model(seen.registered.record.uri)
    features, _ = shapes(6, 9)
    rows = pd.DataFrame({"image": features["image"].astype(object)})
    predictor = load_predictor(version_of(seen).record, tracking=seen.tracking)
    assert (loaded.predict(rows) == predictor.predict(features).values).all()
    assert str(loaded.metadata.signature.inputs) == "['image': binary (required)]"
    example = loaded.metadata.load_input_example(seen.registered.record.uri)
    assert isinstance(example["image"].iloc[0], bytes)


def test_nothing_in_a_stored_model_is_a_pickle(seen):
    mlflow.set_tracking_uri(seen.uri)
    with downloaded(seen.registered.record.uri) as folder:
        names = {file.name for file in folder.rglob("*") if file.is_file()}
        description = json.loads((folder / "data/learner/description.json").read_text())
    assert names >= {"weights.safetensors", "description.json", "MLmodel", "requirements.txt"}
    assert not [name for name in names if name.endswith((".pkl", ".pth", ".pt", ".bin"))]
    assert description["arch"] == "test_resnet"
    assert description["target"]["values"] == ["circle", "square"]


@pytest.mark.parametrize(
    "name", ["data/learner/weights.safetensors", "data/learner/description.json"]
)
def test_a_changed_file_of_a_registered_model_is_refused(seen, tmp_path, name):
    mlflow.set_tracking_uri(seen.uri)
    version = version_of(seen)
    client = MlflowClient(seen.uri, seen.uri)
    source = client.get_model_version(version.model, str(version.number)).source
    model_id = source.rpartition("/")[2]
    with downloaded(version.uri, version.record.sha256) as folder:
        content = (folder / name).read_bytes()
    changed = tmp_path / name
    changed.parent.mkdir(parents=True)
    try:
        changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        client.log_model_artifacts(model_id, str(tmp_path))
        with pytest.raises(TamperedError, match="somebody changed them, and they are not read"):
            load_predictor(version.record, tracking=seen.tracking)
    finally:
        changed.write_bytes(content)
        client.log_model_artifacts(model_id, str(tmp_path))
    load_predictor(version.record, tracking=seen.tracking)


def test_rows_without_bytes_are_refused(seen):
    predictor = load_predictor(version_of(seen).record, tracking=seen.tracking)
    with pytest.raises(Exception, match="'image' holds texts, and it learned from images"):
        predictor.predict(pd.DataFrame({"image": ["pets/_files/ab/abcd.png"]}))


def test_weights_of_the_project_are_copied_to_the_trials_rows(tmp_path):
    project, workspace = tmp_path / "project", tmp_path / "workspace"
    (project / "weights").mkdir(parents=True)
    (project / "weights/a.safetensors").write_bytes(b"abc")
    params = {"arch": "resnet18", "weights": "weights/a.safetensors"}
    copy_trial_files(model(search=one_trial(VISION, **params)), project, workspace)
    assert (trial_files(workspace) / "weights/a.safetensors").read_bytes() == b"abc"


def test_probabilities_of_images_add_up(seen):
    predictor = load_predictor(version_of(seen).record, tracking=seen.tracking)
    found = predictor.predict(shapes(20, 4)[0])
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_network_on_a_table_is_chosen_by_folds(tmp_path, mlflow_server):
    search = one_trial(TABULAR, epochs=8, lr=0.02, bs=32)
    section = model(search=search, split={"validation": {"folds": 3}})
    training = Training(penguins(), section, tmp_path, mlflow_server)
    training.plan()
    found = training.evaluate(0)
    assert found.metrics["f1_macro"] > 0.9
    assert found.deviations["f1_macro"] < 0.1
    assert found.fit.history == ()
    history = training.tracking.client.get_metric_history(found.mlflow_run_id, "fold_f1_macro")
    assert len(history) == 3
