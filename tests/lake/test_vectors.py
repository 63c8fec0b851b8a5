import pyarrow as pa
import pytest

from factory.lake import engine, publishing
from factory.lake.snapshot import SchemaMismatchError
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of
from tests.harness.s3 import STORAGE

VECTOR = pa.list_(pa.float32(), 3)


def published(folder, lake, query, **write):
    rows = rows_of(query, folder, "vectors")
    assert rows.columns["v"].startswith("FLOAT[")
    return publishing.publish(
        lake, "a.b", rows.file, Write(**write), run_id=str(hash(query))
    ).snapshot


ONE = "select 1 as id, [1, 2, 3]::float[3] as v"
TWO = "select unnest([2, 3]) as id, unnest([[4, 5, 6]::float[3], [7, 8, 9]::float[3]]) as v"


def test_vectors_stay_vectors_from_a_query_to_a_snapshot_and_back(tmp_path):
    lake = lake_in(tmp_path)
    snapshot = published(tmp_path, lake, f"{ONE} union all {TWO}")
    assert snapshot.columns == {"id": "INTEGER", "v": "FLOAT[3]"}
    scanned = lake.scan("a.b", 0).to_table().sort_by("id")
    assert scanned.schema.field("v").type == VECTOR
    assert scanned["v"].to_pylist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    with engine.connect(tmp_path) as connection:
        engine.create_view(connection, "one", lake.rows("a.b", 0))
        engine.create_view(connection, "two", lake.scan("a.b", 0))
        for name in ("one", "two"):
            assert str(connection.table(name).types[1]) == "FLOAT[3]"
        near = "array_distance(one.v, two.v)"
        found = connection.sql(f"select {near} from one join two using (id) order by id").fetchall()
    assert found == [(0.0,), (0.0,), (0.0,)]


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_vectors_are_added_and_replaced_by_their_keys(tmp_path, mode):
    lake = lake_in(tmp_path)
    keys = {"keys": ["id"]} if mode == "merge" else {}
    published(tmp_path, lake, ONE)
    snapshot = published(tmp_path, lake, TWO, mode=mode, **keys)
    assert snapshot.rows == 3
    rows = lake.scan("a.b", snapshot.version).to_table()
    assert rows.schema.field("v").type == VECTOR
    again = publishing.publish(
        lake,
        "a.b",
        rows_of(TWO, tmp_path).file,
        Write(mode=mode, **keys),
        run_id="another" if mode == "merge" else str(hash(TWO)),
    )
    assert again.snapshot.content_hash == snapshot.content_hash


def test_vectors_of_another_size_do_not_fit_the_published_ones(tmp_path):
    lake = lake_in(tmp_path)
    published(tmp_path, lake, ONE)
    with pytest.raises(SchemaMismatchError, match=r"v is FLOAT\[2\], published as FLOAT\[3\]"):
        published(tmp_path, lake, "select 2 as id, [1, 2]::float[2] as v", mode="append")


def test_rows_without_a_vector_are_told(tmp_path):
    with pytest.raises(engine.NoVectorError, match=r"1 rows have no vector in 'v'.*float\[\]"):
        rows_of("select unnest([[1, 2]::float[2], null]) as v", tmp_path)
    lists = rows_of("select unnest([[1, 2]::float[2], null])::float[] as v", tmp_path)
    assert lists.columns == {"v": "FLOAT[]"}


def test_vectors_fit_where_lists_are_published(tmp_path):
    lake = lake_in(tmp_path)
    published(tmp_path, lake, "select 1 as id, [1, 2, 3]::float[] as v")
    assert published(tmp_path, lake, TWO, mode="append").columns["v"] == "FLOAT[]"
    assert lake.scan("a.b", 1).to_table().schema.field("v").type == pa.list_(pa.float32())


def test_vectors_in_an_object_store_are_the_same(tmp_path, s3, monkeypatch):
    monkeypatch.setenv(STORAGE, "s3")
    lake = lake_in(tmp_path)
    published(tmp_path, lake, ONE)
    snapshot = published(tmp_path, lake, TWO, mode="merge", keys=["id"])
    assert snapshot.columns["v"] == "FLOAT[3]"
    rows = lake.scan("a.b", snapshot.version).to_table()
    assert rows.schema.field("v").type == VECTOR
    assert sorted(rows["v"].to_pylist()) == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    with engine.connect(tmp_path) as connection:
        engine.create_view(connection, "rows", lake.rows("a.b", snapshot.version))
        assert str(connection.table("rows").types[1]) == "FLOAT[3]"
