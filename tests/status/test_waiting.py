"""Why there is nothing newer: each reason by itself, with the command that changes it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from factory.catalog.project import read_all
from factory.lake import publishing
from factory.models.tracking import Tracking
from factory.status.airflow_facts import ApprovalFacts, DagFacts, EventFacts, RunFacts, TaskFacts
from factory.status.waiting import Surroundings, why_no_newer_snapshot, why_no_newer_version
from tests.data.rows import rows_of
from tests.lake.publisher import REPLACE, Publisher
from tests.status.stand_in import (
    BY_ENTITY,
    NOW,
    StandIn,
    project_of,
    register,
    register_islands,
)

DATASET, MODEL, TRAINING = "marine.penguins", "marine.species", "marine.species.train"
RUNS = DagFacts(is_paused=False)


@pytest.fixture
def tracking(mlflow_server) -> Tracking:
    return Tracking(mlflow_server)


@pytest.fixture
def publish(tmp_path) -> Publisher:
    publish = Publisher(tmp_path)
    publish("select 1 as id, 'a' as name")
    return publish


@pytest.fixture
def reasons(tmp_path, tracking, publish):
    """What is said of the model, of a team of its own, as one text a reason."""
    team = f"t{uuid4().hex[:6]}"

    def ask(more: str = "", of: str = "", **airflow) -> list[tuple[str, str]]:
        project = project_of(tmp_path, team, more=more)
        stand_in = StandIn(**{"known": {f"{team}.species.train": RUNS}, **airflow})
        around = Surroundings(project, publish.lake, tracking, stand_in, NOW)
        found = why_no_newer_version(f"{team}.species{of}", around)
        return [
            (one.what.replace(team, "marine"), one.command.replace(team, "marine"))
            for one in found.reasons
        ]

    ask.team = team
    return ask


def run_of(reasons, state: str) -> dict[str, RunFacts]:
    dag_id = f"{reasons.team}.species.train"
    return {dag_id: RunFacts(dag_id=dag_id, run_id="run 1", state=state, started=NOW, ended=NOW)}


def test_a_paused_dag_says_since_when_who_and_how_to_let_it_run(reasons):
    known = {f"{reasons.team}.species.train": DagFacts(is_paused=True)}
    first, *_ = reasons(known=known, paused=(NOW, "ana"))
    assert first == (
        (
            "marine.species.train is paused since 2026-11-27 12:00 UTC, by ana: no event and no time starts it. "
            "The first event afterwards brings along those that came meanwhile."
        ),
        "factory unpause marine.species",
    )
    assert "since Airflow met it" in reasons(known=known)[0][0]


def test_a_run_that_is_queued_in_a_paused_dag_waits_for_that_alone(reasons):
    known = {f"{reasons.team}.species.train": DagFacts(is_paused=True)}
    commands = [command for _, command in reasons(known=known, runs=run_of(reasons, "queued"))]
    assert commands[0] == "factory unpause marine.species"
    assert not any("/runs/" in command for command in commands)


def test_a_failed_run_names_its_task_and_its_error(reasons):
    failed = TaskFacts(task="split", state="failed", error="TerminalError: no column")
    what, command = reasons(runs=run_of(reasons, "failed"), at=[failed])[0]
    assert what == "Its last run failed at 2026-11-27 12:00 UTC in split: TerminalError: no column"
    assert command.startswith("http://airflow.example/dags/marine.species.train/runs/run%201 ")


def test_a_run_at_work_says_what_it_is_at(reasons):
    at = [TaskFacts(task="trial [C=1]", state="running")]
    what, _ = reasons(runs=run_of(reasons, "running"), at=at)[0]
    assert what.endswith("it is at: trial [C=1] (running)")


def test_an_approval_says_whom_it_waits_for(reasons):
    asked = ApprovalFacts(
        dag_id="x", run_id="run 1", subject="Put it?", asked_at=NOW, who=("ana", "ben")
    )
    what, _ = reasons(runs=run_of(reasons, "running"), asked=[asked])[0]
    assert what == "A run waits since 2026-11-27 12:00 UTC for an approval by ana, ben: Put it?"


def test_a_full_pool_is_named(reasons):
    at = [TaskFacts(task="inputs", state="scheduled", pool="gpus")]
    runs = run_of(reasons, "running")
    assert reasons(runs=runs, at=at, slots={"gpus": 0})[0] == (
        "A run waits for a slot of the pool gpus, which has none free.",
        "airflow pools set gpus SLOTS 'more slots'",
    )
    assert "pool" not in reasons(runs=runs, at=at, slots={"gpus": 3})[0][0]


def test_a_dag_that_airflow_does_not_know_leads_to_validate(reasons):
    assert reasons(known={})[0][1] == "factory validate"


def test_of_several_datasets_it_says_which_have_come_and_which_have_not(reasons):
    several = "schedule: {all: [penguins, weather]}"
    come = {f"{reasons.team}.penguins": NOW}
    found = reasons(several, come=come)
    assert (
        "A training starts once all of marine.penguins, marine.weather have changed since the last one: of "
        "marine.penguins (2026-11-27 12:00 UTC) there are news, marine.weather is missing."
    ) in [what for what, _ in found]
    assert (
        "Nothing has been published of marine.weather yet.",
        "factory run marine.weather",
    ) in found


def test_data_that_the_newest_version_was_trained_on_is_no_news(
    reasons, tracking, publish, tmp_path
):
    dataset = f"{reasons.team}.penguins"

    def more(value: int) -> None:
        rows = rows_of(f"select {value} as id", tmp_path, f"more {value}").file
        publishing.publish(publish.lake, dataset, rows, REPLACE, run_id=str(value))

    more(1)
    register(tracking, f"{reasons.team}.species", {dataset: 0})
    event = {dataset: EventFacts(at=NOW, version=0)}
    said = [what for what, _ in reasons(events=event)]
    assert any("which version 1 was trained on; its last event came at" in what for what in said)
    more(2)
    what, command = next(one for one in reasons() if "no version was trained on it" in one[0])
    assert "the newest snapshot is 1" in what
    assert command == "factory replay marine.penguins"
    # What `retrain_when` says of the rows.
    what, command = reasons("retrain_when: {rows_added: 50}")[-1]
    assert "0 rows were added since version 1, `rows_added` is 50" in what
    assert command.startswith("factory run marine.species")


def test_a_refused_version_says_why_and_how_to_promote_it(reasons, tracking):
    register(tracking, f"{reasons.team}.species", {}, outcome="kept", outcome_why="it is worse")
    found = dict(reasons())
    assert found["Version 1 was trained and is not in production: it is worse"] == (
        "factory why marine.species@1; factory rollback marine.species --to 1"
    )


def test_problems_of_the_file_come_first(tmp_path, tracking, publish):
    project_of(tmp_path)
    file = tmp_path / "configs" / "marine.yaml"
    file.write_text(file.read_text().replace("train_on: penguins", "train_on: penguin"))
    project = read_all(tmp_path / "configs", "dev")
    around = Surroundings(project, publish.lake, tracking, None, NOW)
    found = why_no_newer_version("marine.species", around)
    assert found.reasons[0].what.startswith("The team's file has 1 problem: ")
    assert (found.reasons[0].command, found.airflow) == ("factory validate", None)


def test_a_dataset_whose_run_published_nothing_says_so(tmp_path, publish):
    later = NOW + timedelta(days=400)
    runs = {DATASET: RunFacts(dag_id=DATASET, run_id="run 1", state="success", started=later)}
    stand_in = StandIn(known={DATASET: RUNS}, runs=runs)
    around = Surroundings(project_of(tmp_path), publish.lake, None, stand_in, NOW)
    found = why_no_newer_snapshot(DATASET, around)
    assert found.newest.startswith("snapshot 0 of ")
    assert "ended well and published nothing" in found.reasons[0].what
    assert found.reasons[1].what == "It has no schedule: only people start it."


def test_an_entity_has_reasons_of_its_own(reasons, tracking):
    model = f"{reasons.team}.species"
    register_islands(tracking, model)
    register(tracking, f"{model}.Dream", {}, entity="Dream", outcome_why="it is worse")
    ended = run_of(reasons, "success")
    first, *_ = reasons(BY_ENTITY, of=".Dream", runs=ended)
    assert first == (
        "Version 2 was trained and is not in production: it is worse",
        "factory why marine.species.Dream@2; factory rollback marine.species.Dream --to 2",
    )
    first, *_ = reasons(BY_ENTITY, of=".Torgersen", runs=ended)
    assert first[0].startswith("No value of island has a model of that name: it had fewer than 100")
    assert first[1] == "factory champion marine.species (lists those that have one)"
    first, *_ = reasons(of=".Torgersen", runs=ended)
    assert first[0] == "marine.species has one model for all rows."
