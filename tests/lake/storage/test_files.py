"""Files behave alike in a folder and in S3."""

import time
import uuid
from pathlib import Path

import pytest

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.files import DiskFullError
from factory.lake.storage import address as storage
from factory.lake.storage.errors import NoFileError, NoSuchStorageError
from factory.lake.storage.files import Files
from tests.harness.s3 import BUCKET


@pytest.fixture
def files(each_storage: str, tmp_path: Path) -> Files:
    if each_storage == "s3":
        return Files.at(f"s3://{BUCKET}/some lake")
    return Files.at(storage.resolve("some lake", tmp_path))


def a_file(folder: Path, content: bytes = b"cat") -> Path:
    file = folder / uuid.uuid4().hex
    file.write_bytes(content)
    return file


def test_file_comes_back_as_it_went(files, tmp_path):
    files.upload(a_file(tmp_path, b"\x00\xffcat"), "pets/_files/ab/abc.jpg")

    assert files.exists("pets/_files/ab/abc.jpg")
    assert files.read("pets/_files/ab/abc.jpg") == b"\x00\xffcat"
    files.download("pets/_files/ab/abc.jpg", tmp_path / "new" / "folder" / "cat.jpg")
    assert (tmp_path / "new" / "folder" / "cat.jpg").read_bytes() == b"\x00\xffcat"
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["cat.jpg"]


def test_empty_file_is_a_file(files, tmp_path):
    files.upload(a_file(tmp_path, b""), "empty")
    assert files.read("empty") == b""


def test_upload_and_download_replace_what_was_there(files, tmp_path):
    files.upload(a_file(tmp_path, b"old"), "a")
    files.upload(a_file(tmp_path, b"new"), "a")
    here = a_file(tmp_path, b"before")
    files.download("a", here)
    assert here.read_bytes() == b"new"
    assert list(files.names()) == ["a"]


def test_names_are_sorted_and_begin_with_the_prefix(files, tmp_path):
    wanted = ["a/b/c", "a/b.txt", "a/b-1/x", "a/é", "b", "a/b/d"]
    for name in wanted:
        files.upload(a_file(tmp_path), name)

    assert list(files.names()) == sorted(wanted)
    assert list(files.names("a/b")) == sorted(name for name in wanted if name.startswith("a/b"))
    assert list(files.names("a/b/")) == ["a/b/c", "a/b/d"]
    assert list(files.names("nothing/here")) == []


def test_more_names_than_one_answer_holds_are_listed(files, s3_server):
    if files.address.startswith("s3"):
        client = s3_server.client()
        for number in range(1001):
            client.put_object(Bucket=BUCKET, Key=f"some lake/{number:04}", Body=b"")
        assert list(files.names()) == [f"{number:04}" for number in range(1001)]


def test_nothing_was_ever_kept_is_no_error(files):
    assert list(files.names()) == []
    assert not files.exists("cat.jpg")
    files.delete("cat.jpg")


def test_deleted_file_is_gone(files, tmp_path):
    files.upload(a_file(tmp_path), "a/b")
    files.delete("a/b")
    assert not files.exists("a/b")
    assert list(files.names()) == []


def test_missing_file_says_where_it_was_looked_for(files, tmp_path):
    for ask in (files.read, lambda name: files.download(name, tmp_path / "x")):
        with pytest.raises(NoFileError, match=r"there is no file a/b in .*some lake") as caught:
            ask("a/b")
        assert isinstance(caught.value, TerminalError)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../secret", "a/../../b", "a//b", "./a", "a\\b", "a/", "a\0"]
)
def test_name_that_leads_elsewhere_is_refused(files, tmp_path, name):
    for ask in (files.exists, files.read, files.delete, files.uri):
        with pytest.raises(NoSuchStorageError, match="cannot be a file's name"):
            ask(name)
    with pytest.raises(NoSuchStorageError):
        files.upload(a_file(tmp_path), name)
    with pytest.raises(NoSuchStorageError):
        files.download(name, tmp_path / "x")


def test_address_of_a_file_is_below_that_of_the_files(files):
    assert files.uri("pets/a").startswith(files.address)
    assert files.uri("pets/a").endswith("/pets/a")


def test_prefix_may_be_empty(s3, tmp_path):
    files = Files.at(f"s3://{BUCKET}")
    files.upload(a_file(tmp_path), "a/b")
    assert list(files.names()) == ["a/b"]
    assert s3.keys() == ["a/b"]


def test_copy_that_fails_half_way_leaves_nothing_in_a_folder(tmp_path, monkeypatch):
    files = Files.at((tmp_path / "lake").as_uri())

    def fill_the_disk(source: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fill_the_disk)
    with pytest.raises(DiskFullError, match=r"lake/a/b cannot be written, since the disk is full"):
        files.upload(a_file(tmp_path), "a/b")
    assert list((tmp_path / "lake" / "a").iterdir()) == []


@pytest.mark.parametrize("address", ["hdfs://bucket/lake", "lake", "http://somewhere"])
def test_other_kinds_of_storage_are_refused(address):
    with pytest.raises(NoSuchStorageError, match=r"a folder, or to s3://bucket/prefix, gs://"):
        Files.at(address)


def test_s3_address_without_a_bucket_is_refused(s3):
    with pytest.raises(NoSuchStorageError, match=r"'s3:///lake' names no bucket"):
        Files.at("s3:///lake")


def test_facts_of_a_file_are_known_without_reading_it(files, tmp_path):
    assert files.facts("a/b") is None
    files.upload(a_file(tmp_path), "a/b")
    facts = files.facts("a/b")
    assert (facts.name, facts.bytes) == ("a/b", 3)
    assert abs(facts.modified - time.time()) < 60
    assert list(files.listed("a/")) == [facts]
    assert files.sha256("a/b") == sha256(b"cat")
    with pytest.raises(NoFileError, match="there is no file a/c"):
        files.sha256("a/c")


def test_file_is_created_once(files, tmp_path):
    assert files.create(a_file(tmp_path, b"first"), "a/b")
    assert not files.create(a_file(tmp_path, b"second"), "a/b")
    assert files.read("a/b") == b"first"
    assert list(files.names()) == ["a/b"]


def test_file_gets_its_name_once_it_is_written(files, tmp_path):
    unfinished = files.unfinished("a", tmp_path / "scratch")
    unfinished.write_bytes(b"cat")
    assert list(files.names()) == []
    files.keep(unfinished, "a/b")
    assert files.read("a/b") == b"cat"
    assert not unfinished.exists()
