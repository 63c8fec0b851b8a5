"""Lakes in S3: what goes wrong on the way leaves no half snapshot, and no key in a message."""

import contextlib
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.data.rows import write_rows
from factory.data.sql import dataset_tables, sandbox, select, sql_errors
from factory.lake import engine, publishing
from factory.lake.snapshot import DamagedSnapshotError, NoSnapshotError
from factory.lake.storage.access import Access
from factory.lake.storage.errors import AccessDeniedError, NoBucketError, StorageError
from factory.lake.table import Lake, data_files
from tests.data.rows import rows_of
from tests.harness.s3 import ACCESS_KEY, SECRET_KEY, Request
from tests.lake.publisher import (
    APPEND,
    DATASET,
    MERGE,
    REPLACE,
    TWO_ROWS,
    Publisher,
    hash_of_stored_rows,
    in_process,
)

TOKEN = "planted-session-token-0123456789"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Gives S3 up sooner than in production, where a minute is nothing."""
    patient = Access.delta_options
    monkeypatch.setattr(
        Access,
        "delta_options",
        lambda self: {**patient(self), "retry_timeout": "5s", "max_retries": "2"},
    )


@pytest.fixture
def publish(s3, monkeypatch, tmp_path) -> Publisher:
    monkeypatch.setenv("TEST_STORAGE", "s3")
    return Publisher(tmp_path)


def is_data(request: Request) -> bool:
    return request.method in ("PUT", "POST") and request.path.endswith(".parquet")


def is_commit(request: Request) -> bool:
    return request.method == "PUT" and "_delta_log" in request.path


def everything_said(error: BaseException) -> str:
    """What a log shows of an error: its text, and those of its causes."""
    return "".join(traceback.format_exception(error))


def assert_without_secrets(text: str) -> None:
    for secret in (ACCESS_KEY, SECRET_KEY, TOKEN):
        assert secret not in text


def many_rows(publish: Publisher, name: str = "many"):
    """Rows whose file goes up in several parts."""
    query = "select i as id, sha256(i::varchar) || md5(i::varchar) as name from range(400000) t(i)"
    return rows_of(query, publish.folder, name).file


@pytest.mark.parametrize("write", [REPLACE, APPEND, MERGE], ids=lambda write: write.mode)
@pytest.mark.parametrize("what", [is_data, is_commit], ids=["data", "commit"])
def test_s3_error_in_the_middle_leaves_the_earlier_snapshot(s3, publish, what, write):
    first = publish(TWO_ROWS).snapshot
    s3.fail(what)
    with pytest.raises(StorageError, match=r"marine/penguins.* S3 failed") as caught:
        publish("select 3::bigint as id, 'c' as name", write, run_id="nightly")

    assert not isinstance(caught.value, TerminalError)
    assert_without_secrets(everything_said(caught.value))
    assert publish.lake.newest(DATASET) == first
    assert publish.rows(0) == [(1, "a"), (2, "b")]
    s3.heal()
    again = publish("select 3::bigint as id, 'c' as name", write, run_id="nightly")
    assert again.changed
    assert again.snapshot.version == 1
    assert again.snapshot.content_hash == hash_of_stored_rows(publish, again.snapshot)


def test_error_in_the_middle_of_a_large_upload_leaves_nothing_published(s3, publish):
    file = many_rows(publish)
    s3.fail(lambda request: request.is_part and "partNumber=2" in request.query)
    with pytest.raises(StorageError):
        publishing.publish(publish.lake, DATASET, file, REPLACE, run_id="nightly")

    assert any(request.is_part and "partNumber=1" in request.query for request in s3.requests)
    with pytest.raises(NoSnapshotError):
        publish.lake.newest(DATASET)
    assert not [key for key in s3.keys("") if key.endswith(".json")]
    s3.heal()
    assert (
        publishing.publish(publish.lake, DATASET, file, REPLACE, run_id="nightly").snapshot.rows
        == 400_000
    )


def test_commit_whose_answer_was_lost_is_not_made_twice(s3, publish):
    publish(TWO_ROWS)
    lost = []

    def answer_is_lost(request: Request) -> bool:
        """The commit arrives, and all that follows it does not."""
        if lost or (is_commit(request) and request.path.endswith("1.json")):
            lost.append(request)
        return len(lost) > 1

    s3.fail(answer_is_lost)
    with contextlib.suppress(StorageError):
        publish("select 3::bigint as id, 'c' as name", APPEND, run_id="nightly")
    s3.heal()
    again = publish("select 3::bigint as id, 'c' as name", APPEND, run_id="nightly")
    assert again.changed
    assert again.snapshot.version == 1
    assert again.snapshot.rows == 3


def test_hiccups_are_got_over(s3, publish):
    s3.fail(lambda _: True, status="503 Slow Down", code="SlowDown", times=1)
    assert publish(TWO_ROWS).snapshot.rows == 2


def test_wrong_key_names_the_bucket_and_not_the_key(s3, publish, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    publish(TWO_ROWS)
    publish.lake = Lake(publish.lake.storage)
    s3.known_keys = {"another"}
    for ask in (
        lambda: publish.lake.newest(DATASET),
        lambda: publish.lake.scan(DATASET, 0),
        lambda: publish.lake.newest("marine.never_published"),
        lambda: publish("select 3::bigint as id, 'c' as name", APPEND),
    ):
        with pytest.raises(AccessDeniedError) as caught:
            ask()
        assert isinstance(caught.value, TerminalError)
        assert "bucket 'lake'" in str(caught.value)
        assert "correct them" in str(caught.value)
        assert_without_secrets(everything_said(caught.value))


def test_read_that_fails_half_way_may_be_tried_again_and_shows_no_key(s3, publish, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    publish.lake = Lake(publish.lake.storage)
    publishing.publish(publish.lake, DATASET, many_rows(publish), REPLACE, run_id="first")
    tables = dataset_tables(publish.lake, {DATASET: 0})
    query = f"select sum(id) as total, max(name) as last from {DATASET}"
    with sandbox(tables, publish.folder) as connection:
        s3.fail(lambda request: request.path.endswith(".parquet"))
        with (
            pytest.raises(FactoryError, match="S3 failed") as caught,
            sql_errors(connection, query, "the query"),
        ):
            write_rows(select(connection, query, "the query"), publish.folder / "out")
    assert not isinstance(caught.value, TerminalError)
    assert_without_secrets(everything_said(caught.value))
    s3.heal()
    with sandbox(tables, publish.folder) as connection:
        rows = write_rows(select(connection, query, "the query"), publish.folder / "out")
    assert rows.rows == 1


def test_missing_bucket_says_so_and_not_that_nothing_was_published(s3, tmp_path):
    with pytest.raises(NoBucketError, match=r"no bucket 'other'.*`create_bucket: true`"):
        Lake("s3://other/lake").newest(DATASET)
    file = rows_of(TWO_ROWS, tmp_path, "rows").file
    with pytest.raises(NoBucketError, match="no bucket 'other'"):
        publishing.publish(Lake("s3://other/lake"), DATASET, file, REPLACE, run_id="first")


def test_two_publishers_at_once_lose_nothing(publish):
    publish(TWO_ROWS)
    files = [
        rows_of(f"select {n}::bigint as id, 'n' as name", publish.folder, f"part {n}").file
        for n in range(10, 16)
    ]
    processes = [in_process(publish.lake, file, write=APPEND) for file in files[:2]]
    with ThreadPoolExecutor(4) as pool:
        tasks = [
            pool.submit(publishing.publish, publish.lake, DATASET, file, APPEND, run_id=file.name)
            for file in files[2:]
        ]
        assert all(task.result().changed for task in tasks)
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors

    newest = publish.lake.newest(DATASET)
    assert newest.version == 6
    assert [row[0] for row in publish.rows(6)] == [1, 10, 11, 12, 13, 14, 15, 2]
    assert newest.content_hash == hash_of_stored_rows(publish, newest)


def test_no_secret_lies_in_the_lake(s3, publish):
    publish(TWO_ROWS)
    publish("select 3::bigint as id, 'c' as name", APPEND)
    client = s3.client()
    for key in s3.keys(""):
        content = client.get_object(Bucket="lake", Key=key)["Body"].read()
        for secret in (ACCESS_KEY, SECRET_KEY):
            assert secret.encode() not in content


def test_arrow_reads_what_was_written(publish):
    version = publish("select i as id, 'n' || i as name from range(1000) t(i)").snapshot.version
    with engine.connect(publish.folder) as connection:
        engine.create_view(connection, "stored", publish.lake.rows(DATASET, version))
        [found] = connection.sql("select count(*), sum(id), max(name) from stored").fetchall()
    assert found == (1000, 499500, "n999")


def test_files_lie_beside_the_tables(s3, publish, tmp_path):
    (tmp_path / "cat").write_bytes(b"cat")
    publish.lake.files.upload(tmp_path / "cat", "marine/_files/ab/abc.jpg")
    assert publish.lake.files.read("marine/_files/ab/abc.jpg") == b"cat"
    assert s3.keys()[0].endswith("/marine/_files/ab/abc.jpg")


@pytest.mark.parametrize("part", ["data", "log"])
def test_damage_in_s3_is_found_and_an_old_version_restored(publish, tmp_path, part):
    for number in range(3):
        publish(f"select {number} as id")
    files, folder = publish.lake.files, DATASET.replace(".", "/")
    [data] = (file.name for file in data_files(publish.lake.table(DATASET)))
    name = f"{folder}/{data}" if part == "data" else f"{folder}/_delta_log/{2:020d}.json"
    content = bytearray(files.read(name))
    content[len(content) // 2 :: 7] = b"x" * len(content[len(content) // 2 :: 7])
    (tmp_path / "damaged").write_bytes(content)
    files.upload(tmp_path / "damaged", name)

    lake = Lake(publish.lake.storage)
    with pytest.raises(DamagedSnapshotError, match=r"s3://lake/.*`factory restore") as caught:
        lake.scan(DATASET, 2)
    assert_without_secrets(everything_said(caught.value))
    # In a process of its own: Delta's library lets no other thread run meanwhile, and this process
    # is the one that answers as S3.
    code = (
        "from factory.lake.restoring import restore; from factory.lake.table import Lake; "
        f"print(restore(Lake({lake.storage!r}), {DATASET!r}).of_version)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "1\n", done.stderr
    assert Lake(publish.lake.storage).newest(DATASET).version == 3
    assert publish.rows(3) == [(1,)]
