"""The promises of docs/reliability.md hold, whatever dies: `make chaos`, as a test."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.end_to_end
@pytest.mark.command
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    ("rounds", "arguments"),
    [
        # A slow machine plays fewer of them: everything else has to be tested too.
        pytest.param(20, ["--seed", "1", "--minutes", "7"], id="20"),
        pytest.param(200, [], id="200", marks=pytest.mark.nightly),
    ],
)
def test_promises_hold_after_each_of_many_deaths(
    rounds: int, arguments: list[str], tmp_path: Path
) -> None:
    found = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos", "--rounds", str(rounds), *arguments),
            *("--folder", tmp_path / "project"),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    print(found.stdout)  # the table
    assert found.returncode == 0, found.stdout + found.stderr
    (played,) = re.findall(r"^(\d+) rounds, 0 with violations", found.stdout, re.MULTILINE)
    assert int(played) == rounds or (played != "0" and "minutes are over" in found.stdout)
