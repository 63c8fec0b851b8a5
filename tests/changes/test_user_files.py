"""The files by which other repositories use the factory: hooks of pre-commit, and an action of GitHub."""

import json
import os
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from factory.cli.main import COMMANDS, app
from tests.changes.conftest import change

ROOT = Path(__file__).parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_on_a_project_as_pre_commit_calls_it(hook, repository, monkeypatch):
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    program, command, *_ = entry = shlex.split(hook["entry"])
    assert (program, hook["pass_filenames"]) == ("factory", False)
    assert command in COMMANDS
    monkeypatch.chdir(repository)
    assert CliRunner().invoke(app, entry[1:]).exit_code == 0
    change(repository, "configs/sea.yaml", "    share_with: [lab]\n", "")
    assert CliRunner().invoke(app, entry[1:]).exit_code == 1


def test_the_action_is_valid_by_the_schema_of_github():
    vendored = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor")
    schema = json.loads(vendored.joinpath("github-actions.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(ACTION)


def test_no_input_is_written_into_a_script_of_the_action():
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def run_plan(repository, tmp_path):
    """Runs the step `plan` of the action, with a `gh` that keeps what it is called with."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program(programs, "factory", f'exec "{sys.executable}" -m factory "$@"')
    program(programs, "gh", f'echo "$@" > {tmp_path}/said; cp "$7" {tmp_path}/comment')
    [step] = [step for step in ACTION["runs"]["steps"] if step.get("id") == "plan"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PROJECT": str(repository),
        "AGAINST": "HEAD",
        "ENVIRONMENT": "dev",
        "COMMENT": "true",
        "NUMBER": "7",
        "GITHUB_REPOSITORY": "us/models",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }

    def run() -> int:
        command = ["bash", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(command, env=environment, check=False).returncode

    return run


@pytest.mark.slow
def test_the_action_comments_on_the_pull_request_and_fails_on_new_problems(
    run_plan,
    repository,
    tmp_path,
):
    change(repository, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    assert run_plan() == 0
    assert (tmp_path / "said").read_text().startswith("pr comment 7 --repo us/models --body-file")
    assert "2 → 3 trials" in (tmp_path / "comment").read_text()
    assert "2 → 3 trials" in (tmp_path / "summary").read_text()
    assert (tmp_path / "output").read_text() == f"plan={tmp_path}/plan.md\n"
    change(repository, "configs/sea.yaml", "    share_with: [lab]\n", "")
    assert run_plan() == 1
    assert "is not shared with team `lab`" in (tmp_path / "comment").read_text()
