"""What a sweep says about hyperparameters, as numbers and as pictures."""

import numpy as np
import pytest

from factory.training.hyperparameter_plots import importances, save_hyperparameters, tried
from factory.training.search.strategy import Trial
from factory.training.trial import Evaluation, Fit

LOGISTIC = "sklearn.linear_model.LogisticRegression"
FOREST = "sklearn.ensemble.RandomForestClassifier"


def evaluation(index: int, score: float, estimator: str = LOGISTIC, cost=None, **params):
    trial = Trial(index=index, name=f"trial {index}", estimator=estimator, params=params)
    fit = Fit(
        trial=trial,
        model_file="0",
        sha256="0",
        fit_seconds=1.0 + index,
        started_at=0,
        warnings=(),
        cost_usd=cost,
    )
    return Evaluation(fit=fit, metrics={"accuracy": score}, mlflow_run_id="0")


def forty(cost=None) -> list[Evaluation]:
    """Two estimators; the score of the first depends on C alone, which is of many orders."""
    draw = np.random.default_rng(0)
    found = []
    for index in range(30):
        c = float(10 ** draw.uniform(-3, 3))
        params = {"C": c, "tol": float(draw.uniform(1, 2)), "solver": ["lbfgs", "saga"][index % 2]}
        found.append(evaluation(index, 0.9 - abs(np.log10(c)) / 10, cost=cost, **params))
    for index in range(30, 40):
        params = {"max_depth": [None, 3, 5][index % 3], "bootstrap": True}
        found.append(evaluation(index, 0.75, FOREST, cost=cost, **params))
    return found


def scores(evaluations):
    return np.array([one.metrics["accuracy"] for one in evaluations])


def test_only_what_varies_is_a_hyperparameter_of_the_sweep():
    names = [one.name for one in tried(forty())]
    assert names == ["C", "bootstrap", "estimator", "max_depth", "solver", "tol"]
    assert [one.name for one in tried(forty()[:30])] == ["C", "solver", "tol"]


def test_numbers_of_many_orders_are_told_by_their_logarithm_and_none_is_a_word():
    found = {one.name: one for one in tried(forty())}
    assert found["C"].by_logarithm
    assert not found["tol"].by_logarithm
    assert found["max_depth"].words == ("null", "3", "5")
    assert np.isnan(found["max_depth"].numbers()[:30]).all()


def test_the_hyperparameter_that_decides_is_the_most_important():
    of_one = forty()[:30]
    shares = importances(tried(of_one), scores(of_one))
    assert next(iter(shares)) == "C"
    assert shares["C"] > 0.75
    assert sum(shares.values()) == pytest.approx(1)


def test_where_all_scores_are_the_same_nothing_matters():
    same = [evaluation(index, 0.5, C=index) for index in range(9)]
    assert importances(tried(same), scores(same)) == {"C": 0.0}


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
@pytest.mark.parametrize("cost", [None, 0.25])
def test_progress_importance_and_values_are_drawn(tmp_path, goal, cost):
    files = save_hyperparameters(forty(cost), "accuracy", goal, tmp_path)
    assert [file.name for file in files] == [
        "progress.png",
        "importance.png",
        "parallel_coordinates.png",
    ]
    assert all(file.stat().st_size > 5_000 for file in files)


def test_of_few_trials_or_equal_ones_nothing_is_drawn(tmp_path):
    assert save_hyperparameters(forty()[:7], "accuracy", "maximize", tmp_path) == []
    equal = [evaluation(index, 0.5, C=1.0) for index in range(9)]
    assert save_hyperparameters(equal, "accuracy", "maximize", tmp_path) == []
