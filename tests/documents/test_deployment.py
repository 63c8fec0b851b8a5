"""A model's deployment document."""

import pytest

from tests.documents.test_documents import SOURCE, compile_sea, write_team

MODEL = """\
datasets:
  catches: {{{source}, columns: {{length: DOUBLE, weight: DOUBLE}}}}
models:
  weight:
    task: regression
    train_on: catches
    target: weight
    search: {{strategy: list, trials: [{{estimator: sklearn.linear_model.Ridge}}]}}
    objective: {{metric: r2}}
    deploy: {deploy}
"""
PROCESS = "{type: process, smoke_test: {rows: [{length: 1.0}], expect: 2.0, tolerance: 1.0}}"
BUILT = """\
{type: kubernetes, image: {repository: registry.example.org/models, base: python-serving:1}}"""


@pytest.fixture
def compiled(tmp_path):
    def run(deploy: str) -> dict:
        write_team(tmp_path, MODEL.format(source=SOURCE, deploy=deploy))
        return compile_sea(tmp_path)

    return run


def test_a_new_champion_starts_a_deployment(compiled):
    document = compiled(PROCESS)["sea.weight.deploy"]
    (asset,) = document["schedule"]
    assert (asset["name"], asset["uri"]) == ("sea.weight", "x-mlflow://models/sea.weight")
    assert document["max_active_runs"] == 1
    assert document["tags"] == ["deployment", "model", "sea"]


def test_a_process_needs_nothing_built_and_no_workspace(compiled):
    document = compiled(PROCESS)["sea.weight.deploy"]
    tasks = document["tasks"]
    assert {name: entry.get("dependencies", []) for name, entry in tasks.items()} == {
        "version": [],
        "deploy": ["version"],
        "smoke_test": ["deploy"],
        "restore": ["smoke_test"],
        "announce": ["restore"],
        "fail": ["restore"],
    }
    assert document["default_args"]["shared"]["deploy"] == {
        "type": "process",
        "smoke_test": {"rows": [{"length": 1.0}], "expect": 2.0, "tolerance": 1.0},
    }


def test_what_must_be_built_is_built_in_the_workspace(compiled):
    tasks = compiled(BUILT)["sea.weight.deploy"]["tasks"]
    assert list(tasks) == [
        *("open_workspace", "version", "build", "deploy", "smoke_test"),
        *("restore", "announce", "fail", "close_workspace"),
    ]
    assert tasks["build"]["dependencies"] == ["version"]
    assert tasks["deploy"]["dependencies"] == ["build"]
    assert tasks["close_workspace"]["dependencies"] == ["open_workspace", "announce", "fail"]


def test_only_a_failure_leads_back_and_then_the_run_fails(compiled):
    tasks = compiled(PROCESS)["sea.weight.deploy"]["tasks"]
    assert tasks["restore"]["trigger_rule"] == "one_failed"
    assert "outlets" not in tasks["restore"]
    assert [asset["name"] for asset in tasks["announce"]["outlets"]] == ["sea.weight"]
    assert tasks["fail"]["retries"] == 0


def test_a_model_without_deployment_has_no_such_dag(tmp_path):
    text = MODEL.format(source=SOURCE, deploy="null")
    write_team(tmp_path, text)
    assert "sea.weight.deploy" not in compile_sea(tmp_path)


def test_the_deployment_does_not_change_what_is_trained(compiled):
    first = compiled(PROCESS)["sea.weight.train"]
    assert compiled("{type: process}")["sea.weight.train"] == first
