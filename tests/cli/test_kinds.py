"""`factory kinds` and `factory schema`."""

import json

from click.testing import Result
from typer.testing import CliRunner

from factory.cli.main import app
from factory.kinds import FAMILIES, builtin


def factory(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)


def test_kinds_lists_every_family_and_what_its_kinds_take():
    done = factory("kinds")
    assert done.exit_code == 0, done.stderr
    for family in FAMILIES.values():
        assert family.name in done.stdout
        for kind in builtin(family):
            assert kind.name in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("csv")]
    assert "factory" in line
    assert "path, [connection], [wait], [decimal], [thousands]" in line


def test_kinds_of_one_family_by_its_name_or_its_plural():
    for name in ("source", "sources"):
        done = factory("kinds", name)
        assert "parquet" in done.stdout
        assert "not_null" not in done.stdout


def test_unknown_family_gets_a_suggestion():
    done = factory("kinds", "sauces")
    assert done.exit_code == 1
    assert "did you mean `source`?" in done.stderr


def test_schema_is_a_json_schema():
    schema = json.loads(factory("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"team", "datasets", "models"} <= schema["properties"].keys()


def test_schema_of_the_defaults_is_another_one():
    schema = json.loads(factory("schema", "--defaults").stdout)
    assert {"storage", "teams", "models", "environments"} <= schema["properties"].keys()
