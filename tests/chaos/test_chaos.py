"""The promises of docs/reliability.md hold, whatever dies: `make chaos`, as a test."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.end_to_end
@pytest.mark.command
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    ("rounds", "seed"),
    [
        pytest.param(20, ["--seed", "1"], id="20"),
        pytest.param(200, [], id="200", marks=pytest.mark.nightly),
    ],
)
def test_promises_hold_after_each_of_many_deaths(
    rounds: int, seed: list[str], tmp_path: Path
) -> None:
    found = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos", "--rounds", str(rounds), *seed),
            *("--folder", tmp_path / "project"),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    print(found.stdout)  # the table
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{rounds} rounds, 0 with violations" in found.stdout
