"""`factory replay` and `factory unpause` where no Airflow runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.cli.main import app
from tests.lake.publisher import Publisher

TEAM = """\
version: 1
team: marine
owner: marine@example.org
datasets:
  penguins:
    source: {type: csv, path: data/penguins.csv}
  whales:
    source: {type: csv, path: data/whales.csv}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FACTORY_STORAGE", "FACTORY_AIRFLOW_URL", "FACTORY_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "_defaults.yaml").write_text("version: 1\nstorage: lake\n")
    (tmp_path / "configs" / "marine.yaml").write_text(TEAM)
    publish = Publisher(tmp_path)
    for number in range(2):
        publish(f"select {number} as id")
    return tmp_path


def call(project: Path, *arguments: str):
    return CliRunner().invoke(app, [*arguments, "--project", str(project)])


def test_the_event_of_the_newest_snapshot_is_there_to_be_copied(project):
    done = call(project, "replay", "marine.penguins")
    assert done.exit_code == 0, done.output
    assert "marine.penguins: version 1, 1 rows, is the newest." in done.output
    assert "No asset event was emitted: no Airflow runs in this project" in done.stderr
    event = json.loads(done.stderr.splitlines()[-1])
    assert (event["dataset"], event["version"], event["replayed"]) == ("marine.penguins", 1, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("marine.whales", "nothing has been published yet"),
        ("marine.penguin", "neither a dataset nor a model 'penguin': did you mean `penguins`?"),
        ("marin.penguins", "has no team 'marin': did you mean `marine`?"),
        ("penguins", "write TEAM.NAME, such as marine.penguins"),
    ],
)
def test_what_cannot_be_told_is_said_in_one_line(project, name, said):
    done = call(project, "replay", name)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output


def test_without_an_airflow_nothing_is_unpaused(project):
    done = call(project, "unpause", "marine")
    assert done.exit_code == 1
    assert "nothing was unpaused: no Airflow runs in this project" in done.output
