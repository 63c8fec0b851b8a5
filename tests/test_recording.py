"""A terminal in which a newcomer begins with data of their own: recorded as it runs, and shown as a moving picture."""

import os
import re
import sys
from pathlib import Path

import pytest

from benchmarks.first_hour import write_messy_csv
from tests.harness.terminal import recorded

PROJECT = Path(__file__).parents[1]
PICTURE = PROJECT / "docs" / "images" / "own-data.svg"
COMMANDS = (
    "factory init shop --from orders.csv --target late",
    "factory validate --project shop",
    "factory explain orders.late --project shop",
)


def words(text: str) -> str:
    """A text on one line, without the signs that a terminal obeys."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split())


@pytest.mark.nightly
def test_beginning_is_recorded_as_it_runs(tmp_path, monkeypatch):
    write_messy_csv(tmp_path / "orders.csv")
    for name in [name for name in os.environ if name.startswith("FACTORY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "xterm-256color")
    picture = PICTURE if os.environ.get("REWRITE_GOLDEN") else tmp_path / "picture.svg"
    shown = words(recorded(COMMANDS, tmp_path, picture))
    assert "the dataset orders.orders and the model orders.late" in shown
    assert "1 team file: no problems" in shown
    assert picture.stat().st_size < 1_000_000


@pytest.mark.nightly
def test_command_that_fails_makes_no_picture(tmp_path):
    with pytest.raises(RuntimeError, match="false: command failed"):
        recorded(["false"], tmp_path, tmp_path / "picture.svg")
    assert not (tmp_path / "picture.svg").exists()


@pytest.mark.parametrize("page", ["README.md", "docs/new-project.md"])
def test_pages_that_show_the_picture_tell_its_first_command(page):
    text = (PROJECT / page).read_text()
    assert "images/own-data.svg" in text
    assert COMMANDS[0] in text


def test_picture_shows_all_commands_and_loads_nothing():
    text = PICTURE.read_text()
    shown = words(re.sub(r"<[^>]+>", "", text).replace("\xa0", " "))
    assert [command for command in COMMANDS if command not in shown] == []
    assert not re.search(r"(?:href|src)=\"https?:", text)
