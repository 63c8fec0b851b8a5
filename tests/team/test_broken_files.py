"""Every broken file in `broken/`, its problems asserted down to line, column and words.

`REWRITE_GOLDEN=1 pytest tests/config` writes what is found; read each changed line before
committing it.
"""

import os
from pathlib import Path

import pytest

from factory.team.checking import check_team
from factory.team.problems import Problem

BROKEN = Path(__file__).parent / "broken"
CASES = sorted(BROKEN.glob("[0-9]*.yaml"))


def render(problems: list[Problem], project: Path) -> str:
    return "\n\n".join(map(str, problems)).replace(f"{project}{os.sep}", "") + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_every_problem_of_a_broken_file_is_located(case: Path, tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "marine.yaml").write_bytes(case.read_bytes())
    (configs / "_defaults.yaml").write_bytes((BROKEN / "_defaults.yaml").read_bytes())

    found = render(check_team(configs / "marine.yaml"), tmp_path)

    golden = case.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()


def test_there_are_cases_and_each_has_its_problems() -> None:
    assert len(CASES) >= 30
    assert {path.stem for path in CASES} == {path.stem for path in BROKEN.glob("*.txt")}
    assert all("configs/marine.yaml:" in path.read_text() for path in BROKEN.glob("*.txt"))
