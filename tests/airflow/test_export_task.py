"""The task `export` of a prediction's DAG."""

import sqlite3
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.connections import QueryError
from factory.airflow.tasks.prediction import export
from tests.data.rows import rows_of

SECTION = {"connection": "warehouse", "table": "scores"}
ROWS = (
    "select i as id, 0.5 as prediction, 1 as model_version, 0 as input_version from range(3) t(i)"
)


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{path}")
    return path


def run_with(folder, query, published):
    results = {"publish": published}
    if query:
        results["predict"] = {"rows": rows_of(query, folder).as_json()}
    return SimpleNamespace(result=results.get, references=[{"dataset": "marine.landings"}])


def stored(warehouse) -> list:
    with sqlite3.connect(warehouse) as connection:
        return connection.execute("select id from scores").fetchall()


def test_rows_are_written_and_what_was_read_is_named(tmp_path, warehouse):
    found = export(run=run_with(tmp_path, ROWS, {"version": 0}), export=SECTION)
    assert found == {"rows": 3, "reads": [{"dataset": "marine.landings"}], "tables": []}
    assert len(stored(warehouse)) == 3


def test_rows_that_were_published_before_are_written_again(tmp_path, warehouse):
    """The run that has published them may have failed to write them."""
    export(run=run_with(tmp_path, ROWS, None), export=SECTION)
    assert len(stored(warehouse)) == 3


def test_without_predictions_nothing_is_written(tmp_path, warehouse):
    with pytest.raises(AirflowSkipException, match="nothing was predicted"):
        export(run=run_with(tmp_path, None, None), export=SECTION)
    assert not warehouse.exists()


def test_rows_that_are_none_empty_the_table_only_where_they_were_published(tmp_path, warehouse):
    export(run=run_with(tmp_path, ROWS, {"version": 0}), export=SECTION)
    nothing = f"{ROWS} where false"
    with pytest.raises(AirflowSkipException, match="no rows were published, so scores stays as"):
        export(run=run_with(tmp_path, nothing, None), export=SECTION)
    assert len(stored(warehouse)) == 3
    export(run=run_with(tmp_path, nothing, {"version": 1}), export=SECTION)
    assert stored(warehouse) == []


def test_what_the_database_refuses_is_told_without_the_rows(tmp_path, warehouse):
    export(run=run_with(tmp_path, ROWS, {"version": 0}), export=SECTION)
    with sqlite3.connect(warehouse) as connection:
        connection.execute(
            "create trigger no before insert on scores begin select raise(abort, 'closed'); end"
        )
    with pytest.raises(QueryError, match="connection 'warehouse': closed") as error:
        export(run=run_with(tmp_path, ROWS, {"version": 1}), export=SECTION)
    assert "0.5" not in str(error.value)
    assert len(stored(warehouse)) == 3
