"""The backup of docs/operations/backup.md: copied while MLflow runs, deleted, restored, read again."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from factory.lake import publishing
from factory.lake.table import Lake
from factory.lake.write import Write
from factory.models import registry
from factory.models.predictor import load_predictor
from factory.models.tracking import Tracking
from factory.runtime.home import Home
from tests.data.rows import rows_of
from tests.harness.servers import running_mlflow
from tests.training.models import model, penguins
from tests.training.training import Training

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "backup.md"
DATASET = "marine.penguins"
DATA = "find lake -type f -not"
"""How the step begins that copies the lake's data, after the logs of its tables."""


def block(language: str, beginning: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    [text] = [one for one in found if one.startswith(beginning)]
    return text


def bash(script: str, project: Path, backup: Path) -> None:
    environment = {**os.environ, "BACKUP": str(backup)}
    command = ["bash", "-euo", "pipefail", "-c", script]
    subprocess.run(command, cwd=project, env=environment, check=True)


def publish(lake: Lake, workspace: Path, rows: int) -> int:
    file = rows_of(f"select range as n from range({rows})", workspace, f"{rows}").file
    published = publishing.publish(lake, DATASET, file, Write(), run_id=f"of {rows} rows")
    return published.snapshot.version


@dataclass
class Restored:
    """A project whose `.factory` is as it was copied, and what was in it."""

    lake: Lake
    tracking: Tracking
    model: str
    said: list[object]
    """What the champion predicted before."""
    newer: int
    """A snapshot that was published between the copies of the lake's logs and of its data."""


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    project, backup, workspace = (
        tmp_path_factory.mktemp(name) for name in ("project", "backup", "workspace")
    )
    home = Home.of(project)
    home.prepare()
    home.secrets()
    lake = Lake((home.folder / "lake").as_uri())
    publish(lake, workspace, 3)
    with running_mlflow(home.mlflow_database.parent) as address:
        training = Training(penguins(), model(), workspace / "training", address)
        training.workspace.mkdir()
        snapshot = publish(lake, workspace, 5)
        training.run = replace(training.run, snapshots={DATASET: snapshot})
        training.all()
        registry.set_alias(training.name, "champion", 1, tracking=training.tracking)
        said = answers(training.name, training.tracking)
        until_logs, data = block("sh", "# backup").split(DATA)
        bash(until_logs, project, backup)
        newer = publish(lake, workspace, 7)
        bash(f"cd .factory\n{DATA}{data}", project, backup)
    shutil.rmtree(home.folder)
    bash(block("sh", "# restore"), project, backup)
    with running_mlflow(home.mlflow_database.parent) as address:
        yield Restored(lake, Tracking(address), training.name, said, newer)


def answers(name: str, tracking: Tracking) -> list[object]:
    champion = registry.champion(name, tracking=tracking)
    assert champion is not None
    predictor = load_predictor(champion.record, tracking=tracking)
    said = predictor.predict(penguins().to_pandas().drop(columns="species"))
    assert said.probabilities is not None
    return [*said.values.tolist(), *said.probabilities.ravel().tolist()]


def test_the_champion_predicts_what_it_predicted_before(restored: Restored):
    assert answers(restored.model, restored.tracking) == restored.said


def test_the_snapshots_that_the_champion_names_are_there(restored: Restored):
    champion = registry.champion(restored.model, tracking=restored.tracking)
    assert champion is not None
    assert champion.record.snapshots == {DATASET: 1}
    assert restored.lake.scan(DATASET, 1).count_rows() == 5


def test_every_snapshot_of_the_time_of_the_copy_is_whole(restored: Restored, tmp_path: Path):
    script = tmp_path / "check_snapshots.py"
    script.write_text(block("python", '"""check_snapshots.py'))
    done = subprocess.run(
        [sys.executable, script, restored.lake.storage, DATASET],
        env={**os.environ, "PYTHONPATH": str(PAGE.parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    told = [f"{DATASET} 0: 3 rows, whole", f"{DATASET} 1: 5 rows, whole"]
    assert sorted(done.stdout.splitlines()) == told


def test_what_was_published_meanwhile_is_not_named_and_may_be_published_again(
    restored: Restored, tmp_path: Path
):
    assert restored.newer == 2
    assert max(one.version for one in restored.lake.history(DATASET)) == 1
    assert publish(restored.lake, tmp_path, 7) == 2
