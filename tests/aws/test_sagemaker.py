"""Trials as SageMaker's training jobs, over HTTP: what is asked, what comes back, what is paid."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.training.backends.backend import JobFailedError, JobRefusedError, JobStatus
from factory.training.split import read_part
from factory.training.trial import load_fitted, trial_files
from tests.harness.aws.server import AwsServer
from tests.harness.aws.training_jobs import TrainingJobs
from tests.training.backends.run import SAGEMAKER, SLOW, TREE, Run, a_run

STORAGE = "s3://lake/data"
WAIT = 90.0


def ended(run: Run, name: str) -> JobStatus:
    return until(lambda: _unless_active(run, name))


def _unless_active(run: Run, name: str) -> JobStatus | None:
    found = run.backend.describe(name)
    return None if found is None or found.active else found


def until(question: Callable):
    deadline = time.monotonic() + WAIT
    while not (answer := question()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer


@pytest.fixture
def slow(tmp_path: Path, training: TrainingJobs) -> Run:
    return slow_run(tmp_path, **SAGEMAKER)


def slow_run(folder: Path, **section: object) -> Run:
    gate, begun = str(folder / "gate"), str(folder / "begun")
    return a_run(folder, section, STORAGE, SLOW, gate=gate, begun=begun)


def begun(folder: Path) -> list[str]:
    until((folder / "begun").exists)
    return (folder / "begun").read_text().split()


def test_job_trains_and_its_model_comes_back(tmp_path, aws, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE, max_depth=3)
    jobs = run.jobs()
    name = jobs.begin()
    found = ended(run, name)
    assert (found.state, found.failure) == ("completed", None)
    assert found.billed >= 1
    fitted = jobs.finish(name)
    features, target = read_part(run.workspace, "validation")
    assert load_fitted(fitted, run.model, run.workspace).score(features, target) > 0.8
    (request,) = [job.request for job in training.jobs.values()]
    assert request["HyperParameters"]["params"] == '{"max_depth": 3}'
    assert {tag["Key"] for tag in request["Tags"]} == {"factory:model"}
    assert [key for key in aws.keys("data/_training/") if "/test" in key] == []


def test_rows_are_uploaded_once_and_taken_away_while_models_stay(tmp_path, aws, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    uploads = len([one for one in aws.requests if one.method == "PUT"])
    run.prepare()
    assert len([one for one in aws.requests if one.method == "PUT"]) == uploads
    name = run.jobs().begin()
    ended(run, name)
    run.backend.stop_all()
    run.backend.release()
    run.backend.release()
    (left,) = aws.keys("data/_training/")
    assert left.endswith(f"/models/{name}/output/model.tar.gz")


def test_files_that_parameters_name_are_given_to_jobs(tmp_path, aws, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    without = run.prepare()
    weights = trial_files(run.workspace) / "weights" / "body.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    given = run.prepare()
    (key,) = [key for key in aws.keys("data/_training/") if "/files/" in key]
    assert key.endswith("/split/files/weights/body.safetensors")
    assert given.digest != without.digest


def test_retry_takes_over_the_job_that_is_paid_for(slow, tmp_path, aws):
    name = slow.jobs().begin()
    begun(tmp_path)
    assert slow.jobs().begin() == name
    (slow.workspace / "jobs" / "trials" / "0.json").unlink()
    assert slow.jobs().begin() == name
    (tmp_path / "gate").touch()
    ended(slow, name)
    assert slow.jobs().finish(name).trial == slow.trials[0]
    # Cleared afterwards: what was trained is not trained again.
    assert slow.jobs().begin() == name
    assert aws.called.count("CreateTrainingJob") == 1
    assert len(begun(tmp_path)) == 1


def test_two_tasks_that_start_the_same_job_at_once_pay_for_one(slow, aws, training):
    jobs = slow.jobs()
    name = jobs.begin()
    jobs._start(name)
    assert aws.called.count("CreateTrainingJob") == 2
    assert list(training.jobs) == [name]
    slow.backend.stop(name)


def test_failure_text_comes_back_as_the_job_wrote_it(tmp_path, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE, max_depth=-1)
    jobs = run.jobs()
    name = jobs.begin()
    ended(run, name)
    with pytest.raises(JobRefusedError, match=r"failed: trial 0 \(.*max_depth.*CloudWatch"):
        jobs.finish(name)


def test_want_of_capacity_is_for_trying_again_with_the_next_job(tmp_path, training):
    training.failures.append("CapacityError: Unable to provision requested ML compute capacity.")
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    jobs = run.jobs()
    name = jobs.begin()
    ended(run, name)
    with pytest.raises(JobFailedError, match="CapacityError") as failed:
        jobs.finish(name)
    assert not isinstance(failed.value, TerminalError)
    following = run.jobs().begin()
    assert (name[-2:], following[-2:]) == ("-1", "-2")
    ended(run, following)
    assert run.jobs().finish(following).trial == run.trials[0]


def test_throttled_calls_are_repeated_until_they_are_heard(tmp_path, aws: AwsServer, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    aws.throttle("CreateTrainingJob", 2)
    aws.throttle("DescribeTrainingJob", 2)
    name = run.jobs().begin()
    assert list(training.jobs) == [name]
    assert aws.called.count("CreateTrainingJob") == 3


def test_throttling_without_end_says_what_to_do(tmp_path, aws, training, monkeypatch):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    aws.throttle("DescribeTrainingJob", 1000)
    with pytest.raises(FactoryError, match=r"asked too often.*parallel_trials") as failed:
        run.jobs().begin()
    assert not isinstance(failed.value, TerminalError)
    assert aws.called.count("DescribeTrainingJob") == 8


def test_quota_of_instances_is_for_trying_again(tmp_path, aws, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    aws.throttle("CreateTrainingJob", 1, code="ResourceLimitExceeded")
    with pytest.raises(FactoryError, match="quota") as failed:
        run.jobs().begin()
    assert not isinstance(failed.value, TerminalError)
    assert run.jobs().begin().endswith("-1")


def test_credentials_that_may_not_are_terminal_and_name_what_to_allow(tmp_path, aws, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    aws.throttle("DescribeTrainingJob", 1, code="AccessDeniedException")
    with pytest.raises(TerminalError, match=r"sagemaker:CreateTrainingJob.*iam:PassRole"):
        run.jobs().begin()


def test_stopping_leaves_nothing_running_and_counts_the_cost(slow, tmp_path, training):
    name = slow.jobs().begin()
    begun(tmp_path)
    spent = slow.backend.stop_all(price=3600.0)
    assert spent.stopped == (name,)
    assert training.active == []
    assert spent.billed >= 1
    assert spent.cost == pytest.approx(spent.billed)
    assert slow.backend.stop_all().stopped == ()


def test_interrupted_spot_job_begins_anew_by_itself(tmp_path, training):
    run = slow_run(tmp_path, **SAGEMAKER, spot={"max_wait": "900s"})
    name = run.jobs().begin()
    begun(tmp_path)
    training.interrupt(name)
    until(lambda: run.backend.describe(name).detail.startswith("Interrupted"))
    assert run.backend.describe(name).state == "running"
    assert run.jobs().begin() == name
    training.give_back(name)
    (tmp_path / "gate").touch()
    assert ended(run, name).state == "completed"
    assert training.jobs[name].starts == 2
    assert run.jobs().finish(name).trial == run.trials[0]


def test_spot_job_without_capacity_in_time_is_for_trying_again(tmp_path, training):
    section = {**SAGEMAKER, "max_runtime": "15s", "spot": {"max_wait": "15s"}}
    run = slow_run(tmp_path, **section)
    jobs = run.jobs()
    name = jobs.begin()
    begun(tmp_path)
    training.interrupt(name)
    ended(run, name)
    with pytest.raises(JobFailedError, match=r"no spot capacity.*max_wait") as failed:
        jobs.finish(name)
    assert not isinstance(failed.value, TerminalError)


def test_job_that_takes_too_long_is_terminal(tmp_path, training):
    run = slow_run(tmp_path, **{**SAGEMAKER, "max_runtime": "1s"})
    jobs = run.jobs()
    name = jobs.begin()
    ended(run, name)
    with pytest.raises(JobRefusedError, match="max_runtime"):
        jobs.finish(name)


def test_archive_that_was_tampered_with_is_refused_and_not_taken_again(tmp_path, aws, training):
    run = a_run(tmp_path, SAGEMAKER, STORAGE, TREE)
    jobs = run.jobs()
    name = jobs.begin()
    ended(run, name)
    (key,) = aws.keys(f"data/_training/{run.prefix.rstrip('-')}/models/")
    aws.client().put_object(Bucket="lake", Key=key, Body=b"no archive")
    with pytest.raises(TerminalError, match="no tar"):
        jobs.finish(name)
    assert run.jobs().begin() != name


def test_data_in_a_folder_are_out_of_reach(tmp_path):
    with pytest.raises(TerminalError, match="reads training data from S3"):
        a_run(tmp_path, SAGEMAKER, "file:///lake", TREE)
