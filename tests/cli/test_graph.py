"""`factory graph`: who reads whom."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.cli.main import app

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FACTORY_ENVIRONMENT", raising=False)
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    return tmp_path


def graph(project: Path, *arguments: str):
    return CliRunner().invoke(app, ["graph", *arguments, "--project", str(project)])


def test_a_tree_shows_what_is_made_of_what_across_teams(project):
    assert graph(project).output == (
        "clinic.diabetes\n"
        "└─ clinic.progression (model)\n"
        "marine.penguins\n"
        "├─ ecology.species (model)\n"
        "│  └─ ecology.species_predictions\n"
        "└─ ecology.species_predictions\n"
    )


def test_a_team_is_shown_with_its_neighbours(project):
    found = graph(project, "marine").output
    assert "ecology.species (model)" in found
    assert "clinic" not in found


def test_mermaid_and_graphviz_get_nodes_and_edges(project):
    mermaid = graph(project, "--output", "mermaid").output.splitlines()
    assert mermaid[0] == "flowchart LR"
    assert '    n1(["clinic.progression"])' in mermaid
    assert "    n0 --> n1" in mermaid
    dot = graph(project, "--output", "dot").output
    assert '"marine.penguins" -> "ecology.species";' in dot
    assert '"ecology.species" [shape=ellipse];' in dot


def test_picture_is_drawn_by_graphviz(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = graph(project, "--output", "svg")
    assert missing.exit_code == 1
    assert "`apt-get install graphviz`" in missing.output
    program = tmp_path / "dot"
    program.write_text(
        '#!/bin/sh\necho "<svg>drawn by dot $1"\nwhile read -r line; do echo "$line"; done\n'
    )
    program.chmod(0o755)
    drawn = graph(project, "--output", "svg").output
    assert drawn.startswith("<svg>drawn by dot -Tsvg")
    assert '"marine.penguins" -> "ecology.species";' in drawn


def test_an_unknown_team_gets_a_suggestion(project):
    done = graph(project, "marin")
    assert done.exit_code == 1
    assert "did you mean `marine`?" in done.output
