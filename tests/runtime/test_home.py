"""What is made in a home."""

import sqlite3
import stat
from pathlib import Path

from factory.runtime.home import Home, Secrets
from factory.runtime.log_files import MOST_BYTES


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.secrets()
    assert home.secrets() == first
    assert Home(tmp_path).secrets().jwt_secret == first.jwt_secret != Secrets.random().jwt_secret
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert first.jwt_secret not in repr(first)


def test_the_databases_let_readers_and_writers_work_side_by_side(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    for database in (home.airflow_database, home.mlflow_database):
        connection = sqlite3.connect(database)
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        connection.close()


def test_what_is_made_is_for_its_owner_only_even_where_it_was_not_before(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.airflow.mkdir(parents=True, mode=0o755)
    home.airflow_database.touch(mode=0o644)
    home.prepare()
    for folder in (home.folder, home.airflow, home.artifacts.parent, home.artifacts, home.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for database in (home.airflow_database, home.mlflow_database):
        assert stat.S_IMODE(database.stat().st_mode) == 0o600, database


def test_logs_and_events_that_have_grown_too_large_are_put_aside(tmp_path):
    home = Home(tmp_path / ".factory")
    home.prepare()
    small, large = home.logs / "mlflow.log", home.logs / "scheduler.log"
    small.write_text("line\n")
    for file in (large, home.lineage):
        with file.open("wb") as content:
            content.truncate(MOST_BYTES + 1)
    home.rotate_logs()
    assert sorted(file.name for file in home.logs.iterdir()) == [
        "mlflow.log",
        "scheduler.log",
        "scheduler.log.1",
    ]
    assert (small.read_text(), large.stat().st_size) == ("line\n", 0)
    assert [file.name for file in home.lineage.parent.iterdir()] == ["events.jsonl.1"]
