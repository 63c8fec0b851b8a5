"""Trials that one task trains: what is kept of them, what fails, and how many a task has."""

import logging
import time
from dataclasses import replace

import psutil
import pytest

from factory.base.errors import TerminalError
from factory.models.tracking import TrackingError
from factory.training import trial_batch
from factory.training.first_trial import FEW, batch_size, size_for
from factory.training.search.strategy import Trial
from factory.training.sweep import refuse_failed, select_best
from factory.training.trial_batch import batches_of, train_batch
from tests.training.models import model, penguins
from tests.training.training import Training

LOGISTIC = "sklearn.linear_model.LogisticRegression"
GRID = {"strategy": "grid", "candidates": [{"estimator": LOGISTIC, "params": {"C": [0.1, 1.0]}}]}


def planned(tmp_path, uri, **keys) -> Training:
    training = Training(penguins(), model(**{"search": GRID, **keys}), tmp_path, uri)
    training.plan()
    return training


def train(training: Training, **how):
    return train_batch([(training.trials, one) for one in training.planned.trials], **how)


def children(training: Training):
    sweep = training.planned.sweep
    return training.tracking.client.search_runs(
        [sweep.experiment_id], f"tags.`mlflow.parentRunId` = '{sweep.parent_run_id}'"
    )


def test_trials_of_a_batch_are_runs_and_log_sections_of_their_own(tmp_path, mlflow_server, caplog):
    caplog.set_level(logging.INFO)
    training = planned(tmp_path, mlflow_server)
    found = train(training)
    names = [trial.name for trial in training.planned.trials]
    assert (found.done, list(found.metrics), found.failed) == (2, names, {})
    assert sorted(run.info.run_name for run in children(training)) == sorted(names)
    sections = [line for line in caplog.messages if line.startswith("::group::")]
    assert sections == [f"::group::{name}" for name in names]


def test_what_an_earlier_try_has_trained_is_not_trained_again(tmp_path, mlflow_server, fits):
    training = planned(tmp_path, mlflow_server)
    first = train(training)
    again = train(training, attempt=2)
    assert again == first
    assert len(fits) == len(children(training)) == 2


def test_model_that_was_trained_before_mlflow_was_away_is_only_measured(
    tmp_path, mlflow_server, fits, monkeypatch
):
    training = planned(tmp_path, mlflow_server)

    def away(*_, **__):
        raise TrackingError("the MLflow server does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(trial_batch, "evaluate", away)
        with pytest.raises(TrackingError):
            train(training)
    assert len(fits) == 1
    assert train(training, attempt=2).done == 2
    assert len(fits) == len(children(training)) == 2


@pytest.mark.parametrize("changed", ["rows", "parameters", "model file"])
def test_what_was_made_of_anything_else_is_trained_again(tmp_path, mlflow_server, fits, changed):
    training = planned(tmp_path, mlflow_server)
    of, trial = training.trials, training.planned.trials[0]
    of.train(trial)
    if changed == "rows":
        training.run = type(training.run)(
            **{**vars(training.run), "snapshots": {"marine.penguins": 4}}
        )
    elif changed == "parameters":
        trial = trial.model_copy(update={"params": {"C": 7.0}})
    else:
        (tmp_path / of.kept.fit(trial).model_file).write_bytes(b"another")
        (tmp_path / "trials" / "0.evaluation.json").unlink()
    training.trials.train(trial)
    assert len(fits) == 2


def test_failed_trial_sinks_no_other_and_mlflow_and_the_summary_say_why(tmp_path, mlflow_server):
    training = planned(tmp_path, mlflow_server)
    of = training.trials
    poor = Trial(
        index=1,
        name="poor",
        estimator="sklearn.tree.DecisionTreeClassifier",
        params={"max_depth": -1},
    )
    found = train_batch([(of, poor), (of, training.planned.trials[0])], may_fail=True)
    assert found.done == 1
    assert "max_depth" in found.failed["poor"]
    failed = next(run for run in children(training) if run.info.status == "FAILED")
    assert failed.data.params["max_depth"] == "-1"
    assert "max_depth" in failed.data.tags["error"]
    evaluations, failures = of.outcomes([training.planned.trials[0], poor])
    assert len(evaluations) == 1
    assert failures.keys() == {"poor"}
    with pytest.raises(TerminalError, match=r"1 of 2 trials failed\. poor: .*max_depth"):
        train_batch([(of, poor), (of, training.planned.trials[0])])


def test_trial_that_has_killed_its_process_comes_last(tmp_path, mlflow_server, fits):
    training = planned(tmp_path, mlflow_server)
    first, second = training.planned.trials
    training.trials.kept.begin(first)
    train(training, attempt=2)
    assert fits == [second.name, first.name]


def test_neighbours_are_dealt_out_to_different_batches():
    trials = [Trial(index=at, name=f"t{at}", estimator=LOGISTIC, params={}) for at in range(5)]
    found = batches_of(trials, 2)
    assert [batch.trials for batch in found] == [(0, 3), (1, 4), (2,)]
    assert found[0].name == "t0, t3"
    assert batches_of([], 1) == []


@pytest.mark.parametrize(
    ("trials", "seconds", "size"),
    [
        (200, 0.1, 100),
        (64, 1.0, 16),
        (64, 30.0, 1),
        (64, None, 1),
        (3000, None, 3),
        (20, 0.001, 10),
        (0, None, 1),
    ],
)
def test_tasks_take_about_as_long_as_they_should_and_end_together(trials, seconds, size):
    assert size_for(trials, seconds, parallel=2, most=1024) == size


def grid(count: int, **more) -> dict:
    values = [10**-power for power in range(count)]
    candidate = {"estimator": LOGISTIC, "params": {"C": values}}
    return {"strategy": "grid", "candidates": [candidate], **more}


def sized(training: Training) -> int:
    return batch_size(training.model, training.planned.trials, training.trials, most=1024)


def test_first_of_many_quick_trials_is_trained_once_and_for_all(tmp_path, mlflow_server, fits):
    training = planned(tmp_path, mlflow_server, search=grid(FEW + 2))
    assert sized(training) == (FEW + 2) // 2
    train(training)
    assert len(fits) == FEW + 1


def test_few_trials_have_a_task_each_and_what_is_written_holds(tmp_path, mlflow_server):
    training = planned(tmp_path, mlflow_server, search=grid(FEW))
    assert sized(training) == 1
    assert not (tmp_path / "trials").exists()
    training.model = model(search=grid(FEW, batch=5))
    assert sized(training) == 5


FOREVER = "tests.training.estimators.Forever"
TOO_MUCH = "tests.training.estimators.TooMuch"


def limited(tmp_path, uri, estimator: str, **search) -> Training:
    """A sweep of two trials, the first of a quick estimator."""
    trials = [{"estimator": LOGISTIC}, {"estimator": estimator}]
    return planned(
        tmp_path,
        uri,
        search={"strategy": "list", "trials": trials, "max_failed_trials": 1, **search},
    )


@pytest.mark.parametrize(
    ("estimator", "seconds", "why"),
    [(FOREVER, "5s", "took longer than 5 seconds"), (TOO_MUCH, "60s", "process was killed")],
)
def test_trial_that_takes_too_long_or_too_much_is_ended_alone(
    tmp_path, mlflow_server, estimator, seconds, why
):
    training = limited(tmp_path, mlflow_server, estimator, trial_timeout=seconds)
    before = set(psutil.Process().children(recursive=True))
    found = train(training, may_fail=True)
    quick, slow = training.planned.trials
    assert list(found.metrics) == [quick.name]
    assert why in found.failed[slow.name]
    by_name = {run.info.run_name: run for run in children(training)}
    assert [by_name[one.name].info.status for one in (quick, slow)] == ["FINISHED", "FAILED"]
    assert why in by_name[slow.name].data.tags["error"]
    assert set(psutil.Process().children(recursive=True)) <= before


def test_error_within_a_limited_trial_is_told_as_it_is(tmp_path, mlflow_server):
    training = limited(
        tmp_path, mlflow_server, "tests.training.estimators.Refuses", trial_timeout="60s"
    )
    found = train(training, may_fail=True)
    assert "will not learn" in found.failed[training.planned.trials[1].name]
    statuses = sorted(run.info.status for run in children(training))
    assert statuses == ["FAILED", "FINISHED"]


def test_secrets_are_neither_in_mlflow_nor_in_what_the_task_returns(tmp_path, mlflow_server):
    training = limited(tmp_path, mlflow_server, "tests.training.estimators.Refuses")
    of = replace(training.trials, shown=lambda text: text.replace("will not learn", "***"))
    quick, refused = training.planned.trials
    found = train_batch([(of, quick), (of, refused)], may_fail=True)
    failed = next(run for run in children(training) if run.info.status == "FAILED")
    told = (found.failed[refused.name], of.kept.failure(refused), failed.data.tags["error"])
    for text in told:
        assert "***" in text
        assert "will not learn" not in text


def test_no_trial_begins_when_the_time_of_the_sweep_is_over(tmp_path, mlflow_server, monkeypatch):
    training = planned(tmp_path, mlflow_server, search={**GRID, "max_minutes": 1})
    first = training.planned.trials[0]
    of, now = training.trials, time.time()
    of.train(first)
    monkeypatch.setattr(time, "time", lambda: now + 61)
    found = train(training)
    assert (found.done, found.left_out, found.failed) == (1, 1, {})
    evaluations, failures = of.outcomes(training.planned.trials)
    left_out = sum(map(of.is_left_out, training.planned.trials))
    selection = select_best(
        evaluations,
        training.model,
        planned=2,
        left_out=left_out,
        failures=failures,
        tracking=training.tracking,
        sweep=training.planned.sweep,
    )
    assert (selection.winner.fit.trial, selection.failed, selection.left_out) == (first, 0, 1)


def test_sweep_whose_time_is_over_before_any_trial_says_so(tmp_path, mlflow_server, monkeypatch):
    training = planned(tmp_path, mlflow_server, search={**GRID, "max_minutes": 1})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert train(training).left_out == 2
    with pytest.raises(TerminalError, match=r"no trial was begun.*`search.max_minutes`"):
        refuse_failed(0, [], training.model)
