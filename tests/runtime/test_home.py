"""What is made in a home."""

import sqlite3
import stat
from pathlib import Path

from factory.runtime.home import Home, Secrets


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
