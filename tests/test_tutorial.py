"""docs/tutorial.md, to the letter: its script, its file of orders, the team file that is shown, and the changes to it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.catalog import read_all
from factory.cli.main import app

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()


def block(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """The project after step 2."""
    folder = tmp_path_factory.mktemp("tutorial")
    [script] = block("python")
    (folder / "make_orders.py").write_text(script)
    made = subprocess.run(
        [sys.executable, folder / "make_orders.py", "500", "1"], capture_output=True, check=True
    )
    (folder / "orders.csv").write_bytes(made.stdout)
    arguments = ["--from", str(folder / "orders.csv"), "--target", "late"]
    written = CliRunner().invoke(app, ["init", str(folder / "shop"), *arguments])
    assert written.exit_code == 0, written.output
    return folder / "shop"


@pytest.mark.slow
def test_team_file_is_the_one_that_is_shown(shop):
    [shown] = block("yaml")
    assert (shop / "configs" / "orders.yaml").read_text() == shown


@pytest.mark.slow
def test_changes_to_the_team_file_are_valid(shop):
    schedule, promotion = block("yml")
    [shown] = block("yaml")
    dataset = "datasets:\n  orders:\n"
    changed = shown.replace(dataset, schedule) + promotion
    assert shown.count(dataset) == 1
    (shop / "configs" / "orders.yaml").write_text(changed)
    found = read_all(shop / "configs", "dev")
    assert not found.problems
    models = found.catalog.teams["orders"].team.models
    assert models["late"].promotion.require["f1_macro"].min == 0.95
