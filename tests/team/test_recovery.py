"""A file that is not YAML: what else is wrong with it is said in the same round, and nothing that is not."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.catalog import check_project
from factory.team.recovery import recover
from factory.team.source_text import SourceText

CONFIGS = Path(__file__).parents[2] / "configs"
LAST_OF_YAML = "F019"


def breakages(line: str) -> Iterator[str]:
    """A line of YAML, broken as people break them."""
    yield f"{line} {{"
    yield f'{line} "'
    yield f"\t{line}"
    yield f"   {line}"
    yield line.removeprefix(" ")
    yield line.replace(":", "", 1)
    yield line.replace("- ", "", 1)
    yield f"{line.partition(':')[0]}: @x"


BROKEN = [
    (path.name, number, broken)
    for path in sorted(CONFIGS.glob("[!_]*.yaml"))
    for number, line in enumerate(path.read_text().splitlines())
    if line.strip() and not line.strip().startswith("#")
    for broken in breakages(line)
    if broken != line
]


@pytest.mark.parametrize("start", range(5))
def test_no_mistake_is_said_to_follow_from_another(start, tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    for name, number, broken in BROKEN[start::35]:
        lines = (CONFIGS / name).read_text().splitlines()
        lines[number] = broken
        (tmp_path / "configs" / name).write_text("\n".join(lines))
        found = check_project(tmp_path / "configs")
        if any(problem.code <= LAST_OF_YAML for problem in found):
            others = [str(problem) for problem in found if problem.code > LAST_OF_YAML]
            assert others == [], (name, number + 1, broken)
        shutil.copy(CONFIGS / name, tmp_path / "configs")


def test_lines_stay_where_they_were():
    text = "datasets:\n  a: {\n  b: {source: x}\nmodels: {}\n"
    found = recover(SourceText(Path("sea.yaml"), text))
    assert [(one.line, one.code) for one in found.problems] == [(2, "F005")]
    assert found.source.text == "datasets:\n\n  b: {source: x}\nmodels: {}\n"
    assert found.names == {"a"}


@pytest.mark.parametrize("text", ["a: 1\n", "a: {\n", "{{{\n", "a: &x 1\n", ""])
def test_what_is_yaml_and_what_is_nothing_else_is_left_alone(text):
    assert recover(SourceText(Path("sea.yaml"), text)) is None


def test_an_anchor_that_is_taken_away_is_not_missed():
    text = "a:\n  b: &x {\n  c: 1\nd: *x\ne: 1\n"
    found = recover(SourceText(Path("sea.yaml"), text))
    assert [one.line for one in found.problems] == [2]
    assert found.source.text == "a:\n\n  c: 1\n\ne: 1\n"
