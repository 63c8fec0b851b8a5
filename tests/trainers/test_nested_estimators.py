"""Estimators with others in their parameters: trained, registered, read back, asked."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from factory.models.predictor import load_predictor
from factory.training.split import read_part
from tests.training.models import diabetes, model, one_trial, penguins, regression
from tests.training.training import Training

LINE = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": 0.5}}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}
TREES = {"estimator": "xgboost.XGBClassifier", "params": {"n_estimators": 5}}
SVC = {"estimator": "sklearn.svm.SVC", "params": {"C": 10}}
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "sklearn.calibration.CalibratedClassifierCV": {"estimator": SVC, "cv": 2},
    "sklearn.ensemble.VotingClassifier": {"estimators": {"tree": TREE, "line": LINE}},
    "sklearn.ensemble.StackingClassifier": {
        "estimators": {"tree": TREE, "line": LINE},
        "final_estimator": LINE,
        "cv": 2,
    },
}
BOOSTED: dict[str, dict[str, Any]] = {
    "sklearn.ensemble.BaggingClassifier": {"estimator": TREES, "n_estimators": 3},
}
TWO_CLASSES = {
    "sklearn.model_selection.TunedThresholdClassifierCV": {"estimator": LINE, "cv": 2},
}
REGRESSORS: dict[str, dict[str, Any]] = {
    "sklearn.compose.TransformedTargetRegressor": {
        "regressor": {"estimator": "sklearn.linear_model.Ridge", "params": {"alpha": 0.1}},
        "transformer": {"estimator": "sklearn.preprocessing.StandardScaler"},
    },
}
FURTHER: dict[str, dict[str, Any]] = {
    # Its weights add up to 1, which is less than a leaf of XGBoost's must have.
    "sklearn.ensemble.AdaBoostClassifier": {
        "estimator": {**TREES, "params": {"n_estimators": 5, "min_child_weight": 0}},
        "n_estimators": 2,
    },
    "sklearn.pipeline.Pipeline": {
        "steps": {"scale": {"estimator": "sklearn.preprocessing.StandardScaler"}, "line": LINE}
    },
}
CASES = {**CLASSIFIERS, **BOOSTED, **TWO_CLASSES, **REGRESSORS, **FURTHER}
EXTRAS = [pytest.param(one, marks=pytest.mark.extras) for one in BOOSTED]
NIGHTLY = [pytest.param(one, marks=pytest.mark.nightly) for one in FURTHER]


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *TWO_CLASSES, *REGRESSORS, *EXTRAS, *NIGHTLY])
def test_model_of_several_estimators_is_registered_and_says_the_same(
    estimator: str, tmp_path: Path, mlflow_server: str
) -> None:
    search = one_trial(estimator, **CASES[estimator])
    if estimator in REGRESSORS:
        section, rows, metric = regression(search=search), diabetes(), "test_r2"
    elif estimator in TWO_CLASSES:
        section, rows, metric = model(search=search, target="sex"), penguins(), "test_f1_macro"
        rows = rows.filter(rows["sex"].is_valid())
    else:
        section, rows, metric = model(search=search), penguins(), "test_f1_macro"
    training = Training(rows, section, tmp_path, mlflow_server)
    record = training.all().record
    assert record.metrics[metric] > 0.3
    features, _ = read_part(training.workspace, "test")
    ours = load_predictor(record, tracking=training.tracking).predict(features).values
    plain = np.asarray(mlflow.pyfunc.load_model(record.uri).predict(features))
    assert ours.tolist() == plain.ravel().tolist()
    packages = {"xgboost"} if "xgboost" in str(CASES[estimator]) else set()
    assert set(record.packages) == {"sklearn", *packages}


def test_nested_parameters_have_scikit_learns_names_in_mlflow(
    tmp_path: Path, mlflow_server: str
) -> None:
    estimators = {"trees": {**TREE, "params": {"max_depth": [2, 3]}}, "line": LINE}
    candidate = {
        "estimator": "sklearn.ensemble.VotingClassifier",
        "params": {"estimators": estimators, "voting": "soft"},
    }
    section = model(search={"strategy": "grid", "candidates": [candidate]})
    training = Training(penguins(), section, tmp_path, mlflow_server)
    planned = training.plan()
    assert [trial.name for trial in planned.trials] == [
        "VotingClassifier trees__max_depth=2",
        "VotingClassifier trees__max_depth=3",
    ]
    run_id = training.evaluate(1).mlflow_run_id
    assert mlflow.MlflowClient(mlflow_server).get_run(run_id).data.params == {
        "estimator": "sklearn.ensemble.VotingClassifier",
        "trees__estimator": "sklearn.tree.DecisionTreeClassifier",
        "trees__max_depth": "3",
        "line__estimator": "sklearn.linear_model.LogisticRegression",
        "line__C": "0.5",
        "voting": "soft",
    }
