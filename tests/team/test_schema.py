"""The JSON schemas of team files and of `_defaults.yaml`: what they explain, take and refuse."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from factory.team.own_dags import check_own_dags
from factory.team.own_keys import BY_FILE, DAG_KEYS, GROUP_KEYS, IGNORED, TASK_OPTIONS
from factory.team.reader import read_platform
from factory.team.schema import defaults_schema, team_schema
from factory.team.team import PlatformConfig, TeamConfig
from tests.airflow.random_dags import RandomDags
from tests.team.test_codes import DEFAULTS, EXAMPLES, MODELS, completed
from tests.test_docs import blocks, platform_blocks

PROJECT = Path(__file__).parents[2]
GOLDEN = PROJECT / "tests" / "golden_problems"
CONFIGS = [PROJECT / "configs", *sorted((PROJECT / "factory" / "scenarios").glob("*/configs"))]
DEFAULTS_FILES = [
    *(configs / "_defaults.yaml" for configs in CONFIGS),
    PROJECT / "examples" / "plugin" / "configs" / "_defaults.yaml",
]
# Where there is no such folder, what is built in holds.
NOWHERE = PROJECT / "tests" / "no_configs"
TEAM = """\
version: 1
team: harbour
owner: harbour@example.org
datasets:
  catches: {source: {type: csv, path: data/catches.csv}}
models:
  species:
    task: classification
    train_on: catches
    target: species
    search:
      strategy: grid
      candidates: [{estimator: sklearn.svm.SVC, params: {C: [0.1, 1.0]}}]
    objective: {metric: f1_macro}
"""


@cache
def teams(configs: Path = NOWHERE) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(team_schema(read_platform(configs, None)))


@cache
def defaults(configs: Path = NOWHERE) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(defaults_schema(read_platform(configs, None)))


def loaded(text: str) -> Any:
    """YAML as editors read it: without dates."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def keys_of(schema: object, at: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every key that may be written: in which section, its name, and its schema."""
    if isinstance(schema, dict):
        for name, written in schema.get("properties", {}).items():
            yield at, name, written
        for name, below in schema.items():
            yield from keys_of(below, f"{at}/{name}")
    elif isinstance(schema, list):
        for index, below in enumerate(schema):
            yield from keys_of(below, f"{at}/{index}")


@pytest.mark.parametrize("schema", [teams, defaults])
def test_schema_is_one_itself(schema):
    jsonschema.Draft202012Validator.check_schema(schema().schema)


@pytest.mark.parametrize("schema", [teams, defaults])
def test_every_key_says_what_it_is(schema):
    def letters(text: str) -> str:
        return re.sub(r"[^a-z]", "", text.lower().removeprefix("the "))

    keys = list(keys_of(schema().schema))
    assert len(keys) > 400
    silent = [
        f"{at}: {name}"
        for at, name, written in keys
        if letters(written.get("description", "")) in ("", letters(name), letters(name) + "s")
    ]
    assert not silent


@pytest.mark.parametrize("schema", [teams, defaults])
def test_examples_are_right(schema):
    whole = schema().schema
    given = 0
    for at, name, written in keys_of(whole):
        for example in written.get("examples", ()):
            given += 1
            found = schema().evolve(schema={**written, "$defs": whole["$defs"]})
            assert found.is_valid(example), f"{at}: {name}: {example!r}"
    assert given > 200


def test_every_key_of_a_dag_that_is_checked_stands_in_the_schema():
    sections = teams().schema["$defs"]
    assert sections["OwnDag"]["properties"].keys() == {*DAG_KEYS, *IGNORED, *BY_FILE}
    assert sections["OwnTask"]["properties"].keys() >= {"operator", "decorator", *TASK_OPTIONS}
    assert sections["OwnTaskGroup"]["properties"].keys() == {*GROUP_KEYS, "group_name"}


def test_dag_that_is_right_by_itself_fits_the_schema():
    dags, right = RandomDags(5), 0
    schema = teams()
    dag_schema = schema.evolve(schema={"$ref": "#/$defs/OwnDag", "$defs": schema.schema["$defs"]})
    for _ in range(300):
        dag = dags.right()
        for one in (dag, dags.mutated(dag)):
            if not any(check_own_dags({"tidy": one})):
                right += 1
                dag_schema.validate(json.loads(json.dumps(one, default=str)))
    assert right > 350


@pytest.mark.parametrize(
    "dag",
    [
        "{schedul: '@daily'}",
        "{catchup: 'false'}",
        "{tasks: {sweep: {dependencies: polish}}}",
        "{tasks: [{operator: a.B}]}",
        "{task_groups: {tools: {tooltp: What cleans}}}",
        "{default_args: {retry_delay: 5 minutes}}",
    ],
)
def test_mistake_in_a_dag_does_not_fit_the_schema(dag):
    for start in ("dags: {tidy: ", "environments: {prod: {dags: {tidy: "):
        assert not teams().is_valid(loaded(f"{TEAM}{start}{dag}{'}' * start.count('{')}"))


def test_key_of_a_kind_says_what_the_kind_is():
    sections = teams().schema["$defs"]
    assert sections["ParquetSource"]["properties"]["type"]["description"] == "Parquet files."
    assert sections["NotNull"]["properties"]["check"]["description"] == (
        "No value of these columns is null."
    )


def test_descriptions_are_read_for_schemas_only():
    teams()
    for section in (TeamConfig, PlatformConfig):
        assert not any(field.description for field in section.model_fields.values())


@pytest.mark.parametrize(
    "path",
    [path for configs in CONFIGS for path in sorted(configs.glob("[a-z]*.yaml"))],
    ids=lambda path: path.stem,
)
def test_shipped_teams_fit_the_schema_that_they_name(path):
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../.factory/team.schema.json\n"
    )
    teams(path.parent).validate(loaded(path.read_text()))


@pytest.mark.parametrize("path", DEFAULTS_FILES, ids=lambda path: path.parent.parent.name)
def test_shipped_defaults_fit_the_schema_that_they_name(path):
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../.factory/defaults.schema.json\n"
    )
    defaults().validate(loaded(path.read_text()))


@pytest.mark.parametrize("block", blocks())
def test_team_files_of_the_docs_fit_the_schema(block):
    head = {"version": 1, "team": "harbour", "owner": "harbour@example.org"}
    teams().validate({**head, **loaded(block)})


@pytest.mark.parametrize("block", platform_blocks())
def test_defaults_of_the_docs_fit_the_schema(block):
    defaults().validate(loaded(block))


def test_right_examples_of_codes_fit_the_schema(tmp_path):
    (tmp_path / "_defaults.yaml").write_text(MODELS + "".join(DEFAULTS.values()))
    schema = teams(tmp_path)
    for code, example in (parameter.values for parameter in EXAMPLES):
        if example == code.right and code.file == "team.yaml":
            found = list(schema.iter_errors(loaded(completed(example))))
            assert not found, f"{code.id}: {found[0].message}"


def unknown_keys() -> Iterator[Any]:
    """Golden team files with an unknown key that are YAML."""
    for output in sorted(GOLDEN.glob("*/output")):
        file = output.parent / "configs" / "marine.yaml"
        if "unknown key" not in output.read_text() or not file.exists():
            continue
        if output.parent.name.startswith("nested_estimators"):
            continue  # what is in `params` is for the estimator to say
        try:
            yield pytest.param(loaded(file.read_text()), id=output.parent.name)
        except yaml.YAMLError:
            continue


@pytest.mark.parametrize("team", unknown_keys())
def test_unknown_keys_do_not_fit_the_schema(team):
    assert not teams().is_valid(team)


@pytest.mark.parametrize(
    "overlay",
    [
        "prod:",
        "prod: {owner: night-shift@example.org}",
        "prod: {defaults: {retries: 4}, notify: {on_failure: [{type: log}]}}",
        "prod: {datasets: {catches: {source: {path: data/*.csv}}}}",
        "prod: {models: {species: {search: {parallel_trials: 8}}}}",
        "prod: {models: {species: {promotion: {approval: {assignees: [ana]}}, guard: {leakage: warn}}}}",
        "prod: {models: {species: {search: {strategy: random, trials: 3}, monitor: {truth: {lookback: 3}}}}}",
        "prod: {models: {species: {schedule: '@daily', backend: {type: sagemaker, spot: {}}}}}",
    ],
)
def test_overlay_may_leave_out_what_the_file_says(overlay):
    teams().validate(loaded(f"{TEAM}environments:\n  {overlay}\n"))


@pytest.mark.parametrize(
    "overlay",
    [
        "prod: 1",
        "prod: {ownr: night-shift@example.org}",
        "prod: {environments: {dev: {}}}",
        "prod: {defaults: {retries: many}}",
        "prod: {datasets: {catches: {source: {pth: data/*.csv}}}}",
        "prod: {datasets: {catches: {source: {type: cvs}}}}",
        "prod: {models: {species: {serch: {parallel_trials: 8}}}}",
        "prod: {models: {species: {search: {parallel_trial: 8}}}}",
        # Lists are replaced whole.
        "prod: {datasets: {catches: {checks: [{check: unique}]}}}",
    ],
)
def test_mistake_in_an_overlay_does_not_fit_the_schema(overlay):
    assert not teams().is_valid(loaded(f"{TEAM}environments:\n  {overlay}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "storrage: .factory/lake",
        "defaults: {retry: 1}",
        "datasets: {write: {mode: apend}}",
        "models: {split: {tset: 0.2}}",
        "models: {species: {split: {test: 0.2}}}",
        "notify: {on_failure: [{type: mail}]}",
        "teams: {harbour: {connection: [warehouse]}}",
        "environments: {prod: {models: {split: {tset: 0.2}}}}",
    ],
)
def test_mistake_in_the_defaults_does_not_fit_the_schema(text):
    assert not defaults().is_valid(loaded(text))


def test_team_may_leave_out_what_the_defaults_say(tmp_path):
    (tmp_path / "_defaults.yaml").write_text(
        "models:\n  objective: {metric: f1_macro}\n  search: {strategy: grid, max_trials: 9}\n"
    )
    team = TEAM.replace("    objective: {metric: f1_macro}\n", "").replace(
        "      strategy: grid\n", ""
    )
    assert teams(tmp_path).is_valid(loaded(team))
    assert not teams().is_valid(loaded(team))
