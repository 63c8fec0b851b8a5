import pytest

from factory.base.errors import TerminalError
from factory.data.rows import Rows
from factory.data.sql import SqlError
from factory.data.transforms.python import PythonTransform
from factory.data.transforms.run import transform
from factory.data.transforms.sql import SqlTransform
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, read, rows_of

pytestmark = pytest.mark.usefixtures("each_storage")


@pytest.fixture
def source(tmp_path) -> Rows:
    return rows_of("select 1 as id, 'a' as name union all select 2, null", tmp_path, "source")


def sql(query: str) -> SqlTransform:
    return SqlTransform(type="sql", query=query)


def python(function: str, **arguments) -> PythonTransform:
    call = f"tests.data.callables.{function}"
    return PythonTransform(type="python", call=call, arguments=arguments)


def run(source: Rows, *transforms, versions=None) -> Rows:
    folder = source.file.parent
    lake = lake_in(folder)
    versions = versions or {}
    return transform(transforms, source, workspace=folder, lake=lake, versions=versions, team="a")


def test_no_transform_leaves_the_rows(source):
    assert run(source) == source


def test_transforms_follow_each_other_and_the_source_stays_for_a_retry(tmp_path, source):
    steps = (
        sql("select id from source"),
        python("twice", column="id"),
        sql("select id + 1 as id from source"),
    )
    assert read(run(source, *steps)) == [(3,), (5,)]
    assert read(run(source, *steps)) == [(3,), (5,)]
    assert sorted(file.name for file in tmp_path.glob("*.parquet")) == [
        "source.parquet",
        "source_transform_3.parquet",
    ]


def test_sql_reads_other_datasets_at_the_version_that_is_given(tmp_path, source):
    lake = lake_in(tmp_path)
    for number in range(2):
        file = rows_of(f"select 1 as id, {number} as weight", tmp_path, "other").file
        publishing.publish(lake, "fishery.catches", file, Write(), run_id=f"run {number}")
    joined = sql("select name, weight from source join fishery.catches using (id)")
    for version in (0, 1):
        after = run(source, joined, versions={"fishery.catches": version})
        assert read(after) == [("a", version)]


def test_sql_does_not_see_datasets_that_are_not_read(tmp_path, source):
    publishing.publish(lake_in(tmp_path), "a.b", source.file, Write(), run_id="run")
    with pytest.raises(SqlError, match=r"a\.b"):
        run(source, sql("select * from a.b"))


def test_sql_error_names_the_transform(source):
    with pytest.raises(SqlError, match=r"^transform 2 \(sql\): .*\"nmae\""):
        run(source, sql("select * from source"), sql("select nmae from source"))


def test_function_that_returns_no_data_frame_is_explained(source):
    with pytest.raises(
        TerminalError, match=r"transform 1 \(tests.data.callables.count\) returned int"
    ):
        run(source, python("count"))


def test_functions_own_error_comes_through_with_a_note(source):
    with pytest.raises(KeyError, match="no such column") as caught:
        run(source, python("lose_a_column"))
    assert caught.value.__notes__ == [
        "raised in transform 1 (tests.data.callables.lose_a_column), given 2 rows of id, name"
    ]


def test_text_of_a_file_must_have_been_read(source):
    with pytest.raises(TerminalError, match=r"the text of sql/a\.sql has not been read"):
        run(source, SqlTransform(type="sql", file="sql/a.sql"))
