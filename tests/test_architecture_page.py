"""docs/architecture.md names files that are there, and the ways through them stay short."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_named_files_and_rooms_exist():
    named = set(re.findall(r"`((?:factory|dags|tests|examples)/[\w/.]+)`", PAGE))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []
    rooms = set(re.findall(r"^\| `(\w+)/`", PAGE, re.MULTILINE))
    assert all((ROOT / "factory" / room / "__init__.py").exists() for room in rooms)


def test_every_room_is_described():
    rooms = {path.parent.name for path in (ROOT / "factory").glob("*/__init__.py")}
    assert [room for room in sorted(rooms) if f"`{room}/`" not in PAGE] == []


@pytest.mark.parametrize(
    ("title", "most"),
    [
        # What each took before the rooms were made by subject.
        ("From a line in a team file to a running task", 22),
        ("From a hyperparameter set to its MLflow run", 14),
    ],
)
def test_way_through_the_code_is_short(title, most):
    section = re.search(rf"^## {title}\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    assert section
    files = set(re.findall(r"`((?:factory|dags)/[\w/]+\.py)`", section[1]))
    assert 5 < len(files) < most
