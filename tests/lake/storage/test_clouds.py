"""Files and tables in Google Cloud Storage and in Azure, as far as their stand-ins go.

That of Google is moto's S3: Google's XML API, which the library speaks, is nearly the same. Azurite does
not know `startFrom`, by which the library looks for newer commits: there, tables end with their second.
"""

import base64
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from factory.base.errors import TerminalError
from factory.lake import publishing
from factory.lake.snapshot import NoSnapshotError
from factory.lake.storage import object_store
from factory.lake.storage.errors import AccessDeniedError, NoBucketError, NoFileError, StorageError
from factory.lake.storage.files import PART_BYTES, Files
from factory.lake.table import Lake
from tests.data.rows import rows_of
from tests.harness.azure import ACCOUNT, CONTAINER, KEY
from tests.harness.s3 import BUCKET, STORAGE
from tests.lake.publisher import APPEND, DATASET, MERGE, TWO_ROWS, Publisher, hash_of_stored_rows

AZURE = f"abfss://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net"


@pytest.fixture(params=["gcs", "azure"])
def cloud(request, monkeypatch, tmp_path) -> str:
    """The address of an empty place in a cloud."""
    request.getfixturevalue(request.param)
    monkeypatch.setitem(object_store.RETRIES, "max_retries", 1)
    root = f"gs://{BUCKET}" if request.param == "gcs" else AZURE
    monkeypatch.setenv(STORAGE, root)
    return f"{root}/{tmp_path.name} files"


def test_file_comes_back_as_it_went(cloud, tmp_path):
    files = Files.at(cloud)
    (tmp_path / "cat").write_bytes(b"\x00\xffcat")
    for name in ("pets/b.jpg", "pets/a/é#1 b.jpg", "other"):
        files.upload(tmp_path / "cat", name)
    assert files.exists("pets/b.jpg")
    assert files.read("pets/a/é#1 b.jpg") == b"\x00\xffcat"
    assert files.read("pets/b.jpg", 2) == b"\x00\xff"
    files.download("pets/b.jpg", tmp_path / "new" / "cat.jpg")
    assert (tmp_path / "new" / "cat.jpg").read_bytes() == b"\x00\xffcat"
    assert list(files.names()) == ["other", "pets/a/é#1 b.jpg", "pets/b.jpg"]
    assert list(files.names("pets/b")) == ["pets/b.jpg"]
    assert files.uri("other") == f"{cloud}/other"


def test_file_that_is_not_there_is_told_of(cloud, tmp_path):
    files = Files.at(cloud)
    assert not files.exists("a")
    assert list(files.names()) == []
    files.delete("a")
    for ask in (files.read, lambda name: files.download(name, tmp_path / "x")):
        with pytest.raises(NoFileError, match=r"there is no file a in .* files"):
            ask("a")
    assert not (tmp_path / "x").exists()


def test_large_file_goes_up_in_parts_and_comes_back_whole(cloud, tmp_path):
    (tmp_path / "large").write_bytes(os.urandom(3 * PART_BYTES + 1))
    files = Files.at(cloud)
    files.upload(tmp_path / "large", "large")
    files.download("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()
    files.delete("large")
    assert not files.exists("large")


def test_upload_that_dies_in_the_middle_leaves_nothing(gcs, tmp_path, monkeypatch):
    monkeypatch.setitem(object_store.RETRIES, "max_retries", 1)
    (tmp_path / "large").write_bytes(os.urandom(3 * PART_BYTES + 1))
    gcs.fail(lambda request: request.is_part and "partNumber=3" in request.query)
    with pytest.raises(StorageError, match=r"gs://lake/a/large: Google Cloud Storage failed"):
        Files.at("gs://lake/a").upload(tmp_path / "large", "large")
    assert gcs.keys() == []
    assert gcs.unfinished_uploads() == []


def test_snapshots_are_published_and_read(cloud, tmp_path):
    publish = Publisher(tmp_path)
    with pytest.raises(NoSnapshotError, match="nothing has been published yet"):
        publish.lake.newest(DATASET)
    first = publish(TWO_ROWS).snapshot
    newest = publish("select 1::bigint as id, 'new' as name", MERGE).snapshot
    assert publish.rows(0) == [(1, "a"), (2, "b")]
    assert publish.rows(1) == [(1, "new"), (2, "b")]
    assert newest.content_hash == hash_of_stored_rows(publish, newest)
    assert publish.lake.history(DATASET) == [newest, first]


def test_publishers_at_once_lose_nothing(gcs, tmp_path, monkeypatch):
    monkeypatch.setenv(STORAGE, f"gs://{BUCKET}")
    publish = Publisher(tmp_path)
    publish(TWO_ROWS)
    files = [
        rows_of(f"select {n}::bigint as id, 'n' as name", tmp_path, f"part {n}").file
        for n in (10, 11, 12)
    ]
    with ThreadPoolExecutor(3) as pool:
        tasks = [
            pool.submit(publishing.publish, publish.lake, DATASET, file, APPEND, run_id=file.name)
            for file in files
        ]
        assert all(task.result().changed for task in tasks)
    assert [row[0] for row in publish.rows(3)] == [1, 10, 11, 12, 2]


def test_missing_bucket_says_what_to_do(gcs):
    for ask in (
        lambda: Files.at("gs://other/a").read("b"),
        lambda: Lake("gs://other").newest(DATASET),
    ):
        with pytest.raises(NoBucketError, match=r"no bucket 'other': create it, or correct"):
            ask()


def test_missing_container_says_what_to_do(azure):
    address = AZURE.replace(CONTAINER, "other", 1)
    for ask in (lambda: Files.at(address).read("b"), lambda: Lake(address).newest(DATASET)):
        with pytest.raises(NoBucketError, match=r"no container 'other': create it, or correct"):
            ask()


def test_wrong_key_is_not_shown(azure, monkeypatch):
    wrong = base64.b64encode(b"another key").decode()
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", wrong)
    for ask in (
        lambda: Files.at(AZURE).read("b"),
        lambda: list(Files.at(AZURE).names()),
        lambda: Lake(AZURE).newest(DATASET),
    ):
        with pytest.raises(
            AccessDeniedError, match=r"environment's credentials \(AZURE_\*\)"
        ) as caught:
            ask()
        assert isinstance(caught.value, TerminalError)
        assert wrong not in str(caught.value)
        assert KEY not in str(caught.value)


def test_credentials_that_may_not_are_told_what_to_allow(gcs):
    gcs.fail(lambda _: True, status="403 Forbidden", code="AccessDenied")
    with pytest.raises(AccessDeniedError, match=r"GOOGLE_\*\) may not use gs://lake/a/b .*allow"):
        Files.at("gs://lake/a").read("b")
