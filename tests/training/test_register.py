import json

import mlflow
import numpy as np
import pyarrow as pa
import pytest

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from factory.training import register as register_step
from factory.training.model import Model
from factory.training.split import read_part, write_part
from tests.training.models import diabetes, model, one_trial, penguins, regression, wine
from tests.training.training import Training

GRID = {
    "strategy": "grid",
    "candidates": [
        {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": [0.001, 1.0]}},
        {
            "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
            "params": {"max_iter": 10},
        },
    ],
}


def versions(training):
    return training.tracking.client.search_model_versions(f"name = '{training.name}'")


def test_the_winner_is_registered_with_all_that_one_needs_to_use_it(tmp_path, mlflow_server):
    training = Training(penguins(), model(search=GRID), tmp_path, mlflow_server, plots=True)
    found = training.all()
    assert (found.record.model, found.record.version, found.alias) == (
        training.name,
        1,
        "challenger",
    )
    assert found.record.metrics["test_f1_macro"] > 0.9

    client = training.tracking.client
    version = client.get_model_version_by_alias(training.name, "challenger")
    assert version.tags["snapshot.marine.penguins"] == "3"
    assert version.tags["config_hash"] == training.run.config_hash
    assert version.tags["airflow.dag_id"] == training.run.dag_id
    assert version.run_id == training.planned.sweep.parent_run_id

    parent = client.get_run(version.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["test_f1_macro"] == found.record.metrics["test_f1_macro"]
    assert {artifact.path for artifact in client.list_artifacts(version.run_id, "test")} == {
        "test/calibration_curve.png",
        "test/confusion_matrix.png",
        "test/feature_importance.csv",
        "test/feature_importance.png",
        "test/precision_recall_curve.png",
        "test/roc_curve.png",
    }

    served = mlflow.pyfunc.load_model(found.record.uri)
    inputs = served.metadata.signature.inputs
    assert [kind.name for kind in served.metadata.signature.outputs.input_types()] == ["string"]
    assert inputs.input_names() == list(training.split.features)
    assert served.metadata.saved_input_example_info is not None
    features, target = read_part(tmp_path, "test")
    assert np.mean(served.predict(features) == target) == found.record.metrics["test_accuracy"]
    assert served.metadata.flavors["sklearn"]["serialization_format"] == "skops"


def test_the_model_lies_in_its_experiment_under_its_name_with_params_and_metrics(
    tmp_path, mlflow_server
):
    training = Training(penguins(), model(search=GRID), tmp_path, mlflow_server)
    record = training.all().record
    client = training.tracking.client
    experiment = training.planned.sweep.experiment_id
    (logged,) = client.search_logged_models([experiment])
    assert logged.name == training.name.partition(".")[2]
    assert (logged.source_run_id, logged.status) == (record.mlflow_run_id, "READY")
    assert logged.params == {"C": "1.0"}
    metrics = {one.key: one.value for one in logged.metrics}
    assert {metrics.pop("model_mb") > 0, metrics.pop("fit_seconds") > 0} == {True}
    assert metrics == record.metrics
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [
        {"name": training.name, "version": 1}
    ]
    run = client.get_run(record.mlflow_run_id)
    assert [one.model_id for one in run.outputs.model_outputs] == [logged.model_id]
    # The same points as those of the run, not second ones.
    assert len(client.get_metric_history(record.mlflow_run_id, "test_f1_macro")) == 1


def test_a_try_that_died_while_it_stored_the_model_leaves_no_second_one(
    tmp_path, mlflow_server, monkeypatch
):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    selection = training.select([training.evaluate(0), training.evaluate(1)])
    tested = training.test(selection)

    def die(trainer, fitted, logged):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ScikitLearnTrainer, "log_model", die)
        with pytest.raises(KeyboardInterrupt):
            training.register(selection, tested)
    training.register(selection, tested)
    found = training.tracking.client.search_logged_models([training.planned.sweep.experiment_id])
    assert [one.status for one in found] == ["READY"]


def test_people_read_what_a_model_and_its_versions_are(tmp_path, mlflow_server):
    described = model(description="Which penguin is it?", search=GRID)
    training = Training(penguins(), described, tmp_path, mlflow_server)
    record = training.all().record
    client = training.tracking.client
    assert client.get_registered_model(training.name).description == "Which penguin is it?"
    text = client.get_model_version(training.name, "1").description
    assert "the best of 3 by f1_macro" in text
    assert f"{record.metrics['test_f1_macro']:.4g} on the test rows" in text
    assert "Trained on marine.penguins version 3." in text
    experiment = client.get_experiment(training.planned.sweep.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_new_description_of_the_model_replaces_the_earlier_one(tmp_path, mlflow_server):
    first = Training(penguins(), model(description="Old."), tmp_path / "a", mlflow_server)
    first.all()
    again = model(description="New.")
    Training(
        penguins(), again, tmp_path / "b", mlflow_server, run_id="manual__2", name=first.name
    ).all()
    assert first.tracking.client.get_registered_model(first.name).description == "New."


def test_a_retry_finds_the_version_and_makes_no_other(tmp_path, mlflow_server):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    selection = training.select([training.evaluate(0), training.evaluate(1)])
    tested = training.test(selection)
    first = training.register(selection, tested)
    again = training.register(selection, tested)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.record == first.record
    assert len(versions(training)) == 1


def test_another_run_registers_the_next_version(tmp_path, mlflow_server):
    first = Training(penguins(), model(), tmp_path / "a", mlflow_server)
    first.all()
    second = Training(
        penguins(), model(), tmp_path / "b", mlflow_server, run_id="manual__2", name=first.name
    )
    assert second.all().record.version == 2
    current = first.tracking.client.get_model_version_by_alias(first.name, "challenger")
    assert int(current.version) == 2


def test_a_late_retry_does_not_take_the_alias_back(tmp_path, mlflow_server):
    first = Training(penguins(), model(), tmp_path / "a", mlflow_server)
    first.plan()
    selection = first.select([first.evaluate(0), first.evaluate(1)])
    tested = first.test(selection)
    first.register(selection, tested)
    Training(
        penguins(), model(), tmp_path / "b", mlflow_server, run_id="manual__2", name=first.name
    ).all()
    assert first.register(selection, tested).alias is None
    current = first.tracking.client.get_model_version_by_alias(first.name, "challenger")
    assert int(current.version) == 2


@pytest.mark.parametrize(
    ("rows", "config"),
    [
        (diabetes(), regression()),
        (diabetes(), regression(search=one_trial("sklearn.neighbors.KNeighborsRegressor"))),
        (wine(), model(target="target", search=one_trial("sklearn.svm.SVC"))),
        (
            wine(),
            model(
                target="target",
                preprocessing="tests.trainers.test_scikit_learn.doubled",
                search=one_trial("sklearn.ensemble.GradientBoostingClassifier", n_estimators=3),
            ),
        ),
    ],
)
def test_models_of_every_family_are_read_back_without_pickle(tmp_path, mlflow_server, rows, config):
    training = Training(rows, config, tmp_path, mlflow_server)
    assert training.all().is_new


def test_a_model_that_predicts_otherwise_once_read_back_is_not_registered(
    tmp_path, mlflow_server, monkeypatch
):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    selection = training.select([training.evaluate(0), training.evaluate(1)])
    tested = training.test(selection)

    class Forgetful(ScikitLearnTrainer):
        def load_logged(self, folder, packages):
            model = super().load_logged(folder, packages)
            model[-1].coef_[:] = 0
            return model

    monkeypatch.setattr(
        Model, "trainer", lambda model, estimator, files=None: Forgetful(model.task)
    )
    with pytest.raises(TerminalError, match=r"predicts otherwise for \d+ of 69 rows"):
        training.register(selection, tested)
    assert versions(training) == []
    found = training.tracking.client.search_logged_models([training.planned.sweep.experiment_id])
    assert [one.status for one in found] == ["FAILED"]


def test_a_feature_whose_nulls_come_late_may_be_missing_when_the_model_is_asked(
    tmp_path, monkeypatch
):
    values = [float(number) for number in range(20)]
    late = [None if number > 15 else number for number in values]
    rows = pa.table({"always": values, "late": late, "target": values})
    write_part(rows, tmp_path, "train")
    monkeypatch.setattr(register_step, "_SIGNATURE_ROWS", 5)
    found = register_step._signature_rows(tmp_path, model())
    assert len(found) == 6
    assert found["late"].isna().sum() == 1
    assert not found["always"].isna().any()
