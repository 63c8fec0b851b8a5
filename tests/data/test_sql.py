from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.data.rows import Rows, write_rows
from factory.data.sql import SqlError, sandbox, select, sql_errors
from factory.lake import engine, publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, read, rows_of


@pytest.fixture
def source(tmp_path) -> Rows:
    return rows_of("select 1 as id, 'a' as name union all select 2, 'b'", tmp_path, "source")


def read_sorted(rows: Rows) -> list[str]:
    return sorted(pq.read_table(rows.file)["x"].to_pylist())


def run(query: str, source: Rows, **tables: object) -> Rows:
    folder = source.file.parent
    with sandbox({"source": [source.file], **tables}, folder) as connection:
        relation = select(connection, query, "transform 1 (sql)")
        with sql_errors(connection, query, "transform 1 (sql)"):
            return write_rows(relation, folder / "result.parquet")


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('{secret}')",
        "select * from read_text('{secret}')",
        "select * from '{secret}'",
        "select * from glob('{folder}/*')",
        "select * from read_parquet('{folder}/other.parquet')",
        "select * from read_parquet('{folder}/*.parquet')",
        "select * from read_csv('http://127.0.0.1:9/x.csv')",
        "select * from secret_in_python",
        "select getenv('HOME')",
    ],
)
def test_sql_reads_nothing_but_its_tables(tmp_path, source, query):
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    rows_of("select 1 as other", tmp_path, "other")
    secret_in_python = engine.duckdb.sql("select 1 as leaked")
    assert secret_in_python.fetchall()
    with pytest.raises(SqlError) as caught:
        run(query.format(secret=secret, folder=tmp_path), source)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "set memory_limit = '100GB'",
        "reset memory_limit",
        "copy (select 1) to '{folder}/copied.csv'",
        "copy source to '{folder}/source.parquet'",
        "attach '{folder}/other.db' as other",
        "install httpfs",
        "create table kept as select 1",
        "select 1; select 2",
        "drop view source",
        "",
        "-- nothing but a comment",
    ],
)
def test_only_one_select_is_run(tmp_path, source, statement):
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    with pytest.raises(SqlError, match="write one SELECT; found"):
        run(statement.format(folder=tmp_path), source)
    assert {f: f.read_bytes() for f in tmp_path.iterdir() if f.is_file()} == before


@pytest.mark.parametrize(
    "query",
    [
        "select id from source order by id desc;",
        "with x as (select id from source) select * from x order by id desc -- the newest first",
        "from source select id order by id desc /* so */ ;",
    ],
)
def test_selects_of_every_form_run(source, query):
    assert read(run(query, source)) == [(2,), (1,)]


def test_folders_whose_names_are_globs_are_read_as_they_are(tmp_path):
    for name, value in (("a1", "other"), ("a[1]", "this")):
        (tmp_path / name).mkdir()
        source = rows_of(f"select '{value}' as x", tmp_path / name, "source")
    assert read_sorted(run("select * from source", source)) == ["this"]


def test_other_datasets_are_tables_of_their_team(tmp_path, source):
    other = rows_of("select 2 as id, 'two' as word", tmp_path, "other")
    query = "select word from source join fishery.catches using (id)"
    assert read(run(query, source, **{"fishery.catches": [other.file]})) == [("two",)]


def test_unknown_column_shows_message_query_and_what_there_is(source):
    with pytest.raises(SqlError) as caught:
        run("select id,\n  nmae\nfrom source", source)
    message = str(caught.value)
    assert 'Referenced column "nmae" not found' in message
    assert "2 |   nmae" in message
    assert "source: id INTEGER, name VARCHAR" in message
    assert isinstance(caught.value, TerminalError)


def test_syntax_error_shows_where(source):
    with pytest.raises(SqlError, match=r'(?s)syntax error at or near "source".*LINE 1'):
        run("select * frm source x y", source)


def test_error_on_a_late_row_is_explained_and_leaves_no_file(tmp_path):
    many = rows_of(
        "select case i when 900000 then 'x' else '1' end as v from range(1000000) t(i)", tmp_path
    )
    with pytest.raises(SqlError, match=r"(?s)Could not convert string 'x' to INT32.*v VARCHAR"):
        run("select v::integer as v from source", many)
    assert not list(tmp_path.glob("result*"))


@pytest.mark.slow
def test_sorts_larger_than_memory_spill_into_the_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv(engine.MEMORY_LIMIT, "60MB")
    query = (
        "select i as id, md5(i::varchar) || md5((i + 1)::varchar) as text from range(1000000) t(i)"
    )
    big = rows_of(query, tmp_path, "big")
    result = run("select * from source order by text", big)
    assert result.rows == 1_000_000
    first = duckdb.sql(f"select text from '{result.file}' limit 1").fetchall()
    assert first == duckdb.sql(f"select min(text) from '{big.file}'").fetchall()


def test_running_out_of_memory_may_be_tried_again(tmp_path, monkeypatch, source):
    monkeypatch.setenv(engine.MEMORY_LIMIT, "20MB")
    with pytest.raises(FactoryError, match="Out of Memory") as caught:
        run("select list(i) as x from range(50000000) t(i)", source)
    assert not isinstance(caught.value, TerminalError)


@pytest.mark.parametrize(
    ("value", "kind", "kept"),
    [
        ("sum(3)", "BIGINT", 3),
        ("3::utinyint", "SMALLINT", 3),
        ("3::ubigint", "BIGINT", 3),
        ("timestamp_ns '2024-01-01 00:00:00'::varchar", "VARCHAR", "2024-01-01 00:00:00"),
        ("time '10:30:00'", "VARCHAR", "10:30:00"),
        ("interval 1 day", "VARCHAR", "1 day"),
        ("'a'::enum('a', 'b')", "VARCHAR", "a"),
        ("null", "VARCHAR", None),
        ("'{\"a\": 1}'::json", "VARCHAR", '{"a": 1}'),
        ("[1, 2]::integer[2]", "INTEGER[]", [1, 2]),
        ("1.50", "DECIMAL(3,2)", Decimal("1.50")),
        (
            "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid",
            "VARCHAR",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        ),
    ],
)
def test_types_that_the_lake_does_not_hold_are_cast(tmp_path, value, kind, kept):
    rows = rows_of(f"select {value} as x", tmp_path)
    assert rows.columns == {"x": kind}
    assert read(rows) == [(kept,)]
    snapshot = publishing.publish(
        lake_in(tmp_path), "a.b", rows.file, Write(), run_id="run"
    ).snapshot
    assert snapshot.columns == {"x": kind}


def test_number_beyond_bigint_is_an_error_and_not_rounded(source):
    with pytest.raises(SqlError, match="out of range"):
        run("select 9223372036854775807::hugeint + id as x from source", source)


@pytest.mark.parametrize("second", ["id", "ID", '"Id"'])
def test_two_columns_of_one_name_are_refused(source, second):
    with pytest.raises(SqlError, match=r"the columns 'id' and .* have the same name"):
        run(f"select a.id, b.id as {second} from source a cross join source b", source)


def test_rows_survive_the_way_through_json(source):
    assert Rows.from_json(source.as_json()) == source


def test_empty_results_keep_their_columns(source):
    result = run("select * from source where false", source)
    assert (result.rows, result.columns) == (0, {"id": "INTEGER", "name": "VARCHAR"})
    assert Path(result.file).is_file()
