"""`factory contract`: the Open Data Contract Standard, and what breaks readers."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from factory.cli.main import app
from factory.lake import publishing
from factory.lake.table import Lake
from factory.lake.write import Write
from tests.data.rows import rows_of
from tests.lake.publisher import TWO_ROWS

SEA = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    description: All catches.
    schedule: "@daily"
    source: {type: csv, path: data/catches.csv}
    columns: {id: BIGINT, day: DATE, at: TIMESTAMP, weight: "DECIMAL(9,2)", port: VARCHAR, ok: BOOLEAN}
    checks:
      - {check: not_null, columns: [id, port]}
      - {check: unique, columns: [id]}
      - {check: unique, columns: [day, port]}
      - {check: between, column: weight, min: 0}
      - {check: matches, column: port, pattern: "^[A-Z]"}
      - {check: accepted_values, column: port, values: [Kiel, Oslo], on_fail: warn}
      - {check: row_count, min: 10, max: 1000}
      - {check: freshness, column: at, max_age: 1d}
    write: {mode: merge, keys: [id]}
    share_with: [lab]
  raw:
    source: {type: csv, path: data/raw.csv}
    checks: [{check: not_null, columns: [id]}]
"""
LAB = """\
version: 1
team: lab
owner: lab@example.org
datasets:
  heavy:
    source: {type: dataset, dataset: sea.catches}
    transforms: [{type: sql, query: "select id, weight from source"}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FACTORY_ENVIRONMENT", raising=False)
    for folder in (tmp_path / "before", tmp_path / "project"):
        (folder / "configs").mkdir(parents=True)
        (folder / "configs" / "sea.yaml").write_text(SEA)
        (folder / "configs" / "lab.yaml").write_text(LAB)
    return tmp_path / "project"


def call(project: Path, *arguments: str):
    return CliRunner().invoke(app, ["contract", *arguments, "--project", str(project)])


def exported(project: Path, dataset: str):
    done = call(project, "export", dataset)
    assert done.exit_code == 0, done.output
    return yaml.safe_load(done.stdout)


def diff(project: Path, *arguments: str):
    before = str(project.parent / "before")
    return call(project, "diff", "sea.catches", "--against", before, *arguments)


def change(project: Path, old: str, new: str) -> None:
    assert old in SEA
    (project / "configs" / "sea.yaml").write_text(SEA.replace(old, new))


@pytest.mark.parametrize("dataset", ["sea.catches", "sea.raw", "lab.heavy"])
def test_what_is_exported_is_valid_by_the_schema_of_the_standard(project, dataset):
    schema = json.loads(
        resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    )
    jsonschema.Draft201909Validator(schema).validate(exported(project, dataset))


def test_columns_checks_and_sharing_are_said_in_words_of_the_standard(project):
    found = exported(project, "sea.catches")
    assert (found["id"], found["status"]) == ("sea.catches", "active")
    assert found["roles"] == [{"role": "lab", "access": "read"}]
    [table] = found["schema"]
    columns = {one["name"]: one for one in table["properties"]}
    assert {name: one["logicalType"] for name, one in columns.items()} == {
        "id": "integer", "day": "date", "at": "timestamp", "weight": "number", "port": "string", "ok": "boolean",
    }  # fmt: skip
    assert columns["id"]["required"]
    assert columns["id"]["unique"]
    assert columns["id"]["primaryKeyPosition"] == 1
    assert "unique" not in columns["port"]
    metrics = [one.get("metric", one["type"]) for one in columns["port"]["quality"]]
    assert metrics == ["nullValues", "invalidValues", "invalidValues"]
    assert columns["port"]["quality"][2]["severity"] == "warning"
    assert columns["weight"]["quality"][0]["query"].startswith("SELECT COUNT(*) FROM ${object}")
    about_rows = {one["name"]: one for one in table["quality"]}
    assert about_rows["unique(day, port)"]["arguments"] == {"properties": ["day", "port"]}
    assert about_rows["row_count(10 to 1000)"]["mustBeBetween"] == [10, 1000]


def test_columns_that_follow_from_sql_are_exported_with_their_types(project):
    [table] = exported(project, "lab.heavy")["schema"]
    assert {one["name"]: one["physicalType"] for one in table["properties"]} == {
        "id": "BIGINT",
        "weight": "DECIMAL(9,2)",
    }


def test_columns_that_no_file_tells_are_those_of_the_newest_snapshot(project):
    note = call(project, "export", "sea.raw").stderr
    assert "nothing tells the columns of sea.raw before its first snapshot" in note
    rows = rows_of(TWO_ROWS, project, "rows").file
    lake = Lake((project / ".factory" / "lake").as_uri())
    publishing.publish(lake, "sea.raw", rows, Write(), run_id="run 1")
    done = call(project, "export", "sea.raw")
    assert "those of snapshot 0" in done.stderr
    [table] = yaml.safe_load(done.stdout)["schema"]
    assert [one["physicalType"] for one in table["properties"]] == ["BIGINT", "VARCHAR"]


def test_the_version_changes_with_the_promise_alone(project):
    first = exported(project, "sea.catches")["version"]
    change(project, "data/catches.csv", "data/landings.csv")
    assert exported(project, "sea.catches")["version"] == first
    change(project, "ok: BOOLEAN", "ok: VARCHAR")
    assert exported(project, "sea.catches")["version"] != first


def test_a_breaking_change_is_told_with_its_readers_and_fails(project):
    change(project, 'weight: "DECIMAL(9,2)", ', "")
    done = diff(project)
    assert done.exit_code == 1
    assert (
        "breaking: the column `weight` is gone\n    breaks lab.heavy (uses weight)" in done.output
    )
    told = json.loads(diff(project, "--output", "json").output)
    assert told["changes"][0]["breaks"] == ["lab.heavy (uses weight)"]
    assert told["changes"][0]["is_breaking"]


def test_a_change_that_breaks_nobody_passes(project):
    assert diff(project).output.startswith("The contract of sea.catches is the same as in")
    change(project, "port: VARCHAR,", "port: VARCHAR, more: VARCHAR,")
    done = diff(project)
    assert (done.exit_code, done.output) == (0, "not breaking: the column `more` is new\n")


def test_a_new_dataset_breaks_nobody(project):
    change(project, "  raw:", "  rough:")
    before = str(project.parent / "before")
    done = call(project, "diff", "sea.rough", "--against", before)
    assert (done.exit_code, done.output) == (0, f"sea.rough is new against {before}.\n")


def test_what_cannot_be_meant_is_said(project):
    done = call(project, "export", "sea.catchs")
    assert done.exit_code == 1
    assert "did you mean `sea.catches`?" in done.output
    assert call(project, "diff", "sea.catches", "--against", "nowhere").exit_code == 2
