"""Commands in hints work as they are written, however this program was called."""

import subprocess
import sys
from pathlib import Path

import pytest

from factory.cli.called import as_called

HINT = (
    "Paused: `factory unpause marine` lets a team's DAGs run, `factory why-not marine.x` says more"
)


@pytest.fixture
def program(tmp_path, monkeypatch) -> Path:
    """A `factory` below the current folder, by which this process was called; the shell knows nothing of it."""
    found = tmp_path / ".venv" / "bin" / "factory"
    found.parent.mkdir(parents=True)
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/factory", "up"])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return found


def test_command_that_the_shell_does_not_find_is_named_by_its_path(program):
    assert as_called(HINT) == HINT.replace("`factory", "`.venv/bin/factory")


def test_behind_a_change_of_the_folder_the_path_is_whole(program):
    said = as_called("Next: cd shop && factory run orders.late")
    assert said == f"Next: cd shop && {program} run orders.late"


def test_command_that_the_shell_finds_is_left_as_it_is(program, monkeypatch):
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin")
    assert as_called(HINT) == HINT


def test_another_factory_on_the_path_is_another_program(program, monkeypatch, tmp_path):
    other = tmp_path / "factory"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ".venv/bin/factory unpause" in as_called(HINT)


@pytest.mark.parametrize(
    "text", ["the factory runs on", "factory.models.gate", "a factory of DAGs"]
)
def test_words_that_are_no_command_are_left_as_they_are(program, text):
    assert as_called(text) == text


def test_real_hint_works_as_it_is_written(tmp_path):
    program = Path(sys.executable).parent / "factory"
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "sea.yaml").write_text("version: 1\n")
    done = subprocess.run(
        [program, "validate"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"More about a code: {program} explain F" in done.stdout
