"""Only a better model goes live, and only if whoever is asked agrees: on a real Airflow.

Two models learn from one dataset. `plain` is promoted by numbers alone, `asked` by a person. Each round
publishes a snapshot, which starts both; the rounds build on each other.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from factory.models import registry
from factory.models.tracking import Tracking
from factory.runtime.airflow_models import AssetEvent, DagRun, TaskInstance
from factory.runtime.embedded import EmbeddedRuntime
from tests.end_to_end.conftest import REPOSITORY, call_factory

LAB = """\
version: 1
team: lab
owner: lab@example.org
defaults: {retries: 0}
datasets:
  marks:
    source: {type: csv, path: data/marks.csv}
models:
  plain: &model
    task: classification
    train_on: marks
    target: mark
    features: [x]
    # The newest rows are the test rows, so that no version has learned from them.
    split: {method: time, column: day, test: 0.2, validation: 0.2}
    search:
      strategy: list
      trials: [{estimator: sklearn.linear_model.LogisticRegression, params: {C: 100.0}}]
    objective: {metric: accuracy}
    retrain_when: {rows_added: 50}
  asked:
    <<: *model
    retrain_when: null
    promotion:
      beat_champion: false
      approval: {assignees: [Anonymous], response_timeout: 20s}
"""

PRODUCER, PLAIN, ASKED = "lab.marks", "lab.plain.train", "lab.asked.train"
LONG = 240.0


def marks(rows: int, limit: float, *, inverted: bool = False) -> pd.DataFrame:
    """`high` where x is above 0; in the older three fifths, above `limit` or even the other way."""
    x = np.random.default_rng(rows).uniform(-1, 1, rows)
    is_old = np.arange(rows) < rows * 0.6
    is_high = np.where(is_old, (x > limit) != inverted, x > 0)
    return pd.DataFrame({"day": np.arange(rows), "x": x, "mark": np.where(is_high, "high", "low")})


@dataclass
class Lab:
    """A running project, and what a test does with it."""

    project: Path
    runtime: EmbeddedRuntime
    tracking: Tracking

    def __post_init__(self):
        self.airflow = self.runtime.airflow

    def publish(self, rows: pd.DataFrame) -> AssetEvent:
        """Run the producer to its end; the event that it emitted."""
        rows.to_csv(self.project / "data" / "marks.csv", index=False)
        run = self.airflow.trigger(PRODUCER)
        run = self.airflow.wait_for_run(PRODUCER, run.dag_run_id, seconds=LONG)
        assert run.state == "success"
        return self.airflow.asset_events(dag_id=PRODUCER)[-1]

    def started_by(self, event: AssetEvent, dag_id: str) -> DagRun:
        def started() -> DagRun | None:
            (found,) = [e for e in self.airflow.asset_events(dag_id=PRODUCER) if e.id == event.id]
            runs = [run for run in found.created_dagruns if run.dag_id == dag_id]
            return self.airflow.run(dag_id, runs[0].run_id) if runs else None

        return self.airflow.wait_until(started, f"a run of {dag_id}", seconds=60)

    def end_of(self, run: DagRun) -> DagRun:
        return self.airflow.wait_for_run(run.dag_id, run.dag_run_id, seconds=LONG)

    def task(self, run: DagRun, task_id: str) -> TaskInstance:
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        (found,) = [task for task in tasks if task.task_id == task_id]
        return found

    def states(self, run: DagRun) -> dict[str, str | None]:
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        return {task.task_id: task.state for task in tasks}

    def waiting(self, run: DagRun) -> TaskInstance:
        """The approval of a run, once it waits for somebody, and the scheduler has noticed.

        No person is so fast, but a test may be: an answer that comes before the scheduler has seen
        that the task's first process ended makes it look like a task that was killed.
        """
        log = self.runtime.home.logs / "scheduler.log"
        noticed = (
            f"TaskInstance Finished: dag_id={run.dag_id}, task_id=approve, run_id={run.dag_run_id}"
        )

        def asks() -> TaskInstance | None:
            approve = self.task(run, "approve")
            waits = approve.state == "awaiting_input" and noticed in log.read_text()
            return approve if waits else None

        return self.airflow.wait_until(asks, f"a question of {run.dag_run_id}", seconds=LONG)

    def result(self, run: DagRun, task_id: str) -> dict:
        return self.airflow.xcom(run.dag_id, run.dag_run_id, task_id)

    def log_of(self, run: DagRun, task_id: str) -> str:
        return "\n".join(self.airflow.log(self.task(run, task_id)))

    def events(self, model: str) -> list[dict]:
        """The extras of the model's asset events, oldest first."""
        return [e.extra for e in self.airflow.asset_events() if e.name == model]

    def aliases(self, model: str) -> dict[str, int]:
        found = self.tracking.client.get_registered_model(model).aliases
        return {alias: int(number) for alias, number in found.items()}

    def version(self, model: str, number: int) -> registry.Version:
        return registry.version(model, number, tracking=self.tracking)

    def runs_in_mlflow(self, model: str) -> int:
        experiment = self.tracking.client.get_experiment_by_name(model)
        return len(self.tracking.client.search_runs([experiment.experiment_id]))

    def factory(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return call_factory(self.project, *arguments)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    project = tmp_path_factory.mktemp("lab")
    shutil.copytree(
        REPOSITORY / "dags", project / "dags", ignore=shutil.ignore_patterns("__pycache__")
    )
    (project / "configs").mkdir()
    (project / "data").mkdir()
    (project / "configs" / "_defaults.yaml").write_text("version: 1\npython_packages: [sklearn]\n")
    (project / "configs" / "lab.yaml").write_text(LAB)
    strict = {"AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error"}
    with EmbeddedRuntime(project, environment=strict) as runtime:
        airflow = runtime.airflow

        def parsed() -> bool:
            return {PRODUCER, PLAIN, ASKED} <= {dag.dag_id for dag in airflow.dags()}

        airflow.wait_until(parsed, "the team's DAGs", seconds=60)
        for dag_id in (PLAIN, ASKED, PRODUCER):
            airflow.unpause(dag_id)
        yield Lab(project, runtime, Tracking(runtime.ports.mlflow_url))


@dataclass
class Round:
    """A snapshot and the two runs that it has started, both at their ends."""

    plain: DagRun
    asked: DagRun


def play(lab: Lab, rows: pd.DataFrame, answer: str | None) -> Round:
    """Publish rows; answer the question of `asked`, or let time run out."""
    event = lab.publish(rows)
    plain, asked = (lab.started_by(event, dag_id) for dag_id in (PLAIN, ASKED))
    approve = lab.waiting(asked)
    if answer:
        lab.airflow.answer(approve, answer)
    return Round(lab.end_of(plain), lab.end_of(asked))


@pytest.fixture(scope="module")
def mediocre(lab: Lab) -> Round:
    return play(lab, marks(300, 0.5), "Reject")


def test_first_model_is_promoted_and_emits_the_models_event(lab: Lab, mediocre: Round):
    assert mediocre.plain.state == "success"
    states = lab.states(mediocre.plain)
    assert (states["promote"], states["keep_champion"]) == ("success", "skipped")
    assert states["close_workspace"] == "success"
    (event,) = lab.events("lab.plain")
    assert (event["model"], event["version"], event["reason"]) == ("lab.plain", 1, "promotion")
    assert event["snapshots"] == {"lab.marks": 0}
    assert 0.5 < event["metrics"]["test_accuracy"] < 0.9
    assert lab.aliases("lab.plain") == {"champion": 1}
    assert lab.version("lab.plain", 1).tags["promoted_by"] == (
        f"Airflow run {mediocre.plain.dag_run_id} of {PLAIN}"
    )


def test_rejection_keeps_things_as_they_are_and_names_who_rejected(lab: Lab, mediocre: Round):
    run = mediocre.asked
    assert run.state == "success"
    states = lab.states(run)
    assert [states[name] for name in ("approve", "promote", "keep_champion")] == [
        "success",
        "skipped",
        "success",
    ]
    question = lab.airflow.approval(lab.task(run, "approve"))
    assert question.subject == "Put lab.asked version 1 into production?"
    assert "| test metric | champion (none) | challenger (version 1) |" in question.body
    assert [user.id for user in question.assigned_users] == ["Anonymous"]
    outcome = lab.result(run, "keep_champion")
    assert outcome["reason"].startswith("rejected by Anonymous, although")
    assert (outcome["promoted"], outcome["champion"]) == (False, None)
    assert lab.events("lab.asked") == []
    assert lab.aliases("lab.asked") == {"challenger": 1}
    assert lab.version("lab.asked", 1).tags["outcome_why"] == outcome["reason"]


@pytest.fixture(scope="module")
def worse(lab: Lab, mediocre: Round) -> Round:
    return play(lab, marks(360, 0.0, inverted=True), None)


def test_worse_challenger_keeps_the_champion_emits_no_event_and_says_why(lab: Lab, worse: Round):
    assert worse.plain.state == "success"
    states = lab.states(worse.plain)
    assert (states["promote"], states["keep_champion"]) == ("skipped", "success")
    assert len(lab.events("lab.plain")) == 1
    assert lab.aliases("lab.plain") == {"champion": 1, "challenger": 2}
    reason = lab.result(worse.plain, "keep_champion")["reason"]
    assert reason.startswith("version 2 is worse than the champion: test accuracy 0")
    assert "of version 1 on the same 72 rows" in reason
    assert reason in lab.log_of(worse.plain, "gate")
    version = lab.version("lab.plain", 2)
    assert version.tags["outcome_why"] == reason
    note = lab.tracking.client.get_run(version.run_id).data.tags["mlflow.note.content"]
    assert f"Version 1 stays in production: {reason}" in note
    assert "| **accuracy** |" in note


def test_silence_keeps_things_as_they_are(lab: Lab, worse: Round):
    run = worse.asked
    assert run.state == "success"
    states = lab.states(run)
    assert (states["promote"], states["keep_champion"]) == ("skipped", "success")
    outcome = lab.result(run, "keep_champion")
    assert outcome["reason"].startswith("no answer within 20 s, so it is rejected, although")
    assert lab.events("lab.asked") == []


@pytest.fixture(scope="module")
def better(lab: Lab, worse: Round) -> Round:
    return play(lab, marks(420, 0.0), "Approve")


def test_better_challenger_is_promoted(lab: Lab, better: Round):
    assert better.plain.state == "success"
    assert lab.aliases("lab.plain") == {"champion": 3, "previous": 1}
    outcome = lab.result(better.plain, "promote")
    assert outcome["reason"].startswith("version 3 beats the champion by 0.")
    assert outcome["metrics"]["accuracy"] > outcome["champion_metrics"]["accuracy"]
    assert [event["version"] for event in lab.events("lab.plain")] == [1, 3]


def test_approval_promotes_in_the_name_of_who_approved(lab: Lab, better: Round):
    run = better.asked
    assert run.state == "success"
    states = lab.states(run)
    assert [states[name] for name in ("approve", "promote", "keep_champion")] == [
        "success",
        "success",
        "skipped",
    ]
    (event,) = lab.events("lab.asked")
    assert event["version"] == 3
    tags = lab.version("lab.asked", 3).tags
    assert tags["promoted_by"] == "Anonymous"
    assert tags["promoted_why"].endswith("; approved by Anonymous")


@pytest.fixture(scope="module")
def few_rows(lab: Lab, better: Round) -> Round:
    """Ten more rows: too few for `plain`. While `asked` asks, somebody changes its champion."""
    lab.before = lab.runs_in_mlflow("lab.plain")
    event = lab.publish(marks(430, 0.0))
    plain, asked = (lab.started_by(event, dag_id) for dag_id in (PLAIN, ASKED))
    approve = lab.waiting(asked)
    registry.rollback("lab.asked", 1, by="ben", why="in between", tracking=lab.tracking)
    lab.airflow.answer(approve, "Approve")
    return Round(lab.end_of(plain), lab.end_of(asked))


def test_run_without_enough_new_rows_skips_itself_and_says_why(lab: Lab, few_rows: Round):
    assert few_rows.plain.state == "success"
    states = lab.states(few_rows.plain)
    assert states.pop("close_workspace") == states.pop("open_workspace") == "success"
    assert states.pop("inputs") == states.pop("retrain") == "success"
    assert set(states.values()) == {"skipped"}
    reason = lab.airflow.xcom(PLAIN, few_rows.plain.dag_run_id, "retrain", key="reason")
    assert reason == (
        "no rule of `retrain_when` holds: 10 rows were added since version 3, `rows_added` is 50"
    )
    assert reason in lab.log_of(few_rows.plain, "retrain")
    assert lab.runs_in_mlflow("lab.plain") == lab.before
    assert len(lab.events("lab.plain")) == 2


def test_promotion_over_another_champion_than_was_compared_fails_the_run(lab: Lab, few_rows: Round):
    run = few_rows.asked
    assert run.state == "failed"
    states = lab.states(run)
    assert (states["promote"], states["keep_champion"]) == ("failed", "upstream_failed")
    assert states["close_workspace"] == "success"
    assert "by now the champion is version 1" in lab.log_of(run, "promote")
    assert len(lab.events("lab.asked")) == 1
    assert lab.aliases("lab.asked") == {"champion": 1, "previous": 3, "challenger": 4}


def test_rollback_by_hand_restores_the_previous_version_and_tells_airflow(
    lab: Lab, few_rows: Round
):
    done = lab.factory("rollback", "lab.plain", "--why", "complaints", "--by", "ben")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lab.plain: version 1 is in production; version 3 was until now." in done.stdout
    assert lab.aliases("lab.plain") == {"champion": 1, "previous": 3}
    event = lab.events("lab.plain")[-1]
    assert (event["version"], event["reason"]) == (1, "rollback")
    assert event["snapshots"] == {"lab.marks": 0}
    tags = lab.version("lab.plain", 3).tags
    assert (tags["rolled_back_by"], tags["rolled_back_why"]) == ("ben", "complaints")

    listed = lab.factory("champion", "lab.plain").stdout
    rows = {line.split()[0]: line for line in listed.splitlines() if line[:1].isdigit()}
    assert rows["1"].split()[1] == "champion"
    assert "promoted by ben" in rows["1"]
    assert "complaints" in listed
    assert "lab.marks 2" in rows["3"]
    assert lab.version("lab.plain", 3).config_hash in rows["3"]


def test_rollback_to_an_unknown_version_names_the_known_ones(lab: Lab, few_rows: Round):
    done = lab.factory("rollback", "lab.plain", "--to", "9")
    assert done.returncode == 1
    assert "lab.plain has no version 9: it has 1, 2, 3" in done.stderr
    done = lab.factory("champion", "lab.plane")
    assert done.returncode == 1
    assert "did you mean `lab.plain`?" in done.stderr


def test_rollback_without_airflow_happens_and_says_that_nobody_was_told(
    lab: Lab, few_rows: Round, unused_tcp_port: int
):
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    done = lab.factory("rollback", "lab.plain", "--airflow-url", nowhere)
    assert done.returncode == 1
    assert "version 3 is in production" in done.stdout
    assert "No asset event was emitted" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["version"] == 3
    assert lab.aliases("lab.plain") == {"champion": 3, "previous": 1}


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
