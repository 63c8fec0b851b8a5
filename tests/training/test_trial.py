from copy import copy

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import FunctionTransformer

from factory.base.errors import TerminalError
from factory.training.split import read_part, split
from factory.training.trial import fit, load_fitted
from tests.training.models import model, one_trial, penguins
from tests.training.training import Training

FOREST = "sklearn.ensemble.RandomForestClassifier"


def fitted(config, workspace):
    (trial,) = config.search.expand()
    return fit(trial, split(penguins(), config, workspace), config, workspace)


def test_the_same_rows_and_seed_give_the_same_predictions(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=10))
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        result = fitted(config, folder)
        features, _ = read_part(folder, "test")
        found.append(load_fitted(result, config, folder).predict_proba(features))
    assert np.array_equal(*found)


def test_only_training_rows_are_learnt_from(tmp_path):
    config = model(features=["bill_length_mm"], search=one_trial(FOREST, n_estimators=2))
    result = fitted(config, tmp_path)
    train, _ = read_part(tmp_path, "train")
    imputer = load_fitted(result, config, tmp_path)["preprocessing"].named_transformers_["numbers"]
    assert imputer["impute"].statistics_[0] == train["bill_length_mm"].median()


def test_a_failure_names_the_trial(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=-1))
    with pytest.raises(TerminalError, match=r"trial 0 \(RandomForestClassifier\): .*n_estimators"):
        fitted(config, tmp_path)


def test_a_model_file_that_was_changed_is_not_loaded(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=2))
    result = fitted(config, tmp_path)
    with (tmp_path / result.model_file).open("ab") as file:
        file.write(b"more")
    with pytest.raises(TerminalError, match="changed after it was stored"):
        load_fitted(result, config, tmp_path)


def test_a_model_file_that_is_gone_says_what_to_do(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=2))
    result = fitted(config, tmp_path)
    (tmp_path / result.model_file).unlink()
    with pytest.raises(TerminalError, match="clear the DAG run from `split` on"):
        load_fitted(result, config, tmp_path)


def children(training):
    sweep = training.planned.sweep
    return training.tracking.client.search_runs(
        [sweep.experiment_id], f"tags.`mlflow.parentRunId` = '{sweep.parent_run_id}'"
    )


def test_a_trial_is_logged_as_a_child_run_with_what_it_is_and_how_good(tmp_path, mlflow_server):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    found = training.evaluate(1)
    (child,) = children(training)
    assert child.info.run_id == found.mlflow_run_id
    assert child.info.run_name == "LogisticRegression C=1"
    assert child.data.params == {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "C": "1.0",
    }
    assert child.data.metrics == {**found.metrics, "fit_seconds": found.fit.fit_seconds}
    tags = child.data.tags
    assert tags["trial_index"] == "1"
    assert tags["airflow.dag_id"] == training.run.dag_id
    assert tags["snapshot.marine.penguins"] == "3"
    assert tags["config_hash"] == training.run.config_hash


def test_metrics_are_those_of_the_validation_rows(tmp_path, mlflow_server):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    found = training.evaluate(0)
    features, target = read_part(tmp_path, "validation")
    trainer = training.model.trainer(found.fit.trial.estimator)
    fitted = trainer.load(tmp_path / found.fit.model_file)
    expected = f1_score(target, fitted.predict(features), average="macro")
    assert found.metrics["f1_macro"] == expected


def test_the_same_run_again_gives_the_same_metrics(tmp_path, mlflow_server):
    found = []
    for folder in ("a", "b"):
        forest = one_trial("sklearn.ensemble.RandomForestClassifier", n_estimators=5)
        config = model(search=forest)
        training = Training(penguins(), config, tmp_path / folder, mlflow_server)
        training.plan()
        found.append(training.evaluate(0).metrics)
    assert found[0] == found[1]


def test_a_retry_leaves_one_child_run(tmp_path, mlflow_server):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    training.evaluate(0)
    training.evaluate(1)
    again = training.evaluate(0, attempt=2)
    found = {child.data.tags["trial_index"]: child for child in children(training)}
    assert len(children(training)) == 2
    assert found["0"].info.run_id == again.mlflow_run_id


def test_an_objective_that_cannot_be_computed_is_terminal_and_the_child_failed(
    tmp_path, mlflow_server
):
    config = model(objective={"metric": "roc_auc"}, search=one_trial("sklearn.svm.LinearSVC"))
    training = Training(penguins(), config, tmp_path, mlflow_server)
    training.plan()
    with pytest.raises(
        TerminalError, match=r"trial 0 \(LinearSVC\): .*'roc_auc' cannot .*accuracy"
    ):
        training.evaluate(0)
    (child,) = children(training)
    assert child.info.status == "FAILED"
    assert "accuracy" in child.data.metrics


def of_no_trusted_package(features):
    return FunctionTransformer(copy)


def unnamed(features):
    return FunctionTransformer(lambda rows: rows)


@pytest.mark.parametrize("function", [of_no_trusted_package, unnamed])
def test_a_model_that_cannot_be_stored_is_refused_in_the_first_trial(function, tmp_path):
    config = model(
        features=["bill_length_mm"],
        preprocessing=f"{__name__}.{function.__name__}",
        search=one_trial("sklearn.ensemble.HistGradientBoostingClassifier", max_iter=2),
    )
    with pytest.raises(TerminalError, match=r"types that are not trusted: copy|cannot be stored "):
        fitted(config, tmp_path)
