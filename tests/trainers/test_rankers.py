"""Rankers of LightGBM, XGBoost and CatBoost: they learn within groups, stop early, are stored and asked."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from factory.base.objects import import_object
from factory.models.predictor import load_predictor
from factory.trainers.scikit_learn.estimator_check import wrong_kind
from factory.training.split import read_part
from tests.training.models import one_trial
from tests.training.shows import ranker, table
from tests.training.training import Training

FEW: dict[str, dict[str, Any]] = {
    "lightgbm.LGBMRanker": {"n_estimators": 20, "min_child_samples": 5},
    "xgboost.XGBRanker": {"n_estimators": 20},
    "catboost.CatBoostRanker": {"iterations": 20},
}
EARLY: dict[str, dict[str, Any]] = {
    "lightgbm.LGBMRanker": {"early_stopping_round": 3},
    "xgboost.XGBRanker": {"early_stopping_rounds": 3},
    "catboost.CatBoostRanker": {"early_stopping_rounds": 3},
}


@pytest.mark.parametrize("estimator", FEW)
def test_ranker_is_registered_and_says_the_same(
    estimator: str, tmp_path: Path, mlflow_server: str
) -> None:
    section = ranker(search=one_trial(estimator, **FEW[estimator]))
    training = Training(table(), section, tmp_path, mlflow_server)
    record = training.all().record
    assert record.metrics["test_ndcg_at_10"] > 0.85
    features, _ = read_part(tmp_path, "test")
    ours = load_predictor(record, tracking=training.tracking).predict(features).values
    plain = np.asarray(mlflow.pyfunc.load_model(record.uri).predict(features)).ravel()
    np.testing.assert_allclose(ours, plain, rtol=1e-12)


@pytest.mark.parametrize("estimator", EARLY)
def test_ranker_stops_by_the_groups_of_the_validation_rows(
    estimator: str, tmp_path: Path, mlflow_server: str
) -> None:
    params = {**FEW[estimator], **EARLY[estimator], "n_estimators": 300}
    params.pop("iterations", None)
    section = ranker(search=one_trial(estimator, **params))
    training = Training(table(), section, tmp_path, mlflow_server)
    training.plan()
    found = training.evaluate(0)
    assert found.fit.steps.best is not None
    assert found.fit.steps.best < 300
    assert len(found.fit.history) < 300
    assert any(name.startswith("valid_") for name in found.fit.history[0])
    assert found.metrics["ndcg_at_10"] > 0.8


@pytest.mark.parametrize("estimator", FEW)
def test_same_seed_ranks_the_same(estimator: str, tmp_path: Path, mlflow_server: str) -> None:
    said = []
    for name in ("one", "other"):
        section = ranker(search=one_trial(estimator, **FEW[estimator]))
        training = Training(table(), section, tmp_path / name, mlflow_server)
        record = training.all().record
        features, _ = read_part(tmp_path / name, "test")
        said.append(load_predictor(record, tracking=training.tracking).predict(features).values)
    np.testing.assert_array_equal(*said)


@pytest.mark.parametrize("estimator", FEW)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_ranker_is_refused_for_another_task(estimator: str, task: str) -> None:
    (found,) = wrong_kind(estimator, import_object(estimator), task)
    assert f"is a ranker, and the model's task is {task}" in found.message
    assert "`task: ranking`" in found.suggestion


@pytest.mark.parametrize("estimator", [*FEW, "sklearn.linear_model.Ridge", "xgboost.XGBRegressor"])
def test_rankers_and_regressors_are_for_a_ranking(estimator: str) -> None:
    assert not list(wrong_kind(estimator, import_object(estimator), "ranking"))


def test_a_classifier_is_not() -> None:
    path = "sklearn.linear_model.LogisticRegression"
    (found,) = wrong_kind(path, import_object(path), "ranking")
    assert "is a classifier, and the model's task is ranking" in found.message
