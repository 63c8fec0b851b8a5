"""Rows into a database's table and back."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from factory.data.load import Load, LoadError
from factory.data.rows import Rows


@pytest.fixture
def database(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/warehouse.db")
    with engine.begin() as connection:
        connection.execute(sa.text("create table roses (name text not null, height numeric(5, 1))"))
        connection.execute(sa.text("insert into roses values ('Old Blush', 1)"))
    yield engine
    engine.dispose()


def rows(folder, **columns) -> Rows:
    table = pa.table(columns)
    pq.write_table(table, folder / "rows.parquet")
    types = dict.fromkeys(columns, "VARCHAR")
    return Rows(folder / "rows.parquet", table.num_rows, types)


SECTION = Load(connection="warehouse", table="roses", chunk_rows=2)


def stored(database) -> list:
    with database.connect() as connection:
        query = sa.text("select name, height from roses order by 1")
        return [tuple(row) for row in connection.execute(query)]


def test_rows_replace_those_of_the_table_and_come_back_as_it_holds_them(tmp_path, database):
    given = rows(tmp_path, height=[1.26, 2.0, None], name=["Alba", "Damascena", "Gallica"])
    loaded = SECTION.run(given, database, tmp_path / "loaded.parquet")
    assert stored(database) == [("Alba", 1.26), ("Damascena", 2.0), ("Gallica", None)]
    assert loaded.rows == 3
    back = pq.read_table(loaded.file)
    assert back.column_names == ["height", "name"]
    # A column of two digits for one, as the database declares it: the checks see what is there.
    assert [str(value) for value in back["height"].to_pylist()] == ["1.3", "2.0", "None"]


def test_second_load_comes_to_the_same(tmp_path, database):
    given = rows(tmp_path, name=["Alba", "Gallica"], height=[1.0, 2.0])
    for _ in range(2):
        SECTION.run(given, database, tmp_path / "loaded.parquet")
    assert stored(database) == [("Alba", 1), ("Gallica", 2)]


def test_no_rows_empty_the_table_and_keep_the_columns(tmp_path, database):
    given = rows(tmp_path, name=pa.array([], pa.string()), height=pa.array([], pa.float64()))
    loaded = SECTION.run(given, database, tmp_path / "loaded.parquet")
    assert (loaded.rows, stored(database)) == (0, [])
    assert list(loaded.columns) == ["name", "height"]


def test_table_that_is_not_there_and_column_that_it_lacks_are_named(tmp_path, database):
    given = rows(tmp_path, name=["Alba"], scent=["strong"])
    with pytest.raises(LoadError, match="roses has no column 'scent'; it has name, height"):
        SECTION.run(given, database, tmp_path / "loaded.parquet")
    missing = SECTION.model_copy(update={"table": "tulips"})
    with pytest.raises(LoadError, match="there is no table tulips: let a resource create it"):
        missing.run(given, database, tmp_path / "loaded.parquet")


def test_rows_that_the_table_refuses_leave_it_as_it_was(tmp_path, database):
    given = rows(tmp_path, name=["Alba", None], height=[1.0, 2.0])
    with pytest.raises(sa.exc.IntegrityError):
        SECTION.run(given, database, tmp_path / "loaded.parquet")
    assert stored(database) == [("Old Blush", 1)]
