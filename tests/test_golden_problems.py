"""What `factory` says about broken files, to the letter: a folder for each case in `golden_problems/`.

`configs/` and what else a case has are its project; `_defaults.yaml` is that of `golden_problems/` unless
it has its own. What is in `packages/` is installed for the case alone. `command` is what is run, `factory validate` when left out. `output` is what it prints, and
how it exits. `pytest tests/test_golden_problems.py --rewrite-golden` writes what is found: read each changed
line before it is committed.
"""

import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.cli.main import app

GOLDEN = Path(__file__).parent / "golden_problems"
CASES = sorted(path for path in GOLDEN.iterdir() if path.is_dir())
AIRFLOW_KEYS = ("FACTORY_ENVIRONMENT", "FACTORY_STORAGE", "FACTORY_PROJECT", "FACTORY_CONFIGS")


def printed(case: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.copytree(case, project)
    if (project / "configs").is_dir() and not (project / "configs/_defaults.yaml").exists():
        shutil.copy(GOLDEN / "_defaults.yaml", project / "configs/_defaults.yaml")
    for key in AIRFLOW_KEYS:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.chdir(project)
    if (project / "packages").is_dir():
        monkeypatch.syspath_prepend(project / "packages")
    words = shlex.split(_text(case / "command") or "factory validate")
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    done = CliRunner().invoke(app, words[1:], prog_name="factory")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    lines = (line.rstrip() for line in done.output.replace(f"{project}/", "").splitlines())
    return "\n".join([*lines, f"exit code {done.exit_code}", ""])


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_problems_are_told_as_written(
    case: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    found = printed(case, tmp_path / "project", monkeypatch)
    if request.config.option.rewrite_golden:
        (case / "output").write_text(found)
    assert found == _text(case / "output")


def test_there_are_cases_and_each_has_its_problems() -> None:
    assert len(CASES) >= 90
    assert all("exit code" in _text(case / "output") for case in CASES)
