"""The DAG processor that looks at team files; nothing is parsed here."""

from pathlib import Path

import pytest
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager, DagFileStat

from factory.airflow.dag_processor import WatchingManager, fingerprint

TEAMS, HAND_WRITTEN = (
    DagFileInfo(rel_path=Path(name), bundle_name="dags-folder") for name in ("teams.py", "own.py")
)


@pytest.fixture
def manager(tmp_path, monkeypatch) -> WatchingManager:
    """Knows two DAG files beside a team file."""
    monkeypatch.setattr(DagFileProcessorManager, "claim_priority_files", lambda _self: [])
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "sea.yaml").write_text("version: 1\n")
    manager = WatchingManager(max_runs=-1)
    for file in (TEAMS, HAND_WRITTEN):
        known = DagFileInfo(file.rel_path, file.bundle_name, tmp_path / "dags")
        manager._file_stats[known] = DagFileStat()
    assert manager.claim_priority_files() == []
    return manager


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "name", ["configs/sea.yaml", "configs/lake.yaml", "configs/sql/query.sql", "dags/helpers.py"]
)
def test_dag_files_are_parsed_once_after_a_change_beside_them(manager, tmp_path, name):
    write(tmp_path, name, "version: 1  # changed\n")
    assert set(manager.claim_priority_files()) == {TEAMS, HAND_WRITTEN}
    assert manager.claim_priority_files() == []


def test_team_file_that_is_gone_is_a_change(manager, tmp_path):
    (tmp_path / "configs" / "sea.yaml").unlink()
    assert len(manager.claim_priority_files()) == 2


def test_file_that_is_being_parsed_is_parsed_again_afterwards(manager, tmp_path):
    manager._processors[TEAMS] = None
    write(tmp_path, "configs/sea.yaml", "version: 1  # changed\n")
    assert manager.claim_priority_files() == [HAND_WRITTEN]
    manager._processors.clear()
    assert manager.claim_priority_files() == [TEAMS]


def test_what_editors_and_python_leave_behind_is_no_change(tmp_path):
    write(tmp_path, "configs/sea.yaml", "version: 1\n")
    before = fingerprint(tmp_path / "configs")
    write(tmp_path, "configs/.sea.yaml.swp", "x")
    write(tmp_path, "configs/__pycache__/steps.pyc", "x")
    assert fingerprint(tmp_path / "configs") == before != frozenset()
