"""How datasets and models stand, of a real lake and registry."""

import json
from functools import partial
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from factory.cli.main import app
from factory.models.tracking import Tracking
from factory.status.airflow_facts import ApprovalFacts, DagFacts, RunFacts
from factory.status.gathering import Status, gather
from tests.lake.publisher import Publisher
from tests.status.stand_in import (
    BY_ENTITY,
    NOW,
    StandIn,
    project_of,
    promote,
    register,
    register_islands,
)


@pytest.fixture
def tracking(mlflow_server) -> Tracking:
    return Tracking(mlflow_server)


def by_name(status: Status) -> dict:
    return {one.name: one for one in (*status.datasets, *status.models)}


def test_newest_snapshot_champion_and_metric_are_told_without_an_airflow(tmp_path, tracking):
    team = f"t{uuid4().hex[:6]}"
    publish = Publisher(tmp_path)
    publish("select 1 as id")
    model = f"{team}.species"
    for _ in range(2):
        register(tracking, model, {})
    promote(tracking, model, 1)
    project = project_of(tmp_path, team)
    found = gather(project, lake=publish.lake, tracking=tracking, airflow=None)
    assert found.airflow is None
    species = by_name(found)[model]
    assert (species.champion, species.newest) == (1, 2)
    assert (species.metric, species.score, species.is_paused) == ("accuracy", 0.9, None)
    assert by_name(found)[f"{team}.penguins"].version is None


def test_runs_approvals_and_paused_dags_are_told_by_airflow(tmp_path, tracking):
    publish = Publisher(tmp_path)
    publish("select 1 as id")
    training = "marine.species.train"
    run = RunFacts(dag_id=training, run_id="1", state="running", started=NOW)
    asked = ApprovalFacts(dag_id=training, run_id="1", subject="Put it?", who=("ana",))
    stand_in = StandIn(
        known={training: DagFacts(is_paused=True), "marine.penguins": DagFacts(is_paused=False)},
        runs={training: run},
        asked=[asked],
    )
    project = project_of(tmp_path)
    found = by_name(
        gather(project, ["marine"], lake=publish.lake, tracking=tracking, airflow=stand_in)
    )
    species = found["marine.species"]
    assert (species.is_paused, species.last_run, species.approval) == (True, run, asked)
    assert (found["marine.penguins"].version, found["marine.penguins"].is_paused) == (0, False)
    assert found["marine.weather"].is_paused is None


@pytest.mark.parametrize(
    ("breached", "counts", "said"),
    [("true", "true", "found"), ("false", "true", "none"), ("false", "false", "too few rows")],
)
def test_the_last_monitoring_of_the_champion_tells_of_drift(
    tmp_path, tracking, breached, counts, said
):
    team = f"t{uuid4().hex[:6]}"
    publish, model = Publisher(tmp_path), f"{team}.species"
    register(tracking, model, {})
    promote(tracking, model, 1)
    tags = {"role": "monitor", "model_version": "1", "findings": "drift of depth"}
    experiment = tracking.ensure_experiment(model)
    tracking.client.create_run(
        experiment, tags={**tags, "window": "w 1", "breached": breached, "counts": counts}
    )
    project = project_of(tmp_path, team, more="monitor: {}")
    found = by_name(gather(project, lake=publish.lake, tracking=tracking, airflow=None))[model]
    assert (found.drift, found.findings) == (said, "drift of depth")


def test_a_model_with_entities_tells_how_many_have_a_champion_and_which_have_drifted(
    tmp_path, tracking, monkeypatch
):
    team = f"t{uuid4().hex[:6]}"
    publish, model = Publisher(tmp_path), f"{team}.species"
    project = project_of(tmp_path, team, more=BY_ENTITY)
    gathered = partial(gather, project, lake=publish.lake, tracking=tracking, airflow=None)
    before = by_name(gathered())[model]
    assert (before.entities, before.champion, before.drift) == (0, None, "")
    register_islands(tracking, model)
    found = by_name(gathered())[model]
    assert (found.entities, found.champion) == (2, 1)
    assert (found.drift, found.findings) == ("found", "Biscoe: drift of depth")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    monkeypatch.setenv("COLUMNS", "200")
    said = CliRunner().invoke(app, ["status", team, "--project", str(tmp_path)]).output
    assert "2 entities, others: 1" in said
    assert "Biscoe: drift of depth" in said


def test_a_dataset_that_cannot_be_read_takes_nothing_from_the_others(tmp_path, tracking):
    publish = Publisher(tmp_path)
    publish("select 1 as id")
    log = next((tmp_path / "lake").rglob("_delta_log/*.json"))
    log.write_text("{")
    project = project_of(tmp_path)
    found = by_name(gather(project, lake=publish.lake, tracking=tracking, airflow=None))
    assert "damaged" in found["marine.penguins"].problem
    assert found["marine.weather"].problem == ""


@pytest.fixture
def project(tmp_path, tracking, monkeypatch):
    for name in ("FACTORY_STORAGE", "FACTORY_AIRFLOW_URL", "FACTORY_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    project_of(tmp_path)
    (tmp_path / "configs" / "_defaults.yaml").write_text("version: 1\nstorage: lake\n")
    Publisher(tmp_path)("select 1 as id")
    return tmp_path


def call(project, *arguments: str):
    return CliRunner().invoke(app, [*arguments, "--project", str(project)])


def test_the_command_says_in_one_line_that_no_airflow_runs_and_shows_the_rest(project, monkeypatch):
    monkeypatch.setattr("factory.cli.status.console.width", 80)
    done = call(project, "status", "marine")
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert done.output.count("No Airflow runs in this project") == 1
    assert "marine.penguins" in done.output
    told = json.loads(call(project, "status", "--json").stdout)
    assert [one["name"] for one in told["models"]] == ["marine.species"]


def test_why_not_and_why_say_what_there_is_without_an_airflow(project):
    done = call(project, "why-not", "marine.penguins")
    assert done.exit_code == 0, done.output
    assert "marine.penguins: snapshot 0 of" in done.output
    assert "Nothing is said of runs: no Airflow runs in this project" in done.output
    done = call(project, "why", "marine.penguins")
    assert "marine.penguins version 0, the newest: 1 rows, 1 columns" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "marin"), "has no team 'marin': did you mean `marine`?"),
        (
            ("why-not", "marine.specie"),
            "neither a dataset nor a model 'specie': did you mean `species`?",
        ),
        (("why-not", "sea.species"), "there is no team 'sea'"),
        (("why", "marine"), "write TEAM.NAME, or TEAM.NAME@VERSION such as ecology.species@2"),
        (("why", "marine.penguins@7"), "marine.penguins has no version 7"),
        (("why", "marine.none"), "the registry has no model 'marine.none'"),
        (("champion", "marine.none", "--at", "soon"), "'soon' is no date: write 2026-11-20"),
        (("reproduce", "marine.none@1"), "the registry has no model 'marine.none'"),
        (("evidence", "marine.none@1", "-o", "e.zip"), "the registry has no model 'marine.none'"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(project, arguments, said):
    done = call(project, *arguments)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.output
