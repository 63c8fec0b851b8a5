"""Sources that need no server: files, Python functions, datasets, queries."""

import gzip
import logging
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy
from pydantic import TypeAdapter

from factory.base.errors import TerminalError
from factory.data.folders import DataFolders, FileOutsideError
from factory.data.rows import Chunk, Rows, UnusableValuesError, read_chunks
from factory.data.sources.csv import CsvSource
from factory.data.sources.dataset import DatasetSource
from factory.data.sources.files import UnreadableFileError
from factory.data.sources.json import JsonSource
from factory.data.sources.parquet import ParquetSource
from factory.data.sources.python import PythonSource
from factory.data.sources.source import AnySource, IngestContext, NoConnections
from factory.data.sources.sql import SqlSource
from factory.data.sql import SqlError
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, read, rows_of


class Ingester:
    def __init__(self, folder):
        self.project = folder / "project"
        self.workspace = folder / "workspace"
        self.project.mkdir()
        self.workspace.mkdir()
        self.lake = lake_in(folder)

    def __call__(self, source, **how) -> Rows:
        folders = DataFolders(self.project, (".",))
        how = {"folders": folders, "workspace": self.workspace, "lake": self.lake, **how}
        return source.ingest(IngestContext(team="a", **how))

    def csv(self, text: str | bytes, name: str = "a.csv", columns=(), **options) -> Rows:
        content = text.encode() if isinstance(text, str) else text
        (self.project / name).write_bytes(content)
        return self(CsvSource(type="csv", path=name, **options), columns=dict(columns))

    def python(self, function: str, **arguments) -> Rows:
        call = f"tests.data.callables.{function}"
        return self(PythonSource(type="python", call=call, arguments=arguments))


@pytest.fixture
def read_in(tmp_path) -> Ingester:
    return Ingester(tmp_path)


def test_csv_types_are_found_and_nulls_kept(read_in):
    rows = read_in.csv("id,weight,name\n1,1.5,a\n2,,b\n")
    assert rows.columns == {"id": "BIGINT", "weight": "DOUBLE", "name": "VARCHAR"}
    assert read(rows) == [(1, 1.5, "a"), (2, None, "b")]


def test_declared_types_are_used_where_a_column_has_the_name(read_in):
    rows = read_in.csv("id,zip\n1,01234\n", columns={"zip": "text", "made_later": "int"})
    assert rows.columns == {"id": "BIGINT", "zip": "VARCHAR"}
    assert read(rows) == [(1, "01234")]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_the_one_of_the_first_line(read_in, mark):
    rows = read_in.csv(f'id{mark}"a,;|,;|b"{mark}c\n1{mark}x{mark}3\n')
    assert list(rows.columns) == ["id", "a,;|,;|b", "c"]
    assert rows.rows == 1


def test_csv_options_are_passed_on(read_in):
    rows = read_in.csv("1:-\n2:x\n", delimiter=":", header=False, null_values=("-",))
    assert read(rows) == [(1, None), (2, "x")]


def test_csv_keeps_commas_line_breaks_and_hashes_in_quotes(read_in):
    rows = read_in.csv('id,text\n1,"a, ""b""\nc"\n2,# no comment\n')
    assert read(rows) == [(1, 'a, "b"\nc'), (2, "# no comment")]


def test_globs_read_every_file_and_match_columns_by_name(read_in):
    (read_in.project / "data").mkdir()
    (read_in.project / "data/b.csv").write_text("name,id\nb,2\n")
    (read_in.project / "data/a.csv").write_text("id,name\n1,a\n")
    (read_in.project / "data/c.txt").write_text("not this one")
    assert read(read_in(CsvSource(type="csv", path="data/*.csv"))) == [(1, "a"), (2, "b")]


def test_path_with_brackets_names_a_file(read_in):
    (read_in.project / "a1.csv").write_text("id\n1\n")
    assert read(read_in.csv("id\n2\n", name="a[1].csv")) == [(2,)]


def test_compressed_csv_is_unpacked(read_in):
    assert read(read_in.csv(gzip.compress(b"id\n7\n"), name="a.csv.gz")) == [(7,)]


def test_missing_file_names_the_path(read_in):
    with pytest.raises(UnreadableFileError, match=r"no file matches 'data/\*.csv' below .*project"):
        read_in(CsvSource(type="csv", path="data/*.csv"))


def test_links_out_of_the_project_are_refused(read_in, tmp_path):
    (tmp_path / "secret.csv").write_text("password\nhunter2\n")
    (read_in.project / "inside.csv").symlink_to(tmp_path / "secret.csv")
    for path in ("inside.csv", "*.csv"):
        with pytest.raises(FileOutsideError, match=r"inside\.csv is a link that leads outside"):
            read_in(CsvSource(type="csv", path=path))


def test_links_within_the_project_are_followed(read_in):
    (read_in.project / "real.csv").write_text("id\n1\n")
    (read_in.project / "link.csv").symlink_to(read_in.project / "real.csv")
    assert read_in(CsvSource(type="csv", path="link.csv")).rows == 1


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("a,b,c\n1,2,3\n1,2,3,4\n", 3, "Expected Number of Columns: 3 Found: 4"),
        ("a,b,c\n1,2,3\n1,2\n", 3, "Expected Number of Columns: 3 Found: 2"),
        ('a,b\n1,"open\n2,3\n', 2, "unterminated quote"),
        (b"a,b\n1,x\n2,\xff\xfe\n", 3, "not utf-8"),
    ],
)  # fmt: skip
def test_broken_csv_names_file_and_line(read_in, content, line, reason):
    with pytest.raises(
        UnreadableFileError, match=rf"(?s)^broken\.csv: .*Line: {line}\b.*{reason}"
    ) as caught:
        read_in.csv(content, name="broken.csv")
    assert "declare the column's type in `columns`" in str(caught.value)
    assert "ignore_errors" not in str(caught.value)
    assert not list(read_in.workspace.glob("source*"))


def test_the_broken_one_of_many_files_is_named(read_in):
    for name in ("a", "b", "c"):
        (read_in.project / f"{name}.csv").write_text("x\n1\n" if name != "b" else "x,y\n1,2,3\n")
    with pytest.raises(UnreadableFileError, match=r"^b\.csv: "):
        read_in(CsvSource(type="csv", path="*.csv"))


def test_empty_file_is_refused_and_a_header_alone_is_no_rows(read_in):
    with pytest.raises(UnreadableFileError, match=r"a\.csv: empty"):
        read_in.csv("")
    rows = read_in.csv("id,name\n")
    assert (rows.rows, list(rows.columns)) == (0, ["id", "name"])


def test_json_arrays_and_lines_are_read(read_in):
    (read_in.project / "array.json").write_text('[{"id": 1, "tags": ["a"]}, {"id": 2.5}]')
    (read_in.project / "lines.json").write_text('{"id": 1}\n{"id": 2}\n')
    array = read_in(JsonSource(type="json", path="array.json"))
    assert read(array) == [(1.0, ["a"]), (2.5, None)]
    lines = read_in(JsonSource(type="json", path="lines.json"), columns={"id": "double"})
    assert (lines.columns, read(lines)) == ({"id": "DOUBLE"}, [(1.0,), (2.0,)])


def test_keys_that_are_the_same_to_sql_are_refused_with_both(read_in):
    (read_in.project / "a.json").write_text('{"ID": 1}\n{"id": 2}\n')
    with pytest.raises(TerminalError, match="the keys 'ID' and 'id', which are the same to SQL"):
        read_in(JsonSource(type="json", path="a.json"))
    (read_in.project / "a.json").write_text('{"id": 1, "id_1": 2}\n')
    assert read(read_in(JsonSource(type="json", path="a.json"))) == [(1, 2)]


def test_broken_json_and_parquet_name_the_file(read_in):
    (read_in.project / "a.json").write_text('[{"id": 1}, {"id"')
    (read_in.project / "a.parquet").write_text("this is no parquet")
    with pytest.raises(UnreadableFileError, match=r"^a\.json: .*Malformed JSON"):
        read_in(JsonSource(type="json", path="a.json"))
    with pytest.raises(UnreadableFileError, match=r"^a\.parquet: .*magic bytes"):
        read_in(ParquetSource(type="parquet", path="a.parquet"))


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ([pa.table({"x": [1]}), pa.table({"x": ["a"]})], "column 'x' is int64 in a0.parquet and string in a1.parquet"),
        ([pa.table([[1], [2]], ["x", "X"])], "a0.parquet: the header has the columns 'x' and 'X'"),
        ([pa.table({"x": [1]}), pa.table({"x": [1.5]}), pa.table({"x": [None]})], None),
    ],
)  # fmt: skip
def test_columns_of_parquet_files_have_one_name_and_one_type(read_in, tables, told):
    for number, table in enumerate(tables):
        pa.parquet.write_table(table, read_in.project / f"a{number}.parquet")
    source = ParquetSource(type="parquet", path="a*.parquet")
    if told is None:
        assert read_in(source).columns == {"x": "DOUBLE"}
        return
    with pytest.raises(TerminalError, match=told):
        read_in(source)


def test_parquet_is_read_in_the_lakes_types(read_in):
    table = pa.table({"at": pa.array([1], pa.timestamp("ns")), "n": pa.array([1], pa.uint8())})
    pa.parquet.write_table(table, read_in.project / "a.parquet")
    rows = read_in(ParquetSource(type="parquet", path="a.parquet"))
    assert rows.columns == {"at": "TIMESTAMP", "n": "SMALLINT"}


def test_dataset_source_reads_the_version_that_is_given(read_in, tmp_path):
    for number in range(2):
        file = rows_of(f"select {number} as id", tmp_path).file
        publishing.publish(read_in.lake, "a.b", file, Write(), run_id=f"run {number}")
    source = DatasetSource(type="dataset", dataset="a.b")
    assert read(read_in(source, versions={"a.b": 0})) == [(0,)]
    with pytest.raises(TerminalError, match=r"no version of a.b is given; known: c.d"):
        read_in(source, versions={"c.d": 1})


def test_data_frame_loses_its_index(read_in):
    assert list(read_in.python("frame", rows=3).columns) == ["id", "name"]


def test_attribute_names_the_part_that_holds_the_rows(read_in):
    call = "tests.data.callables.bunch"
    assert read_in(PythonSource(type="python", call=call, attribute="frame")).rows == 2
    with pytest.raises(TerminalError, match="returns a SimpleNamespace without 'data'"):
        read_in(PythonSource(type="python", call=call, attribute="data"))


def test_arrow_table_is_read(read_in):
    rows = read_in.python("table")
    assert rows.columns == {"id": "BIGINT", "kind": "VARCHAR"}
    assert read(rows) == [(1, "a"), (2, None)]


def test_pieces_with_different_types_are_brought_together(read_in):
    rows = read_in.python("growing")
    assert rows.columns == {"id": "BIGINT", "value": "DOUBLE"}
    assert read(rows) == [(1, None), (2, 3.0), (3, 1.5)]
    assert [file.name for file in read_in.workspace.iterdir()] == ["source.parquet"]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("mixed", r"'when' holds values of the kinds int, str"),
        ("several_kinds", r"several kinds: .*when"),
        ("other_columns", r"one piece has the columns id, a later one key"),
        ("nothing", r"nothing came out"),
        ("dicts", r"found dict where rows are expected"),
        ("number", r"found int where rows are expected"),
    ],
)
def test_what_makes_no_table_is_explained(read_in, function, reason):
    with pytest.raises(UnusableValuesError, match=rf"tests.data.callables.{function}: .*{reason}"):
        read_in.python(function)


def test_functions_own_error_comes_through_with_a_note(read_in):
    with pytest.raises(KeyError, match="body_mass_g") as caught:
        read_in.python("broken")
    assert caught.value.__notes__ == ["raised in tests.data.callables.broken()"]


def test_unknown_function_is_explained(read_in):
    with pytest.raises(TerminalError, match=r"did you mean `tests\.data\.callables\.frame`"):
        read_in.python("fram")


@pytest.fixture
def database(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/source.db")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("create table t (id integer, value, name text)"))
        connection.execute(
            sqlalchemy.text("insert into t values (1, null, 'a'), (2, 3, 'b'), (3, 1.5, null)")
        )
        connection.commit()
        yield connection.execution_options(stream_results=True)
    engine.dispose()


class Answers(NoConnections):
    """One answer of a database, for every query."""

    def __init__(self, chunks):
        self.chunks = chunks

    def query_chunks(self, connection, query, chunk_rows):
        assert (connection, query, chunk_rows) == ("warehouse", "select 1", 50_000)
        return self.chunks


def query(database, text: str, chunk_rows: int) -> dict:
    chunks = read_chunks(database.execute(sqlalchemy.text(text)), chunk_rows)
    return {"connections": Answers(chunks)}


SQL = SqlSource(type="sql", connection="warehouse", query="select 1")


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
def test_query_is_read_in_chunks_whose_types_are_brought_together(read_in, database, chunk_rows):
    rows = read_in(SQL, **query(database, "select * from t order by id", chunk_rows))
    assert rows.columns == {"id": "BIGINT", "value": "DOUBLE", "name": "VARCHAR"}
    assert read(rows) == [(1, None, "a"), (2, 3.0, "b"), (3, 1.5, None)]


def test_query_without_rows_has_columns(read_in, database):
    rows = read_in(SQL, **query(database, "select id, name from t where false", 10))
    assert (rows.rows, list(rows.columns)) == (0, ["id", "name"])


def test_query_with_two_columns_of_one_name_is_refused(read_in, database):
    with pytest.raises(SqlError, match="the query through warehouse: the columns 'id' and 'ID'"):
        read_in(SQL, **query(database, 'select id, value as "ID" from t', 10))


def test_chunks_are_taken_one_at_a_time(read_in):
    alive = []

    def chunks():
        for number in range(5):
            alive.append(number)
            yield Chunk(("id",), [(number,)])
            assert len(alive) == number + 1

    assert read_in(SQL, connections=Answers(chunks())).rows == 5


def test_decimals_of_different_length_keep_their_digits(read_in):
    chunks = [
        Chunk(("price",), [(Decimal("1.50"),)]),
        Chunk(("price",), [(Decimal("1234567.05"),)]),
    ]
    rows = read_in(SQL, connections=Answers(chunks))
    assert rows.columns == {"price": "DECIMAL(38,2)"}
    assert read(rows) == [(Decimal("1.50"),), (Decimal("1234567.05"),)]


def test_source_that_needs_a_connection_says_so_outside_airflow(read_in):
    with pytest.raises(TerminalError, match="'warehouse' is asked for outside Airflow"):
        read_in(SQL)


def test_rows_are_counted_in_the_log(read_in, caplog):
    caplog.set_level(logging.INFO)
    read_in.csv("id\n1\n2\n")
    assert "read 2 rows of 1 columns (csv)" in caplog.text


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ({"type": "csv", "path": "data/a.csv"}, {"type": "csv", "path": "data/a.csv"}),
        (
            {"type": "sql", "connection": "crm", "query": "select 1"},
            {"type": "sql", "connection": "crm"},
        ),
        ({"type": "http", "url": "https://example.org/a.csv?key=1"}, {"type": "http"}),
        (
            {"type": "python", "call": "sklearn.datasets.load_wine"},
            {"type": "python", "call": "sklearn.datasets.load_wine"},
        ),
        ({"type": "dataset", "dataset": "catches"}, {"type": "dataset", "dataset": "catches"}),
        ({"type": "images", "path": "data/photos"}, {"type": "images", "path": "data/photos"}),
    ],
)
def test_a_source_names_where_it_reads_and_neither_address_nor_query(source, named):
    assert TypeAdapter(AnySource).validate_python(source).named() == named
