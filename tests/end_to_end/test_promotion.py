"""Only a better model goes live, and only if whoever is asked agrees: on a real Airflow.

Two models learn from one dataset. `plain` is promoted by numbers alone, `asked` by a person. Each round
publishes a snapshot, which starts both; the rounds build on each other.
"""

import getpass
import json
import re
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from factory.models import switching
from factory.runtime.airflow_records import AssetEvent, DagRun, TaskInstance
from tests.harness.airflow import LONG, Installation
from tests.harness.servers import free_port

SCHOOL = """\
version: 1
team: school
owner: school@example.org
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
    # `x` alone tells the mark, and the worse versions say the opposite of it.
    guard: {leakage: warn, worse_than_baseline: warn, target_drift: "off"}
    retrain_when: {rows_added: 50}
  asked:
    <<: *model
    retrain_when: null
    promotion:
      beat_champion: false
      approval: {assignees: [Anonymous], response_timeout: 45s}
"""

PRODUCER, PLAIN, ASKED = "school.marks", "school.plain.train", "school.asked.train"


def marks(rows: int, limit: float, *, inverted: bool = False) -> pd.DataFrame:
    """`high` where x is above 0; in the older three fifths, above `limit` or even the other way."""
    x = np.random.default_rng(rows).uniform(-1, 1, rows)
    is_old = np.arange(rows) < rows * 0.6
    is_high = np.where(is_old, (x > limit) != inverted, x > 0)
    return pd.DataFrame({"day": np.arange(rows), "x": x, "mark": np.where(is_high, "high", "low")})


class School(Installation):
    """Team `school` on the shared Airflow."""

    def publish(self, rows: pd.DataFrame) -> AssetEvent:
        """Run the producer to its end; the event that it emitted."""
        rows.to_csv(self.project / "data" / "marks.csv", index=False)
        run = self.run(PRODUCER)
        assert run.state == "success"
        return self.event_of(run)

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

    def extras(self, model: str) -> list[dict]:
        """What the model's asset events carry, oldest first."""
        return [event.extra for event in self.events(model)]

    def runs_in_mlflow(self, model: str) -> int:
        experiment = self.tracking.client.get_experiment_by_name(model)
        return len(self.tracking.client.search_runs([experiment.experiment_id]))


@pytest.fixture(scope="module")
def school(installation: Installation) -> School:
    rows = marks(300, 0.5).to_csv(index=False)
    installation.add({"data/marks.csv": rows, "configs/school.yaml": SCHOOL})
    return School.of(installation)


@dataclass
class Round:
    """A snapshot and the two runs that it has started, both at their ends."""

    plain: DagRun
    asked: DagRun


def play(school: School, rows: pd.DataFrame, answer: str | None) -> Round:
    """Publish rows; answer the question of `asked`, or let time run out."""
    event = school.publish(rows)
    plain, asked = (school.begun_by(event, dag_id) for dag_id in (PLAIN, ASKED))
    approve = school.waiting(asked)
    if answer:
        school.airflow.answer(approve, answer)
    return Round(school.end_of(plain), school.end_of(asked))


@pytest.fixture(scope="module")
def mediocre(school: School) -> Round:
    return play(school, marks(300, 0.5), "Reject")


def test_first_model_is_promoted_and_emits_the_models_event(school: School, mediocre: Round):
    assert mediocre.plain.state == "success"
    states = school.states(mediocre.plain)
    assert (states["promote"], states["keep_champion"]) == ("success", "skipped")
    assert states["close_workspace"] == "success"
    (event,) = school.extras("school.plain")
    assert (event["model"], event["version"], event["reason"]) == ("school.plain", 1, "promotion")
    assert event["snapshots"] == {"school.marks": 0}
    assert 0.5 < event["metrics"]["test_accuracy"] < 0.9
    assert school.aliases("school.plain") == {"champion": 1}
    assert school.version("school.plain", 1).tags["promoted_by"] == (
        f"Airflow run {mediocre.plain.dag_run_id} of {PLAIN}"
    )


def test_rejection_keeps_things_as_they_are_and_names_who_rejected(school: School, mediocre: Round):
    run = mediocre.asked
    assert run.state == "success"
    states = school.states(run)
    assert [states[name] for name in ("approve", "promote", "keep_champion")] == [
        "success",
        "skipped",
        "success",
    ]
    question = school.airflow.approval(school.task(run, "approve"))
    assert question.subject == "Put school.asked version 1 into production?"
    assert "| test metric | champion (none) | challenger (version 1) |" in question.body
    page = f"[the run in Airflow]({school.runtime.ports.airflow_url}/dags/{run.dag_id}/runs/"
    assert page in question.body
    assert [user.id for user in question.assigned_users] == ["Anonymous"]
    outcome = school.result(run, "keep_champion")
    assert outcome["reason"].startswith("rejected by somebody at ")
    assert (outcome["promoted"], outcome["champion"]) == (False, None)
    assert school.extras("school.asked") == []
    assert school.aliases("school.asked") == {"challenger": 1}
    assert school.version("school.asked", 1).tags["outcome_why"] == outcome["reason"]


@pytest.fixture(scope="module")
def worse(school: School, mediocre: Round) -> Round:
    return play(school, marks(360, 0.0, inverted=True), None)


def test_worse_challenger_keeps_the_champion_emits_no_event_and_says_why(
    school: School, worse: Round
):
    assert worse.plain.state == "success"
    states = school.states(worse.plain)
    assert (states["promote"], states["keep_champion"]) == ("skipped", "success")
    assert len(school.extras("school.plain")) == 1
    assert school.aliases("school.plain") == {"champion": 1, "challenger": 2}
    reason = school.result(worse.plain, "keep_champion")["reason"]
    assert reason.startswith("version 2 is worse than the champion: test accuracy 0")
    assert "of version 1 on the same 72 rows" in reason
    assert reason in school.log_of(worse.plain, "gate")
    version = school.version("school.plain", 2)
    assert version.tags["outcome_why"] == reason
    note = school.tracking.client.get_run(version.record.mlflow_run_id).data.tags[
        "mlflow.note.content"
    ]
    assert f"Version 1 stays in production: {reason}" in note
    assert "| **accuracy** |" in note


def test_silence_keeps_things_as_they_are(school: School, worse: Round):
    run = worse.asked
    assert run.state == "success"
    states = school.states(run)
    assert (states["promote"], states["keep_champion"]) == ("skipped", "success")
    outcome = school.result(run, "keep_champion")
    assert outcome["reason"].startswith("no answer within 45 s, so it is rejected, although")
    assert school.extras("school.asked") == []


@pytest.fixture(scope="module")
def better(school: School, worse: Round) -> Round:
    return play(school, marks(420, 0.0), "Approve")


def test_better_challenger_is_promoted(school: School, better: Round):
    assert better.plain.state == "success"
    assert school.aliases("school.plain") == {"champion": 3, "previous": 1}
    outcome = school.result(better.plain, "promote")
    assert outcome["reason"].startswith("version 3 beats the champion by 0.")
    assert outcome["metrics"]["accuracy"] > outcome["champion_metrics"]["accuracy"]
    assert [event["version"] for event in school.extras("school.plain")] == [1, 3]


def test_approval_promotes_in_the_name_of_who_approved(school: School, better: Round):
    run = better.asked
    assert run.state == "success"
    states = school.states(run)
    assert [states[name] for name in ("approve", "promote", "keep_champion")] == [
        "success",
        "success",
        "skipped",
    ]
    (event,) = school.extras("school.asked")
    assert event["version"] == 3
    tags = school.version("school.asked", 3).tags
    somebody = f"somebody at {getpass.getuser()}'s Airflow, which has no log-in"
    assert tags["promoted_by"] == somebody
    assert tags["promoted_why"].endswith(f"; approved by {somebody}")


@pytest.fixture(scope="module")
def few_rows(school: School, better: Round) -> Round:
    """Ten more rows: too few for `plain`. While `asked` asks, somebody changes its champion."""
    event = school.publish(marks(430, 0.0))
    plain, asked = (school.begun_by(event, dag_id) for dag_id in (PLAIN, ASKED))
    approve = school.waiting(asked)
    switching.rollback("school.asked", 1, by="ben", why="in between", tracking=school.tracking)
    school.airflow.answer(approve, "Approve")
    return Round(school.end_of(plain), school.end_of(asked))


def test_run_without_enough_new_rows_skips_itself_and_says_why(school: School, few_rows: Round):
    assert few_rows.plain.state == "success"
    states = school.states(few_rows.plain)
    assert states.pop("close_workspace") == states.pop("open_workspace") == "success"
    assert states.pop("inputs") == states.pop("retrain") == "success"
    assert set(states.values()) == {"skipped"}
    reason = school.airflow.xcom(PLAIN, few_rows.plain.dag_run_id, "retrain", key="reason")
    assert reason == (
        "no rule of `retrain_when` holds: 10 rows were added since version 3, `rows_added` is 50"
    )
    assert reason in school.log_of(few_rows.plain, "retrain")
    # A sweep and its trial for each of the three rounds before.
    assert school.runs_in_mlflow("school.plain") == 6
    assert len(school.extras("school.plain")) == 2


def test_promotion_over_another_champion_than_was_compared_fails_the_run(
    school: School, few_rows: Round
):
    run = few_rows.asked
    assert run.state == "failed"
    states = school.states(run)
    assert (states["promote"], states["keep_champion"]) == ("failed", "upstream_failed")
    assert states["close_workspace"] == "success"
    assert "by now the champion is version 1" in school.log_of(run, "promote")
    assert len(school.extras("school.asked")) == 1
    assert school.aliases("school.asked") == {"champion": 1, "previous": 3, "challenger": 4}


def test_rollback_by_hand_restores_the_previous_version_and_tells_airflow(
    school: School, few_rows: Round
):
    done = school.factory("rollback", "school.plain", "--why", "complaints", "--by", "ben")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "school.plain: version 1 is in production; version 3 was until now." in done.stdout
    assert school.aliases("school.plain") == {"champion": 1, "previous": 3}
    event = school.extras("school.plain")[-1]
    assert (event["version"], event["reason"]) == (1, "rollback")
    assert event["snapshots"] == {"school.marks": 0}
    tags = school.version("school.plain", 3).tags
    assert (tags["rolled_back_by"], tags["rolled_back_why"]) == ("ben", "complaints")

    listed = school.factory("champion", "school.plain").stdout
    assert re.search(r"^1 +champion ", listed, re.MULTILINE)
    assert max(map(len, listed.splitlines()[:4])) <= 80
    assert "school.marks 2" in listed
    assert re.search(r"^1 promoted by ben at .*: complaints$", listed, re.MULTILINE)
    told = json.loads(school.factory("champion", "school.plain", "--json").stdout)
    assert [one["version"] for one in told] == [3, 2, 1]
    hashes = [school.version("school.plain", number).record.config_hash for number in (3, 2, 1)]
    assert [one["config_hash"] for one in told] == hashes


def test_rollback_to_an_unknown_version_names_the_known_ones(school: School, few_rows: Round):
    done = school.factory("rollback", "school.plain", "--to", "9")
    assert done.returncode == 1
    assert "school.plain has no version 9: it has 1, 2, 3" in done.stderr
    done = school.factory("champion", "school.plane")
    assert done.returncode == 1
    assert "did you mean `school.plain`?" in done.stderr


def test_rollback_without_airflow_happens_and_says_that_nobody_was_told(
    school: School, few_rows: Round
):
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = school.factory("rollback", "school.plain", "--airflow-url", nowhere)
    assert done.returncode == 1
    assert "version 3 is in production" in done.stdout
    assert "No asset event was emitted" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["version"] == 3
    assert school.aliases("school.plain") == {"champion": 3, "previous": 1}


def test_every_version_is_accounted_for(school: School, few_rows: Round):
    """What a person asks afterwards, of the Airflow that all this happened on."""
    asked = json.loads(school.factory("why", "school.asked@3", "--json").stdout)
    assert asked["events"][0]["asset"] == "school.marks"
    assert asked["events"][0]["dag_id"] == PRODUCER
    assert (asked["verdict"], asked["outcome"]) == ("approve", "promoted")
    assert asked["approval"].startswith("approved by somebody at ")
    assert asked["snapshots"][0]["source"] == {"type": "csv", "path": "data/marks.csv"}
    history = json.loads(school.factory("champion", "school.asked", "--history", "--json").stdout)
    assert [(one["kind"], one["version"]) for one in history["entries"]] == [
        ("refusal", 1),
        ("refusal", 2),
        ("promotion", 3),
        ("rollback", 1),
    ]
    failed = " ".join(school.factory("why-not", "school.asked").stdout.split())
    assert " in promote: school.asked: version 4 is to replace version 3, but by now" in failed
    few = " ".join(school.factory("why-not", "school.plain").stdout.split())
    assert "10 rows were added since version 3, `rows_added` is 50" in few
    known = json.loads(school.factory("status", "school", "--json").stdout)
    states = {one["name"]: one["last_run"]["state"] for one in known["models"]}
    assert states == {"school.plain": "success", "school.asked": "failed"}
    assert known["datasets"][0]["rows"] == 430


def test_first_version_is_trained_again_to_the_same_bytes_after_three_more_snapshots(
    school: School, few_rows: Round, tmp_path: Path
):
    done = school.factory("reproduce", "school.plain@1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["is_equal"], found["rows"], found["same_training_rows"]) == (True, 60, True)
    file = tmp_path / "evidence.zip"
    done = school.factory("evidence", "school.plain@1", "--output", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    with ZipFile(file) as archive:
        assert b"school.plain.train" in archive.read("dag.yaml")
        assert b"factory reproduce school.plain@1" in archive.read("reproduce.md")
