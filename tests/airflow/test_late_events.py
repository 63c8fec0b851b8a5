"""The statement by which a late event is queued again, on each database that Airflow knows."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.models.asset import AssetDagRunQueue
from sqlalchemy.dialects import mysql, postgresql, sqlite

from factory.airflow.late_events import _insert_unless_there


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (postgresql.dialect(), "ON CONFLICT DO NOTHING"),
        (sqlite.dialect(), "ON CONFLICT DO NOTHING"),
        (mysql.dialect(), "INSERT IGNORE"),
    ],
)
def test_an_entry_that_is_there_already_is_no_error(dialect, words):
    session = SimpleNamespace(get_bind=lambda: SimpleNamespace(dialect=dialect))
    row = {"asset_id": 1, "target_dag_id": "a", "created_at": datetime(2024, 1, 1, tzinfo=UTC)}
    statement = _insert_unless_there(AssetDagRunQueue, session, row)
    assert words in str(statement.compile(dialect=dialect))


def test_airflow_keeps_one_entry_for_an_asset_and_a_dag():
    """Once it keeps one for each event, as Airflow 3.4 does, nothing is to be done any more."""
    assert [column.name for column in AssetDagRunQueue.__table__.primary_key] == [
        "asset_id",
        "target_dag_id",
    ]
