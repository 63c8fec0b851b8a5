"""How long a plan takes where there are many teams."""

import shutil
import time
from pathlib import Path

import pytest

from benchmarks.teams import write_configs
from factory.changes.plan import State, make_plan
from tests.changes.conftest import change

TEAMS = 100
MOST_SECONDS = 2.0


@pytest.mark.slow
def test_three_changes_in_a_hundred_teams_are_planned_in_two_seconds(tmp_path: Path):
    project = tmp_path / "project"
    write_configs(project / "configs", TEAMS)
    shutil.copytree(project, tmp_path / "before")
    for number in (3, 50, 97):
        change(project, f"configs/team_{number:04}.yaml", "[0.1, 1.0, 10.0]", "[0.1, 1.0]")
    # Of this process alone: others may take the processors meanwhile.
    begun = time.process_time()
    before = State.of(tmp_path / "before", project, "dev")
    found = make_plan(before, State.of(project, project, "dev"))
    seconds = time.process_time() - begun
    assert [(one.dag_id, one.effect) for one in found.changes] == [
        (f"team_{number:04}.progression.train", "retrain") for number in (3, 50, 97)
    ]
    assert seconds < MOST_SECONDS
