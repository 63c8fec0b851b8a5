"""Trainings whose search looks at what its first trials have come to."""

import pytest

from factory.base.errors import TerminalError
from factory.models import registry
from factory.provenance.reproduction import _all_trials
from factory.training.sweep import plan_wave
from factory.training.trial_batch import train_batch
from tests.training.models import model, penguins
from tests.training.training import Training

SEARCH = {
    "strategy": "halving",
    "trials": 4,
    "resource": "n_estimators",
    "min_resources": 2,
    "max_resources": 8,
    "factor": 2,
    "candidates": [
        {
            "estimator": "sklearn.ensemble.RandomForestClassifier",
            "params": {"max_depth": {"randint": [1, 60]}},
        }
    ],
}


@pytest.fixture
def training(tmp_path, mlflow_server):
    training = Training(penguins(), model(search=SEARCH), tmp_path, mlflow_server)
    training.plan()
    return training


def train(training: Training) -> list:
    of = training.trials
    train_batch([(of, trial) for trial in training.planned.trials])
    return of.outcomes(training.planned.trials)[0]


def next_wave(training: Training, wave: int) -> None:
    training.planned = plan_wave(
        training.model, training.planned, train(training), wave, tracking=training.tracking
    )


def test_each_wave_goes_on_with_the_best_and_the_last_has_one(training):
    for wave in (2, 3):
        next_wave(training, wave)
    evaluations = train(training)
    assert training.planned.ends == (4, 6, 7)
    best = max(evaluations[:4], key=lambda one: one.metrics["f1_macro"])
    assert evaluations[4].fit.trial.params["max_depth"] == best.fit.trial.params["max_depth"]
    assert [one.fit.trial.params["n_estimators"] for one in evaluations] == [2] * 4 + [4] * 2 + [8]
    selection = training.select(evaluations)
    assert (selection.trials, selection.failed) == (7, 0)
    run = training.tracking.client.get_run(training.planned.sweep.parent_run_id)
    assert run.data.metrics["trials"] == 7


def test_wave_that_is_planned_again_is_the_same_and_leaves_out_later_ones(training):
    next_wave(training, 2)
    second = training.planned
    next_wave(training, 3)
    next_wave(training, 2)
    assert training.planned == second


def test_too_many_failed_trials_end_the_sweep_before_the_next_wave(training):
    evaluations = train(training)[1:]
    with pytest.raises(TerminalError, match="1 of 4 trials failed"):
        plan_wave(training.model, training.planned, evaluations, 2, tracking=training.tracking)


def test_trials_of_later_waves_are_found_again_by_what_mlflow_has(training):
    for wave in (2, 3):
        next_wave(training, wave)
    selection = training.select(train(training))
    version = training.register(selection, training.test(selection))
    found = registry.version(training.name, version.record.version, tracking=training.tracking)
    trials = _all_trials(training.model, found, training.tracking)
    assert tuple(trials) == training.planned.trials
