"""What a change of team files comes to: its class, who is affected, and what has been rendered otherwise."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.changes.plan import State, make_plan, timed
from factory.cli.main import app
from tests.changes.conftest import change
from tests.harness.servers import free_port


def planned(project: Path):
    before = State.of(project.parent / "before", project, "dev")
    return make_plan(before, State.of(project, project, "dev"))


def effects(project: Path) -> dict[str, str]:
    return {one.dag_id: one.effect for one in planned(project).changes}


def test_nothing_changes_where_nothing_is_written_otherwise(project):
    assert planned(project).changes == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]", {"lab.species.train": "retrain"}),
        ("configs/lab.yaml", "monitor: {}", "split: {validation: {folds: 5}}\n    monitor: {}", {"lab.species.train": "retrain"}),
        ("configs/lab.yaml", "Which fish?", "Which fish is it?", {"lab.species.train": "cosmetic"}),
        ("configs/lab.yaml", "strategy: grid", "strategy: grid\n      parallel_trials: 4", {"lab.species.train": "operation"}),
        ("configs/lab.yaml", "{type: process}", "{type: process, url: 'http://models.example.org'}", {"lab.species.deploy": "redeploy"}),
        ("configs/lab.yaml", "monitor: {}", "monitor: {min_rows: 20}", {"lab.species.monitor": "operation"}),
        ("configs/sea.yaml", "All catches.", "Every catch.", {"sea.catches": "cosmetic"}),
        ("configs/sea.yaml", "share_with: [lab]", "share_with: [lab]\n    schedule: '@daily'", {"sea.catches": "operation"}),
        ("configs/sea.yaml", "data/catches.csv", "data/landings.csv", {"sea.catches": "republish"}),
        ("configs/sea.yaml", "share_with: [lab]", "share_with: [lab]\n    after: {tell: {operator: airflow.providers.standard.operators.empty.EmptyOperator}}", {"sea.catches": "operation"}),
        ("configs/lab.yaml", "monitor: {}", "monitor: {}\n    after: {tell: {operator: airflow.providers.standard.operators.empty.EmptyOperator}}", {"lab.species.train": "operation"}),
        ("configs/lab.yaml", "monitor: {}", "monitor: {}\n    preprocessing: [{columns: numbers, steps: [sklearn.preprocessing.PowerTransformer]}]", {"lab.species.train": "retrain"}),
        ("clean.sql", "*", "distinct *", {"sea.catches": "republish"}),
    ],
)  # fmt: skip
def test_a_change_has_the_class_of_what_it_comes_to(project, file, old, new, expected):
    change(project, file, old, new)
    found = effects(project)
    assert {dag: found[dag] for dag in expected} == expected
    others = {effect for dag, effect in found.items() if dag not in expected}
    assert others <= {"operation", "cosmetic"}


def test_a_default_of_the_platform_changes_all_dags_and_how_they_run(project):
    change(project, "configs/_defaults.yaml", "version: 1", "version: 1\ndefaults: {retries: 7}")
    found = effects(project)
    assert set(found.values()) == {"operation"}
    assert {"defaults.retries"} == {key for one in planned(project).changes for key in one.keys}
    assert {"sea.catches", "lab.species.train", "lab.species.predict"} <= set(found)


def test_who_reads_what_changes_is_affected_across_teams_and_steps(project):
    change(project, "configs/sea.yaml", "data/catches.csv", "data/landings.csv")
    (found,) = planned(project).changes
    assert found.affected == ("lab.species", "lab.species_predictions")
    assert found.keys == ("source.path",)


def test_new_and_gone_dags_are_told_with_what_starts_them(project):
    change(project, "configs/lab.yaml", "    monitor: {}\n", "")
    change(
        project,
        "configs/sea.yaml",
        "datasets:\n",
        "datasets:\n  ports: {source: {type: csv, path: data/ports.csv}}\n",
    )
    found = {one.dag_id: one for one in planned(project).changes}
    assert (found["lab.species.monitor"].kind, found["sea.ports"].kind) == ("gone", "new")
    assert found["sea.ports"].starts == "by hand"
    assert found["sea.ports"].diff[1] == "+sea.ports:"


def test_the_number_of_trials_is_shown_before_and_after(project):
    change(project, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    (found,) = [one for one in planned(project).changes if one.dag_id == "lab.species.train"]
    assert (found.trials.before, found.trials.now) == (2, 3)


def test_only_problems_that_were_not_there_before_are_told(project):
    for folder in (project, project.parent / "before"):
        change(folder, "configs/lab.yaml", "monitor: {}", "monitr: {}")
    assert planned(project).problems == ()
    change(project, "configs/sea.yaml", "    share_with: [lab]\n", "")
    change(project, "configs/lab.yaml", "monitr: {}", "monitor: {}")
    assert any("is not shared with team `lab`" in one for one in planned(project).problems)


@pytest.fixture(autouse=True)
def _without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def call(project: Path, *arguments: str):
    return CliRunner().invoke(app, ["plan", "--project", str(project), *arguments])


def test_a_revision_of_git_is_compared_without_being_checked_out(repository):
    change(repository, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    change(repository, "clean.sql", "*", "distinct *")
    for arguments in ((), ("--against", "v1"), ("--against", str(repository.parent / "before"))):
        done = call(repository, *arguments)
        assert done.exit_code == 0, done.output
        assert "lab.species.train" in done.output
        assert "2 → 3 trials" in done.output
        assert "sea.catches" in done.output
    assert "distinct" in (repository / "clean.sql").read_text()


def test_no_change_is_said(repository):
    assert call(repository).output == "No DAG changes against HEAD.\n"


def test_programs_and_pull_requests_get_all_of_it(repository):
    change(repository, "configs/sea.yaml", "data/catches.csv", "data/landings.csv")
    told = json.loads(call(repository, "--output", "json").output)
    (one,) = told["changes"]
    assert (one["dag_id"], one["effect"], one["kind"]) == ("sea.catches", "republish", "changed")
    comment = call(repository, "--output", "github").output
    assert (
        "| ~ | `sea.catches` | **republish** | source.path | lab.species, lab.species_predictions |"
        in comment
    )
    assert "Other teams that it reaches: lab." in comment
    assert "-          path: data/catches.csv" in comment


def test_new_problems_fail(repository):
    change(repository, "configs/sea.yaml", "    share_with: [lab]\n", "")
    done = call(repository)
    assert done.exit_code == 1
    assert "is not shared with team `lab`" in done.output


def test_minutes_follow_from_the_seconds_of_a_fit(project):
    change(project, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    asked: list[str] = []
    found = timed(planned(project), lambda model: asked.append(model) or 90.0)
    [one] = [one.trials for one in found.changes if one.trials is not None]
    assert (asked, one.minutes_before, one.minutes_now) == (["lab.species"], 3.0, 4.5)


def test_folds_are_fits_of_each_trial(project):
    change(
        project,
        "configs/lab.yaml",
        "monitor: {}",
        "split: {validation: {folds: 5}}\n    monitor: {}",
    )
    found = timed(planned(project), lambda _: 30.0)
    [one] = [one.trials for one in found.changes if one.trials is not None]
    assert (one.fits_before, one.fits_now) == (1, 6)
    assert (one.minutes_before, one.minutes_now) == (1.0, 6.0)


def test_a_training_that_gives_another_model_is_shown_with_its_trials(repository):
    change(repository, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 2.0]")
    assert "search.candidates; 2 trials (minutes unknown)" in call(repository).output


def test_an_mlflow_that_does_not_answer_leaves_minutes_unknown(repository, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    # Set here so that what the command sets is gone after the test.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    change(repository, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    done = call(repository)
    assert done.exit_code == 0
    assert "2 → 3 trials (minutes unknown)" in done.stdout
    assert "how long trainings take is unknown: the MLflow server" in done.stderr


@pytest.mark.parametrize("against", ["v2", "no/such/folder", "--help-me"])
def test_what_is_neither_a_folder_nor_a_revision_is_said(repository, against):
    done = call(repository, f"--against={against}")
    assert done.exit_code == 2
    assert f"error: {against}: there is no folder with `configs/` and no revision" in done.output
    assert "Traceback" not in done.output


def test_outside_of_git_a_folder_is_asked_for(project):
    done = call(project)
    assert done.exit_code == 2
    assert "write --against with a folder" in done.output


def test_a_broken_contract_is_told_with_its_readers(project):
    for folder in (project, project.parent / "before"):
        columns = "    columns: {species: VARCHAR, weight: DOUBLE}\n    share_with: [lab]"
        change(folder, "configs/sea.yaml", "    share_with: [lab]", columns)
        change(
            folder, "configs/lab.yaml", "target: species", "target: species\n    features: [weight]"
        )
    change(project, "configs/sea.yaml", "weight: DOUBLE", "length: DOUBLE")
    change(project, "configs/lab.yaml", "features: [weight]", "features: [length]")
    assert [one.breaks for one in planned(project).contracts] == [(), ()]
    change(project, "configs/lab.yaml", "features: [length]", "features: [weight]")
    before = str(project.parent / "before")
    text = (
        "sea.catches: the column `weight` is gone; breaks contract of "
        "lab.species (uses weight), lab.species_predictions (uses weight)"
    )
    assert text in call(project, "--against", before).output
    assert f"- {text}" in call(project, "--against", before, "--output", "github").output
