"""Jobs as processes: the same model as in the task, one process a job, and none that is left."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.training.backends.backend import JobFailedError, JobRefusedError, TrainingJob
from factory.training.backends.job_files import given_files
from factory.training.cross_validation import read_predictions
from factory.training.split import read_part
from factory.training.trial import fit, load_fitted
from tests.training.backends.run import LOCAL, SLOW, TREE, Run, a_run
from tests.training.models import model, one_trial
from tests.training.shows import ranker, table

WAIT = 60.0


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Run]:
    """A run whose one trial learns once the file `gate` is there."""
    run = a_run(
        tmp_path,
        LOCAL,
        "file:///lake",
        SLOW,
        gate=str(tmp_path / "gate"),
        begun=str(tmp_path / "begun"),
    )
    yield run
    run.backend.stop_all()


def begun(run: Run) -> list[int]:
    """The processes that have begun to learn, once one has."""
    name = run.backend.names()[0]
    for line in run.backend.printed(name):
        assert not run.backend.wait(name, 0.05), run.backend.where(name)
        file = run.workspace.parent / "begun"
        if file.exists() and file.read_text().endswith("\n"):
            return [int(pid) for pid in file.read_text().split()]
        del line
    raise AssertionError


def test_job_trains_the_very_model_that_the_task_would(tmp_path):
    run = a_run(tmp_path, LOCAL, "file:///lake", TREE, max_depth=3)
    jobs = run.jobs()
    name = jobs.begin()
    assert run.backend.wait(name, WAIT)
    fitted = jobs.finish(name)
    features, _ = read_part(run.workspace, "validation")
    theirs = load_fitted(fitted, run.model, run.workspace).predict_proba(features)
    # Into the same file, so the job's model has been read by now.
    here = fit(run.trials[0], run.split, run.model, run.workspace)
    ours = load_fitted(here, run.model, run.workspace).predict_proba(features)
    assert np.array_equal(theirs, ours)
    assert fitted.trial == run.trials[0]
    assert len(name) <= 63


def test_metric_of_a_team_is_computed_for_what_a_job_has_trained(tmp_path, monkeypatch):
    (tmp_path / "birds_told.py").write_text(
        "def told(truth, said):\n    return (truth == said).sum()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    told = {"name": "told", "call": "birds_told.told", "goal": "maximize"}
    config = model(
        search=one_trial(TREE, max_depth=3), metrics=[told], objective={"metric": "told"}
    )
    run = Run(tmp_path / "workspace", LOCAL, "file:///lake", config)
    run.prepare()
    jobs = run.jobs()
    name = jobs.begin()
    assert run.backend.wait(name, WAIT)
    fitted = jobs.finish(name)
    features, target = read_part(run.workspace, "validation")
    trained = load_fitted(fitted, run.model, run.workspace)
    said = run.model.trainer(TREE).predict(trained, features)
    right = run.model.objective_metric.compute(target, said)
    assert right == pytest.approx(trained.score(features, target) * len(target))


def test_job_trains_by_folds_what_a_task_would(tmp_path):
    config = model(search=one_trial(TREE, max_depth=3), split={"validation": {"folds": 4}})
    run = Run(tmp_path / "workspace", LOCAL, "file:///lake", config)
    run.prepare()
    jobs = run.jobs()
    name = jobs.begin()
    assert run.backend.wait(name, WAIT)
    fitted = jobs.finish(name)
    theirs = read_predictions(fitted.folds, run.workspace)
    here = fit(run.trials[0], run.split, run.model, run.workspace)
    ours = read_predictions(here.folds, run.workspace)
    assert len(theirs) == len(ours) == 4
    for one, other in zip(theirs, ours, strict=True):
        assert one.values.tolist() == other.values.tolist()
        assert np.array_equal(one.probabilities, other.probabilities)
        assert one.classes.tolist() == ["Adelie", "Chinstrap", "Gentoo"]


def test_jobs_get_the_folds_and_no_test_rows(tmp_path):
    config = model(search=one_trial(TREE), split={"validation": {"folds": 4}})
    run = Run(tmp_path / "workspace", LOCAL, "file:///lake", config)
    run.prepare()
    given = [file.name for file in given_files(run.workspace)]
    assert given == ["train.arrow", "folds.npy"]


def test_jobs_get_the_groups_that_rows_are_ranked_with(tmp_path):
    run = Run(tmp_path / "workspace", LOCAL, "file:///lake", ranker(), rows=table())
    run.prepare()
    given = [file.name for file in given_files(run.workspace)]
    assert given == [
        "train.arrow",
        "validation.arrow",
        "train.about.arrow",
        "validation.about.arrow",
    ]


def test_job_outlives_the_process_that_started_it_and_is_taken_over(slow, tmp_path):
    code = (
        "import json, os, pickle, sys; jobs = pickle.loads(bytes.fromhex(sys.argv[1])); "
        "print(jobs.begin(), flush=True); os.kill(os.getpid(), 9)"
    )
    import pickle

    started = subprocess.run(
        [sys.executable, "-c", code, pickle.dumps(slow.jobs()).hex()],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert started.returncode == -signal.SIGKILL
    first = begun(slow)
    again = slow.jobs()
    assert again.begin() == started.stdout.strip()
    assert slow.backend.describe(again.begin()).state == "running"
    (tmp_path / "gate").touch()
    assert slow.backend.wait(again.begin(), WAIT)
    assert again.finish(again.begin()).trial == slow.trials[0]
    assert begun_at_all(tmp_path) == first
    assert len(first) == 1


def begun_at_all(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "begun").read_text().split()]


def test_job_whose_record_was_never_written_is_found_by_its_environment(slow):
    jobs = slow.jobs()
    name = jobs.begin()
    (pid,) = begun(slow)
    (slow.workspace / "jobs" / name / "process.json").unlink()
    assert slow.backend.describe(name).state == "running"
    slow.backend.start(_job(slow, name))
    slow.backend.stop(name)
    assert not psutil.pid_exists(pid)


def _job(run: Run, name: str):
    return TrainingJob(name=name, trial=run.trials[0], data=run.data, labels={})


def test_stopping_ends_every_process_of_a_job_and_may_be_repeated(slow):
    jobs = slow.jobs()
    name = jobs.begin()
    (pid,) = begun(slow)
    spent = slow.backend.stop_all()
    assert spent.stopped == (name,)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert slow.backend.stop_all().stopped == ()
    assert slow.backend.describe(name).state == "stopped"


def test_after_a_stop_by_a_person_the_next_try_starts_the_next_job(slow, tmp_path):
    name = slow.jobs().begin()
    begun(slow)
    slow.backend.stop(name)
    with pytest.raises(JobRefusedError, match="it was stopped"):
        slow.jobs().finish(name)
    jobs = slow.jobs()
    jobs._remember(waiting_for=name)
    (tmp_path / "gate").touch()
    following = jobs.begin()
    assert (name[-2:], following[-2:]) == ("-1", "-2")
    assert slow.backend.wait(following, WAIT)


def test_after_a_stop_that_was_told_the_next_try_starts_the_next_job(slow, tmp_path):
    jobs = slow.jobs()
    name = jobs.begin()
    begun(slow)
    jobs.abandon(name)
    (tmp_path / "gate").touch()
    following = slow.jobs().begin()
    assert (name[-2:], following[-2:]) == ("-1", "-2")
    assert slow.backend.wait(following, WAIT)


def test_process_that_was_killed_is_told_once_and_then_tried_anew(slow, tmp_path):
    jobs = slow.jobs()
    name = jobs.begin()
    (pid,) = begun(slow)
    os.kill(pid, signal.SIGKILL)
    assert slow.backend.wait(name, WAIT)
    again = slow.jobs()
    assert again.begin() == name
    with pytest.raises(JobFailedError, match="ended without a word") as failed:
        again.finish(name)
    assert not isinstance(failed.value, TerminalError)
    (tmp_path / "gate").touch()
    following = slow.jobs().begin()
    assert following != name
    assert slow.backend.wait(following, WAIT)
    assert slow.jobs().finish(following).trial == slow.trials[0]


def test_job_has_not_ended_while_a_thread_of_a_killed_process_holds_its_lock(slow):
    name = slow.jobs().begin()
    (pid,) = begun(slow)
    os.kill(pid, signal.SIGKILL)
    lock = (slow.workspace / "jobs" / name / "lock").open()
    # Ours, in place of the thread's.
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert not slow.backend.wait(name, 0.1)
    letting_go = threading.Timer(0.3, lock.close)
    letting_go.start()
    assert slow.backend.wait(name, WAIT)
    assert lock.closed
    assert slow.backend.describe(name).state == "failed"


def test_process_id_of_somebody_else_is_not_taken_for_the_job(slow):
    name = slow.jobs().begin()
    (pid,) = begun(slow)
    record = slow.workspace / "jobs" / name / "process.json"
    record.write_text(record.read_text().replace(f'"pid": {pid}', f'"pid": {os.getpid()}'))
    slow.backend.stop(name)
    assert psutil.pid_exists(os.getpid())
    assert slow.backend.describe(name).state == "stopped"


def test_refusal_of_a_trial_is_terminal_and_says_why(tmp_path):
    run = a_run(tmp_path, LOCAL, "file:///lake", TREE, max_depth=-1)
    jobs = run.jobs()
    name = jobs.begin()
    run.backend.wait(name, WAIT)
    with pytest.raises(JobRefusedError, match=r"failed: trial 0 \(.*max_depth.*\. The end of"):
        jobs.finish(name)


def test_failure_that_may_pass_can_be_tried_again(tmp_path):
    run = a_run(tmp_path, LOCAL, "file:///lake", "tests.training.backends.estimators.Unlucky")
    jobs = run.jobs()
    name = jobs.begin()
    run.backend.wait(name, WAIT)
    with pytest.raises(FactoryError, match="the moon is in the wrong house") as failed:
        jobs.finish(name)
    assert not isinstance(failed.value, TerminalError)


def test_result_that_was_changed_is_refused_and_not_taken_a_second_time(tmp_path):
    run = a_run(tmp_path, LOCAL, "file:///lake", TREE)
    jobs = run.jobs()
    name = jobs.begin()
    run.backend.wait(name, WAIT)
    (file,) = (run.workspace / "jobs" / name / "model").glob("0.*")
    file.write_bytes(b"other")
    with pytest.raises(TerminalError, match="not the one that it trained"):
        jobs.finish(name)
    assert run.jobs().begin() != name


def test_job_sees_no_credentials_and_no_test_rows(slow, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    name = slow.jobs().begin()
    (pid,) = begun(slow)
    assert "hidden" not in psutil.Process(pid).environ().values()
    assert slow.backend.describe(name).active


def test_job_of_another_machine_is_not_judged_from_here(slow):
    name = slow.jobs().begin()
    begun(slow)
    record = slow.workspace / "jobs" / name / "process.json"
    text = record.read_text()
    import socket

    record.write_text(text.replace(socket.gethostname(), "elsewhere"))
    with pytest.raises(FactoryError, match="started on the machine elsewhere"):
        slow.backend.describe(name)
    record.write_text(text)
