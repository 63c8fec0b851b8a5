"""A promotion deploys, a version that fails its smoke test is rolled back: on a real Airflow and server."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest

from factory.models import registry
from factory.models.tracking import Tracking
from factory.runtime.airflow_models import AssetEvent, DagRun
from factory.runtime.embedded import EmbeddedRuntime
from tests.end_to_end.conftest import REPOSITORY, call_factory
from tests.end_to_end.sink import Sink

LAB = """\
version: 1
team: lab
owner: lab@example.org
defaults: {{retries: 1, retry_delay: 1s}}
notify: {{on_failure: [{{type: webhook, url: "{sink}/"}}]}}
datasets:
  marks:
    source: {{type: csv, path: data/marks.csv}}
models:
  mark:
    task: classification
    train_on: marks
    target: mark
    search:
      strategy: list
      trials: [{{estimator: sklearn.linear_model.LogisticRegression, params: {{C: 100.0}}}}]
    objective: {{metric: accuracy}}
    # Whatever is trained goes live, so that only the smoke test stands in its way.
    promotion: {{beat_champion: false}}
    deploy: {{type: process, timeout: 60s, smoke_test: {{rows: [{{x: 0.9}}], expect: high}}}}
"""

PRODUCER, TRAINING, DEPLOYMENT = "lab.marks", "lab.mark.train", "lab.mark.deploy"
MODEL = "lab.mark"
LONG = 240.0


@dataclass
class Lab:
    """A running project, and what a test does with it."""

    project: Path
    runtime: EmbeddedRuntime
    tracking: Tracking

    def __post_init__(self):
        self.airflow = self.runtime.airflow

    def publish(self, rows: int, *, inverted: bool = False) -> None:
        """`high` where x is above 0, or the other way round; starts a training."""
        x = np.random.default_rng(rows).uniform(-1, 1, rows)
        marks = np.where((x > 0) != inverted, "high", "low")
        pd.DataFrame({"x": x, "mark": marks}).to_csv(
            self.project / "data" / "marks.csv", index=False
        )
        run = self.airflow.trigger(PRODUCER)
        assert self.airflow.wait_for_run(PRODUCER, run.dag_run_id, seconds=LONG).state == "success"

    def events(self) -> list[AssetEvent]:
        """The model's asset events, oldest first."""
        return [event for event in self.airflow.asset_events() if event.name == MODEL]

    def deployment(self, number: int) -> DagRun:
        """The run that the model's event of this number has started, at its end."""

        def started() -> DagRun | None:
            events = self.events()
            if len(events) < number:
                return None
            runs = [r for r in events[number - 1].created_dagruns if r.dag_id == DEPLOYMENT]
            return self.airflow.run(DEPLOYMENT, runs[0].run_id) if runs else None

        run = self.airflow.wait_until(started, f"deployment {number}", seconds=LONG)
        return self.airflow.wait_for_run(DEPLOYMENT, run.dag_run_id, seconds=LONG)

    def states(self, run: DagRun) -> dict[str, str | None]:
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        return {task.task_id: task.state for task in tasks}

    def aliases(self) -> dict[str, int]:
        found = self.tracking.client.get_registered_model(MODEL).aliases
        return {alias: int(number) for alias, number in found.items()}

    def tags(self, number: int) -> dict[str, str]:
        return dict(registry.version(MODEL, number, tracking=self.tracking).tags)

    def ask(self) -> tuple[str, int]:
        """What the deployed model says about 0.9, and which version says it."""
        url = f"{self.runtime.ports.serving_url}/models/lab/mark/predict"
        answer = httpx.post(url, json={"rows": [{"x": 0.9}]}, timeout=30).json()
        return answer["predictions"][0], answer["version"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Lab]:
    project = tmp_path_factory.mktemp("lab")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "dags", project / "dags", ignore=ignored)
    (project / "configs").mkdir()
    (project / "data").mkdir()
    (project / "configs" / "_defaults.yaml").write_text("version: 1\npython_packages: [sklearn]\n")
    (project / "configs" / "lab.yaml").write_text(LAB.format(sink=sink.url))
    strict = {"AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error"}
    with EmbeddedRuntime(project, environment=strict) as runtime:
        airflow = runtime.airflow

        def parsed() -> bool:
            return {PRODUCER, TRAINING, DEPLOYMENT} <= {dag.dag_id for dag in airflow.dags()}

        airflow.wait_until(parsed, "the team's DAGs", seconds=60)
        for dag_id in (DEPLOYMENT, TRAINING, PRODUCER):
            airflow.unpause(dag_id)
        yield Lab(project, runtime, Tracking(runtime.ports.mlflow_url))


@pytest.fixture(scope="module")
def good(lab: Lab) -> DagRun:
    lab.publish(200)
    return lab.deployment(1)


def test_a_promotion_is_deployed_and_asked(lab: Lab, good: DagRun, sink: Sink):
    assert good.state == "success"
    assert lab.states(good) == {
        "version": "success",
        "deploy": "success",
        "smoke_test": "success",
        "restore": "skipped",
        "announce": "skipped",
        "fail": "skipped",
    }
    assert lab.ask() == ("high", 1)
    tags = lab.tags(1)
    assert tags["deployed_to"] == f"{lab.runtime.ports.serving_url}/models/lab/mark"
    assert tags["deployed_at"] >= tags["promoted_at"]
    assert sink.posts.empty()


def test_a_server_that_dies_is_started_again(lab: Lab, good: DagRun):
    keeper = psutil.Process(lab.runtime._components["serving"].process.pid)
    (server,) = keeper.children()
    server.kill()

    def another() -> bool:
        lab.runtime.check()
        try:
            return lab.ask()[1] == 1
        except (httpx.TransportError, KeyError):  # Not there yet, or the model is being loaded.
            return False

    psutil.wait_procs([server], timeout=10)
    lab.airflow.wait_until(another, "an answer of the new server", seconds=60)
    assert keeper.children() != [server]


@pytest.fixture(scope="module")
def bad(lab: Lab, good: DagRun) -> DagRun:
    lab.publish(210, inverted=True)
    return lab.deployment(2)


def test_a_version_that_fails_its_smoke_test_is_rolled_back(lab: Lab, bad: DagRun):
    assert bad.state == "failed"
    states = lab.states(bad)
    assert states == {
        "version": "success",
        "deploy": "success",
        "smoke_test": "failed",
        "restore": "success",
        "announce": "success",
        "fail": "failed",
    }
    assert lab.aliases() == {"champion": 1, "previous": 2}
    assert lab.ask() == ("high", 1)
    tags = lab.tags(2)
    assert tags["rolled_back_by"] == f"Airflow run {bad.dag_run_id} of {DEPLOYMENT}"
    assert "it says 'low'" in tags["rolled_back_why"]
    assert "'high' is expected" in tags["deploy_failed_why"]


def test_people_are_told_once_with_what_became_of_it(lab: Lab, bad: DagRun, sink: Sink):
    message = sink.posts.get(timeout=60)
    assert message["subject"] == f"{DEPLOYMENT} failed"
    assert message["facts"]["failed"] == "smoke_test; fail"
    assert "it says 'low'" in message["detail"]
    assert (
        "version 2 of lab.mark could not be deployed; version 1 is in production again"
        in (message["detail"])
    )
    assert sink.posts.empty()


def test_the_restorations_own_event_deploys_nothing(lab: Lab, bad: DagRun):
    own = lab.deployment(3)
    assert own.state == "success"
    assert set(lab.states(own).values()) == {"skipped"}
    event = lab.events()[-1].extra
    assert (event["version"], event["reason"]) == (1, "rollback")
    assert len(lab.events()) == 3


def test_the_next_version_and_a_rollback_by_hand_are_deployed_too(lab: Lab, bad: DagRun):
    lab.publish(220)
    third = lab.deployment(4)
    assert (third.state, lab.ask()) == ("success", ("high", 3))
    assert lab.aliases() == {"champion": 3, "previous": 1}
    before = lab.tags(1)["deployed_at"]

    done = call_factory(lab.project, "rollback", MODEL, "--why", "a customer complains")
    assert done.returncode == 0, done.stderr
    back = lab.deployment(5)
    assert (back.state, lab.ask()) == ("success", ("high", 1))
    assert lab.tags(1)["deployed_at"] > before
    assert lab.aliases() == {"champion": 1, "previous": 3}
    assert len(lab.events()) == 5
