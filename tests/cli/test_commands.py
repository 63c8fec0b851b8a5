"""`factory validate`, `render` and `run`, called as a person calls them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from factory.cli.main import app

REPOSITORY = Path(__file__).parents[2]


def factory(*arguments: str, project: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a person calls it."""
    environ = {**os.environ, "COLUMNS": "200"}
    # A model that another test has loaded leaves its server's address here.
    environ.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.run(
        [sys.executable, "-m", "factory", *arguments, "--project", str(project)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def called(*arguments: str, project: Path) -> Result:
    """The command in this process, which is quicker."""
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(app, [*arguments, "--project", str(project)])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("dags", "configs"):
        shutil.copytree(
            REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def test_validate_is_content_with_the_shipped_teams(project):
    done = factory("validate", project=project)
    assert done.returncode == 0, done.stdout
    assert "3 team files: no problems" in done.stdout


def test_validate_shows_all_problems_of_all_files_and_exits_with_1(project):
    for team, wrong in (("marine", "schedule: '@dayly'"), ("ecology", "max_iter: 1000")):
        path = project / "configs" / f"{team}.yaml"
        text = path.read_text()
        path.write_text(
            text.replace('schedule: "@daily"', wrong)
            if team == "marine"
            else text + "\nnonsense: 1\n"
        )
    done = called("validate", project=project)
    assert done.exit_code == 1
    assert "marine.yaml" in done.stdout
    assert "@daily" in done.stdout
    assert "nonsense" in done.stdout
    assert "2 problems in 3 files" in done.stdout


def test_validate_of_one_file_shows_its_links_too(project):
    path = project / "configs" / "ecology.yaml"
    path.write_text(
        path.read_text().replace("train_on: marine.penguins", "train_on: marine.pengins")
    )
    done = called("validate", str(path), project=project)
    assert done.exit_code == 1
    assert "did you mean `marine.penguins`?" in done.stdout
    assert "1 problem in 1 file" in done.stdout
    assert called("validate", str(project / "configs/marine.yaml"), project=project).exit_code == 0


def test_render_prints_yaml_of_a_team_or_of_one_dag(project):
    team = yaml.safe_load(called("render", "clinic", project=project).stdout)
    assert list(team) == ["clinic.diabetes", "clinic.progression.train"]
    one = yaml.safe_load(called("render", "clinic.progression", project=project).stdout)
    assert one == {"clinic.progression.train": team["clinic.progression.train"]}


def test_unknown_names_get_a_suggestion(project):
    done = called("render", "clinc", project=project)
    assert (done.exit_code, "did you mean `clinic`?" in done.stderr) == (1, True)
    done = called("run", "marine.pengins", project=project)
    assert (done.exit_code, "did you mean `marine.penguins`?" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--param", "publish_unchange=true"), "did you mean `publish_unchanged`?"),
        (("--param", "publish_unchanged"), "write NAME=VALUE"),
        (("--param", "publish_unchanged=[1"), "is no value of YAML"),
        (("--snapshot", "marine.penguins=1"), "it reads no dataset"),
        (("--snapshot", "marine.penguins"), "write TEAM.DATASET=VERSION"),
    ],
)
def test_run_says_what_is_wrong_with_a_param_before_it_begins(project, arguments, said):
    done = called("run", "marine.penguins", *arguments, project=project)
    assert done.exit_code == 1
    assert said in done.stderr
    assert not (project / ".factory").exists()


@pytest.mark.command
def test_run_reads_the_snapshot_and_takes_the_params_that_are_given(project):
    for unchanged in ("false", "true"):
        done = factory(
            "run", "marine.penguins", "--param", f"publish_unchanged={unchanged}", project=project
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = factory("run", "ecology.species", "--snapshot", "marine.penguins=0", project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    done = factory("champion", "ecology.species", "--json", project=project)
    (version,) = json.loads(done.stdout)
    assert version["snapshots"] == {"marine.penguins": 0}
    assert version["aliases"] == ["champion"]
    wrong = factory("run", "ecology.species", "--snapshot", "marine.penguins=7", project=project)
    assert wrong.returncode == 1
    assert "has no version 7" in wrong.stdout


@pytest.mark.command
def test_run_produces_missing_datasets_first_and_shows_the_result(project):
    done = factory("run", "ecology.species", project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing published yet, so first: marine.penguins" in done.stdout
    assert "✓ ecology.species.train trial [LogisticRegression C=1]" in done.stdout
    assert "snapshot 0, 333 rows" in done.stdout
    assert "ecology.species version 1" in done.stdout
    # What it started has ended: nobody holds the runtime's lock, and its port is closed.
    assert (project / ".factory" / "runtime.json").read_text() == ""


@pytest.mark.command
def test_run_of_a_sample_leaves_lake_and_registry_as_they_are(project):
    done = factory("run", "marine.penguins", "--sample", "100", project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A sample: at most 100 rows of each source. Its lake and its MLflow" in done.stdout
    assert "snapshot 0, 94 rows" in done.stdout  # a transform leaves out six of them
    sample = project / ".factory" / "sample"
    assert (sample / "lake" / "marine" / "penguins").is_dir()
    assert not (project / ".factory" / "lake").exists()
    assert not (project / ".factory" / "mlflow").exists()


def test_what_would_change_more_than_the_sample_is_refused(project):
    file = project / "configs" / "lab.yaml"
    file.write_text(
        "version: 1\nteam: lab\nowner: lab@example.org\ndatasets:\n  loaded:\n"
        "    source: {type: csv, path: data/a.csv}\n    load: {connection: db, table: staging.a}\n"
        "dags:\n  tidy: {start_date: 2024-01-01, tasks: {}}\n"
    )
    for name, said in (("loaded", "loads its rows into staging.a"), ("tidy", "dag-factory's")):
        done = called("run", f"lab.{name}", "--sample", "10", project=project)
        assert (done.exit_code, said in done.stderr) == (1, True), done.stderr
    done = called("run", "lab.loaded", "--sample", "0", project=project)
    assert done.exit_code == 2
    assert not (project / ".factory" / "sample").exists()


@pytest.mark.command
def test_run_that_fails_shows_the_cause_and_exits_with_1(project):
    path = project / "configs" / "marine.yaml"
    path.write_text(path.read_text().replace("min: 2500", "min: 3500"))
    done = factory("run", "marine.penguins", project=project)
    assert done.returncode == 1
    assert "✗ marine.penguins check" in done.stdout
    assert "between(body_mass_g" in done.stdout
    [report] = (project / ".factory/logs").glob("run-*.jsonl")
    lines = report.read_text().splitlines()
    last = [json.loads(line) for line in lines][-1]
    assert (last["dag_id"], last["state"], last["result"]) == ("marine.penguins", "failed", None)
