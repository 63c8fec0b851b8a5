"""`strategy: tpe`, by Optuna."""

import statistics
from itertools import chain
from math import log10

import pytest
from pydantic import TypeAdapter, ValidationError

from factory.training.search.strategy import AnySearch, Trial
from tests.training.search.test_waves import FOREST, RIDGE, played

CANDIDATES = [
    {
        "estimator": RIDGE,
        "params": {"alpha": {"loguniform": [1e-3, 1e3]}, "solver": ["svd", "cholesky"]},
    },
    {"estimator": FOREST, "params": {"n_estimators": {"randint": [2, 50]}, "bootstrap": True}},
]


def tpe(**more):
    section = {"strategy": "tpe", "trials": 24, "candidates": CANDIDATES, **more}
    return TypeAdapter(AnySearch).validate_python(section)


def score(trial: Trial) -> float:
    """Best is ridge with an alpha of 1 by singular values."""
    if trial.estimator == FOREST:
        return -5.0
    return -abs(log10(trial.params["alpha"])) - (trial.params["solver"] != "svd")


def test_later_waves_try_more_where_those_before_were_good():
    first, *_, last = played(tpe(trials=60, waves=6, max_trials=60), score)
    assert statistics.mean(map(score, last)) > statistics.mean(map(score, first)) + 1


def test_same_seed_and_scores_try_the_same_and_others_others():
    assert played(tpe(), score) == played(tpe(), score)
    assert played(tpe(seed=1), score)[0] != played(tpe(), score)[0]
    turned = played(tpe(), lambda trial: -score(trial))
    assert turned[0] == played(tpe(), score)[0]
    assert turned[-1] != played(tpe(), score)[-1]


def test_values_are_within_their_ranges_and_of_their_types():
    for trial in chain.from_iterable(played(tpe(), score)):
        if trial.estimator == RIDGE:
            assert 1e-3 <= trial.params["alpha"] <= 1e3
        else:
            assert 2 <= trial.params["n_estimators"] < 50
            assert type(trial.params["n_estimators"]) is int
            assert trial.params["bootstrap"] is True


def test_failed_trials_keep_nobody_from_going_on():
    waves = played(tpe(), lambda trial: score(trial) if trial.estimator == RIDGE else None)
    assert sum(map(len, waves)) >= 20


def test_waves_are_of_about_one_size_and_never_more_than_trials():
    assert [len(wave) for wave in played(tpe(trials=10, waves=4), score)] == [3, 3, 2, 2]
    with pytest.raises(ValidationError, match="3 trials make no 4 waves"):
        tpe(trials=3)


def test_parameters_within_estimators_are_searched_too():
    bagging = {
        "estimator": "sklearn.ensemble.BaggingRegressor",
        "params": {"estimator": {"estimator": RIDGE, "params": {"alpha": {"uniform": [0, 1]}}}},
    }
    waves = played(tpe(candidates=[bagging], trials=8, waves=2), lambda _: 0.0)
    trials = chain.from_iterable(waves)
    alphas = {trial.params["estimator"]["params"]["alpha"] for trial in trials}
    assert len(alphas) == 8
    assert all(0 <= alpha <= 1 for alpha in alphas)
