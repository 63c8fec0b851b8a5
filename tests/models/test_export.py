"""Predictions in tables of databases: SQLite, and a real PostgreSQL."""

import json
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from factory.airflow.connections import database as hook_of
from factory.airflow.connections import lineage_name
from factory.data.rows import write_rows
from factory.lake.fitting import MergeKeyError
from factory.models.export import Export, ExportError, RowsLostError

ON_POSTGRESQL = pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request, tmp_path, monkeypatch):
    """A database, reached as tasks reach it; with the schema in which tables are made."""
    if request.param == "sqlite":
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{tmp_path}/warehouse.db")
    else:
        server = request.getfixturevalue("database")
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(server.connection))
    engine = hook_of("warehouse").get_sqlalchemy_engine()
    with engine.begin() as connection:
        for name in ("scores", "other"):
            connection.execute(sa.text(f"drop table if exists {name}"))
    yield engine
    engine.dispose()


@pytest.fixture
def predictions(tmp_path):
    """Rows of predictions, from SQL; `version` is the model's."""

    def make(query: str, version: int = 1, snapshot: int = 0):
        text = (
            f"select *, {version}::bigint as model_version, {snapshot}::bigint as input_version "
            f"from ({query})"
        )
        return write_rows(duckdb.sql(text), tmp_path / "predictions.parquet")

    return make


def scores(engine, query="select id, prediction from scores order by id, prediction"):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def section(**keys):
    return Export(connection="warehouse", table="scores", chunk_rows=2, **keys)


FIRST = "select * from (values (1, 0.5), (2, 0.25), (3, 0.75)) t(id, prediction)"
SECOND = "select * from (values (3, 0.1), (4, 0.2)) t(id, prediction)"


def test_table_is_created_with_the_types_of_the_predictions(warehouse, predictions):
    rows = predictions(
        "select 1::bigint as id, 'late' as prediction, 0.5::double as probability, true as paid, "
        "date '2024-01-31' as day, timestamp '2024-01-31 10:30:00' as at, "
        "timestamptz '2024-01-31 10:30:00+00' as seen, 1.25::decimal(8, 2) as price"
    )
    section().run(rows, warehouse)
    [found] = scores(warehouse, "select * from scores")
    if warehouse.dialect.name == "postgresql":
        assert found == (
            *(1, "late", 0.5, True, date(2024, 1, 31), datetime(2024, 1, 31, 10, 30)),  # noqa: DTZ001 - it has none
            *(datetime(2024, 1, 31, 10, 30, tzinfo=UTC), Decimal("1.25"), 1, 0),
        )
        types = scores(
            warehouse,
            "select data_type from information_schema.columns where table_name = 'scores' "
            "order by ordinal_position",
        )
        assert [kind for (kind,) in types] == [
            *("bigint", "text", "double precision", "boolean", "date"),
            *("timestamp without time zone", "timestamp with time zone", "numeric"),
            *("bigint", "bigint"),
        ]
    else:
        assert found[:3] == (1, "late", 0.5)


def test_replace_leaves_the_new_rows_alone_and_further_columns_as_they_are(warehouse, predictions):
    section().run(predictions(FIRST), warehouse)
    with warehouse.begin() as connection:
        connection.execute(sa.text("alter table scores add column seen_by text"))
    for _ in range(2):
        section().run(predictions(SECOND, version=2), warehouse)
        found = scores(warehouse, "select id, model_version, seen_by from scores order by id")
        assert found == [(3, 2, None), (4, 2, None)]


def test_append_keeps_what_other_versions_and_snapshots_have_said(warehouse, predictions):
    for _ in range(2):
        section(mode="append").run(predictions(FIRST), warehouse)
        section(mode="append").run(predictions(SECOND, snapshot=1), warehouse)
        section(mode="append").run(predictions(SECOND, version=2, snapshot=1), warehouse)
    found = scores(
        warehouse,
        "select model_version, input_version, count(*) from scores group by 1, 2 order by 1, 2",
    )
    assert found == [(1, 0, 3), (1, 1, 2), (2, 1, 2)]
    # The same version says something else of the same snapshot, as after a change of transforms.
    section(mode="append").run(predictions(FIRST, version=2, snapshot=1), warehouse)
    assert scores(warehouse, "select count(*) from scores where model_version = 2") == [(3,)]


def test_merge_replaces_rows_of_the_same_keys(warehouse, predictions):
    section(mode="merge", keys=["id"]).run(predictions(FIRST), warehouse)
    for _ in range(2):
        section(mode="merge", keys=["id"]).run(predictions(SECOND, version=2), warehouse)
    found = [(one, float(value)) for one, value in scores(warehouse)]
    assert found == [(1, 0.5), (2, 0.25), (3, 0.1), (4, 0.2)]


def test_merge_by_two_keys(warehouse, predictions):
    first = "select * from (values (1, 'a', 1), (1, 'b', 2)) t(id, port, prediction)"
    second = "select * from (values (1, 'b', 3), (2, 'b', 4)) t(id, port, prediction)"
    merge = section(mode="merge", keys=["id", "port"])
    merge.run(predictions(first), warehouse)
    merge.run(predictions(second), warehouse)
    found = scores(warehouse, "select id, port, prediction from scores order by 1, 2")
    assert found == [(1, "a", 1), (1, "b", 3), (2, "b", 4)]


def test_keys_that_do_not_identify_rows_change_nothing(warehouse, predictions):
    section().run(predictions(FIRST), warehouse)
    twice = predictions("select 1 as id, 0.5 as prediction union all select 1, 0.6")
    with pytest.raises(MergeKeyError, match=r"predict\.export: the merge keys id must identify"):
        section(mode="merge", keys=["id"]).run(twice, warehouse)
    assert len(scores(warehouse)) == 3


def test_column_that_the_table_lacks_is_named_and_nothing_is_lost(warehouse, predictions):
    section().run(predictions(FIRST), warehouse)
    with pytest.raises(ExportError, match=r"scores has no column 'port': add it there, or drop"):
        section().run(predictions("select 1 as id, 'a' as port, 0.5 as prediction"), warehouse)
    assert len(scores(warehouse)) == 3


def test_rows_that_the_table_refuses_leave_it_as_it_was(warehouse, predictions):
    section().run(predictions(FIRST), warehouse)
    with warehouse.begin() as connection:
        connection.execute(sa.text("create unique index one_each on scores (id)"))
    again = predictions("select 5 as id, 0.5 as prediction from range(3)")
    with pytest.raises(sa.exc.IntegrityError):
        section().run(again, warehouse)
    assert len(scores(warehouse)) == 3


def test_type_without_a_counterpart_is_named(warehouse, predictions):
    rows = predictions("select 1 as id, [1, 2] as sizes")
    with pytest.raises(ExportError, match=r"'sizes' is of type INTEGER\[\], which tables of data"):
        section().run(rows, warehouse)


@ON_POSTGRESQL
def test_readers_see_all_rows_of_a_run_or_none(warehouse, predictions):
    rows = predictions("select i as id, 0.5 as prediction from range(2000) t(i)")
    export = section().model_copy(update={"chunk_rows": 100})
    export.run(rows, warehouse)
    ended, seen = threading.Event(), set()

    def read():
        while not ended.is_set():
            seen.update(scores(warehouse, "select count(*) from scores"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(3):
            export.run(rows, warehouse)
    finally:
        ended.set()
        reader.join()
    assert seen == {(2000,)}


def test_rows_of_another_writer_are_found_out(warehouse, predictions):
    section().run(predictions(FIRST), warehouse)
    with warehouse.begin() as connection:
        if warehouse.dialect.name == "sqlite":
            copy = "create trigger more after insert on scores when new.id = 4 begin insert into scores (id) values (5); end"
            connection.execute(sa.text(copy))
        else:
            connection.execute(
                sa.text("create rule less as on insert to scores do instead nothing")
            )
    with pytest.raises(RowsLostError, match="does somebody else write to it"):
        section().run(predictions(SECOND), warehouse)
    assert len(scores(warehouse)) == 3


def test_openlineage_has_a_name_for_the_table(warehouse):
    found = lineage_name("warehouse", "public.scores")
    if warehouse.dialect.name == "sqlite":
        assert found is None
    else:
        assert found["namespace"].startswith("postgres://")
        assert found["name"] == f"{warehouse.url.database}.public.scores"
        assert lineage_name("warehouse", "scores") == found


def test_keys_are_for_merge():
    for wrong in ({"mode": "merge"}, {"keys": ["id"]}):
        with pytest.raises(ValidationError, match="keys"):
            section(**wrong)
