"""The DAG processor that looks at team files; nothing is parsed here."""

from pathlib import Path

import pytest
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager, DagFileStat

from factory.airflow.dag_processor import WatchingManager, fingerprint

TEAMS, HAND_WRITTEN = (
    DagFileInfo(rel_path=Path(name), bundle_name="dags-folder") for name in ("teams.py", "own.py")
)


@pytest.fixture
def manager(tmp_path, monkeypatch) -> WatchingManager:
    """Has looked at a folder with a team file, and parsed nothing yet."""
    monkeypatch.setattr(DagFileProcessorManager, "claim_priority_files", lambda _self: [])
    write(tmp_path, "configs/sea.yaml", "version: 1\n")
    manager = WatchingManager(max_runs=-1)
    manager._dag_bundles = [LocalDagBundle(name="dags-folder", path=str(tmp_path / "dags"))]
    assert manager.claim_priority_files() == []
    return manager


@pytest.fixture
def parsed(manager) -> WatchingManager:
    """The same, once it has parsed two DAG files."""
    manager._file_stats.update({file: DagFileStat() for file in (TEAMS, HAND_WRITTEN)})
    assert manager.claim_priority_files() == []
    return manager


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "name", ["configs/sea.yaml", "configs/lake.yaml", "configs/sql/query.sql", "dags/helpers.py"]
)
def test_dag_files_are_parsed_once_after_a_change_beside_them(parsed, tmp_path, name):
    write(tmp_path, name, "version: 1  # changed\n")
    assert set(parsed.claim_priority_files()) == {TEAMS, HAND_WRITTEN}
    assert parsed.claim_priority_files() == []


def test_team_file_that_is_gone_is_a_change(parsed, tmp_path):
    (tmp_path / "configs" / "sea.yaml").unlink()
    assert len(parsed.claim_priority_files()) == 2


def test_file_that_is_being_parsed_is_parsed_again_afterwards(parsed, tmp_path):
    parsed._processors[TEAMS] = None
    write(tmp_path, "configs/sea.yaml", "version: 1  # changed\n")
    assert parsed.claim_priority_files() == [HAND_WRITTEN]
    parsed._processors.clear()
    assert parsed.claim_priority_files() == [TEAMS]


def test_change_while_a_file_is_parsed_for_the_first_time_is_not_missed(manager, tmp_path):
    manager._processors[TEAMS] = None
    write(tmp_path, "configs/sea.yaml", "version: 1  # changed\n")
    assert manager.claim_priority_files() == []
    manager._processors.clear()
    assert manager.claim_priority_files() == [TEAMS]


def test_what_editors_and_python_leave_behind_is_no_change(tmp_path):
    write(tmp_path, "configs/sea.yaml", "version: 1\n")
    before = fingerprint(tmp_path / "configs")
    write(tmp_path, "configs/.sea.yaml.swp", "x")
    write(tmp_path, "configs/__pycache__/steps.pyc", "x")
    assert fingerprint(tmp_path / "configs") == before != frozenset()
