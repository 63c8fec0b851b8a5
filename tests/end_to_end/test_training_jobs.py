"""Trials as jobs in a real Airflow: processes of this machine, and training jobs of a test SageMaker.

A model learns once its gate, a file, is there: so a test can do something in the middle.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from factory.runtime.airflow_records import DagRun, TaskInstance
from tests.harness.airflow import LONG, Installation
from tests.harness.aws.server import AwsServer
from tests.harness.aws.training_jobs import TrainingJobs
from tests.harness.messages import Box, Webhooks
from tests.harness.project import flowers

MODEL = """\
  {name}:
    task: classification
    train_on: weeds
    schedule: none
    target: species
    search:
      strategy: list
      trials: {trials}
    objective: {{metric: accuracy}}
    backend: {backend}
"""

WORKSHOP = """\
version: 1
team: workshop
owner: workshop@example.org
defaults: {{retries: 1, retry_delay: 1s}}
notify: {{on_failure: [{{type: webhook, url: "{sink}"}}]}}
datasets:
  weeds: {{source: {{type: csv, path: data/workshop.csv}}}}
models:
"""

SAGEMAKER = (
    '{type: sagemaker, role: "arn:aws:iam::123456789012:role/training", '
    'image: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/training:1", '
    "instance_type: ml.m5.large, max_runtime: 600s, poll: 1s, max_cost: 1.5, storage: s3://lake/jobs}"
)
LOCAL = "{type: local-process}"
FOLDS = "less than 500 examples"


def model(name: str, backend: str, *trials: dict[str, Any], estimator: str) -> str:
    listed = json.dumps([{"estimator": estimator, "params": params} for params in trials])
    return MODEL.format(name=name, trials=listed, backend=backend)


class Site(Installation):
    """Team `workshop` on the shared Airflow, whose three models wait for their gates."""

    aws: AwsServer
    training: TrainingJobs
    messages: Box
    folder: Path

    def start(self, name: str) -> DagRun:
        """Start a training whose gate is closed; returns when a trial has begun to learn."""
        gate, begun = self.gate(name), self.folder / f"{name}-begun"
        gate.unlink(missing_ok=True)
        begun.unlink(missing_ok=True)
        run = self.airflow.trigger(f"workshop.{name}.train")

        def has_begun() -> bool:
            return begun.exists() or self._failed(run)

        self.airflow.wait_until(has_begun, "the training", seconds=LONG)
        assert not self._failed(run), self.logs(run)
        return run

    def _failed(self, run: DagRun) -> bool:
        return self.airflow.run(run.dag_id, run.dag_run_id).ended

    def gate(self, name: str) -> Path:
        return self.folder / f"{name}-gate"

    def begun(self, name: str) -> list[int]:
        """The processes that have begun to learn."""
        return [int(line) for line in (self.folder / f"{name}-begun").read_text().split()]

    def trials(self, run: DagRun) -> list[TaskInstance]:
        return self.tasks(run, "trial")

    def wait_until_deferred(self, run: DagRun, *, attempts: int = 2) -> None:
        """Wait until the two trials wait for their jobs, after so many attempts together."""

        def deferred() -> bool:
            trials = self.trials(run)
            return (
                [task.state for task in trials] == ["deferred", "deferred"]
                and sum(task.try_number for task in trials) == attempts
                and len(self.training.active) == 2
            )

        self.airflow.wait_until(deferred, "the waiting", seconds=LONG)

    def logs(self, run: DagRun) -> str:
        lines = [
            line
            for task in self.airflow.tasks(run.dag_id, run.dag_run_id)
            if task.state in ("failed", "up_for_retry")
            for line in self.airflow.log(task)
        ]
        return "\n".join(lines)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    installation: Installation,
    amazon: AwsServer,
    webhooks: Webhooks,
) -> Site:
    folder = tmp_path_factory.mktemp("site")
    slow = [
        {"gate": f"{folder}/{{name}}-gate", "begun": f"{folder}/{{name}}-begun", "max_depth": depth}
        for depth in (2, 3)
    ]

    def named(name: str) -> list[dict[str, Any]]:
        return json.loads(json.dumps(slow).replace("{name}", name))

    team = (
        WORKSHOP.format(sink=f"{webhooks.url}/failures")
        + model("remote", SAGEMAKER, *named("remote"), estimator="estimators.Slow")
        + model("local", LOCAL, named("local")[0], estimator="estimators.Slow")
        + model(
            "refused",
            LOCAL,
            # More folds than rows, which nobody can know before the rows are there.
            {"cv": 500},
            estimator="sklearn.calibration.CalibratedClassifierCV",
        )
    )
    rows = flowers(["nettle", "dock", "thistle"])
    installation.add({"configs/workshop.yaml": team, "data/workshop.csv": rows.to_csv(index=False)})
    site = Site.of(installation)
    site.aws, site.folder, site.messages = amazon, folder, webhooks.box("/failures")
    (site.training,) = [one for one in amazon.services if isinstance(one, TrainingJobs)]
    # Where the estimators lie that wait.
    paths = [str(site.project / "code"), os.environ.get("PYTHONPATH")]
    site.training.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    assert site.run("workshop.weeds").state == "success"
    return site


def test_trials_train_on_sagemaker_without_holding_a_worker(site: Site):
    run = site.start("remote")
    site.wait_until_deferred(run)
    site.gate("remote").touch()
    ended = site.end_of(run)
    assert ended.state == "success", site.logs(run)
    assert site.training.active == []
    assert len(site.training.jobs) == 2
    registered = site.result(run, "register")
    assert registered["trials"] == 2
    spent = site.result(run, "stop_training")
    assert (spent["jobs"], spent["stopped"]) == (2, [])
    assert spent["cost_usd"] == pytest.approx(spent["billed_seconds"] / 3600 * 0.115)
    child = site.tracking.client.get_run(registered["mlflow_run_id"])
    assert child.data.metrics["cost_usd"] > 0
    left = site.aws.keys("jobs/_training/")
    assert len(left) == 2
    assert all(name.endswith("/output/model.tar.gz") for name in left)


def test_trial_that_is_cleared_while_its_job_is_at_work_waits_for_that_job_again(site: Site):
    run = site.start("remote")
    site.wait_until_deferred(run)
    jobs = set(site.training.jobs)
    cleared = site.trials(run)[0]
    site.airflow.clear(cleared)
    site.wait_until_deferred(run, attempts=3)
    site.gate("remote").touch()
    assert site.end_of(run).state == "success", site.logs(run)
    assert set(site.training.jobs) == jobs
    assert site.result(run, "stop_training")["stopped"] == []
    (task,) = [one for one in site.trials(run) if one.map_index == cleared.map_index]
    assert "taking over the training job" in "\n".join(site.airflow.log(task))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "shut_down"])
def test_job_of_a_worker_that_ends_is_taken_over_by_the_retry(site: Site, how: signal.Signals):
    run = site.start("local")
    (job,) = site.begun("local")
    os.kill(psutil.Process(job).ppid(), how)

    def tried_again() -> bool:
        (task,) = site.trials(run)
        return task.try_number == 2 and task.state == "running"

    site.airflow.wait_until(tried_again, "the retry", seconds=LONG)
    assert psutil.pid_exists(job)
    site.gate("local").touch()
    assert site.end_of(run).state == "success", site.logs(run)
    assert site.begun("local") == [job]
    (task,) = site.trials(run)
    log = "\n".join(site.airflow.log(task))
    assert "taking over the training job" in log
    assert "job: " in log


def test_failure_text_of_a_job_is_in_the_log_and_in_the_one_message(site: Site):
    run = site.end_of(site.airflow.trigger("workshop.refused.train"))
    assert run.state == "failed"
    (task,) = site.trials(run)
    assert task.try_number == 1
    assert FOLDS in "\n".join(site.airflow.log(task))
    message = site.messages.get(timeout=60)
    assert "workshop.refused.train failed" in json.dumps(message)
    assert FOLDS in json.dumps(message)
    assert site.messages.empty()
    assert site.states(run)["stop_training"] == "success"


def test_run_that_a_person_stops_leaves_no_job_running(site: Site):
    run = site.start("remote")
    site.airflow.set_run_state(run.dag_id, run.dag_run_id, "failed")
    assert site.end_of(run).state == "failed"

    def stopped() -> bool:
        return site.states(run)["stop_training"] == "success"

    site.airflow.wait_until(stopped, "the teardown", seconds=LONG)
    assert site.training.active == []
    assert site.aws.keys("jobs/_training/workshop-remote") != []
    site.messages.get(timeout=60)


def test_task_that_a_person_marks_as_failed_ends_its_process(site: Site):
    run = site.start("local")
    (job,) = site.begun("local")
    (task,) = site.trials(run)
    site.airflow.set_task_state(task, "failed")

    def ended() -> bool:
        return not psutil.pid_exists(job)

    site.airflow.wait_until(ended, "the end of the process", seconds=LONG)
    assert site.end_of(run).state == "failed"
    site.messages.get(timeout=60)
