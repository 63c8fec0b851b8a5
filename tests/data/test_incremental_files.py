"""`incremental: {by: file}` and `wait` for files that are taken whole: images and documents."""

import pytest
from pydantic import ValidationError

from factory.base.errors import NothingToDoError, TerminalError
from factory.data.dataset import Dataset
from factory.data.sources.new_files import ChangedFileError
from tests.data.archives import zip_of
from tests.data.images.images import image, write
from tests.data.producer import DATASET, Producer, missing
from tests.data.rows import read_snapshot
from tests.harness.s3 import BUCKET

IMAGES = {"type": "images", "path": "data/in"}
APPEND = {"source": IMAGES, "incremental": {"by": "file"}, "write": {"mode": "append"}}
MERGE = {**APPEND, "write": {"mode": "merge", "keys": ["path"]}}
DOCUMENTS = {**APPEND, "source": {"type": "documents", "path": "data/in/*"}}
ARCHIVES = {**APPEND, "source": {"type": "images", "path": "data/in/*.zip"}}


@pytest.fixture
def producer(tmp_path):
    made = Producer(tmp_path)
    write(made.files, {"cats/1.png": image("red"), "dogs/1.png": image("blue")})
    return made


def paths(producer: Producer) -> list[str]:
    newest = producer.lake.newest(DATASET)
    return [row[0] for row in read_snapshot(producer.lake, DATASET, newest.version)]


def test_each_run_takes_the_images_that_no_snapshot_has(producer):
    producer(APPEND)
    write(producer.files, {"cats/2.png": image("green")})
    rows, *rest = producer.ingest(APPEND, "second")
    assert rows.rows == 1
    producer.publish(rows, *rest, "second")
    assert paths(producer) == ["cats/1.png", "cats/2.png", "dogs/1.png"]


def test_file_that_is_no_image_is_nothing_new(producer):
    producer(APPEND)
    write(producer.files, {"README.md": b"photos", "cats/2.png": b""})
    with pytest.raises(NothingToDoError, match="no new file: all 2 that `source` names"):
        producer(APPEND)


def test_images_may_be_moved_away_once_they_are_taken(producer):
    producer(APPEND)
    for file in producer.files.rglob("*.png"):
        file.unlink()
    with pytest.raises(NothingToDoError, match="there is no new file: there is no image"):
        producer(APPEND)


def test_first_run_without_any_image_says_what_their_names_end_with(tmp_path):
    with pytest.raises(
        TerminalError, match=r"there is no image at 'data/in'\. Names of images end"
    ):
        Producer(tmp_path)(APPEND)


def test_changed_image_is_refused_where_it_would_come_twice_and_taken_where_it_replaces(producer):
    producer(APPEND)
    write(producer.files, {"cats/1.png": image("yellow", size=(50, 50))})
    with pytest.raises(ChangedFileError, match=r"data/in/cats/1\.png"):
        producer(APPEND)
    producer(MERGE)
    found = read_snapshot(producer.lake, DATASET, producer.lake.newest(DATASET).version)
    assert [(row[0], row[4]) for row in found] == [("cats/1.png", 50), ("dogs/1.png", 40)]


def test_archive_is_one_file_and_its_images_are_called_after_it(tmp_path):
    producer = Producer(tmp_path)
    zip_of(producer.files / "monday.zip", {"cats/1.png": image("red")})
    producer(ARCHIVES)
    zip_of(producer.files / "tuesday.zip", {"cats/1.png": image("blue")})
    producer(ARCHIVES)
    assert paths(producer) == ["monday/cats/1.png", "tuesday/cats/1.png"]
    with pytest.raises(NothingToDoError):
        producer(ARCHIVES)


def test_new_archive_without_any_image_is_an_error_and_not_passed_over(tmp_path):
    producer = Producer(tmp_path)
    zip_of(producer.files / "monday.zip", {"cats/1.png": image("red")})
    producer(ARCHIVES)
    zip_of(producer.files / "tuesday.zip", {"notes.txt": b"nothing"})
    with pytest.raises(TerminalError, match="there is no image, but 1 others"):
        producer(ARCHIVES)


def test_new_images_of_an_object_store_alone_are_fetched(tmp_path, s3):
    def put(name, content):
        s3.client().put_object(Bucket=BUCKET, Key=f"in/{name}", Body=content)

    producer = Producer(tmp_path)
    section = {**APPEND, "source": {"type": "images", "prefix": f"s3://{BUCKET}/in"}}
    put("cats/1.png", image("red"))
    producer(section)
    assert "has been read" in missing(producer, section)
    put("cats/2.png", image("blue"))
    s3.requests.clear()
    assert missing(producer, section) == ""
    producer(section)
    assert paths(producer) == ["cats/1.png", "cats/2.png"]
    assert not [one for one in s3.requests if one.method == "GET" and "1.png" in one.path]


def test_each_run_takes_the_documents_that_no_snapshot_has(tmp_path):
    producer = Producer(tmp_path)
    write(producer.files, {"a.txt": b"One."})
    producer(DOCUMENTS)
    write(producer.files, {"b.txt": b"Two."})
    producer(DOCUMENTS)
    found = read_snapshot(producer.lake, DATASET, producer.lake.newest(DATASET).version)
    assert sorted(row[1] for row in found) == ["data/in/a.txt", "data/in/b.txt"]


@pytest.mark.parametrize(
    ("section", "name", "content"),
    [(APPEND, "cats/1.png", image()), (DOCUMENTS, "a.txt", b"One.")],
    ids=["images", "documents"],
)
def test_image_or_document_is_waited_for_and_then_a_new_one(tmp_path, section, name, content):
    producer = Producer(tmp_path)
    without = {"source": section["source"]}
    assert "there is no" in missing(producer, without)
    write(producer.files, {name: b""})
    assert "there is no" in missing(producer, without)
    write(producer.files, {name: content})
    assert missing(producer, without) == missing(producer, section) == ""
    producer(section)
    assert missing(producer, without) == ""
    assert "has been read" in missing(producer, section)


@pytest.mark.parametrize(
    ("in_source", "beside", "said"),
    [
        ({}, {"incremental": {"by": "file"}, "write": {"mode": "append"}}, "`images` is none"),
        ({"wait": {"timeout": "1h"}}, {}, "`wait` is for `path` and `prefix`"),
    ],
)
def test_what_is_behind_an_address_is_neither_told_apart_nor_waited_for(in_source, beside, said):
    source = {"type": "images", "url": "https://example.org/pets.zip", **in_source}
    with pytest.raises(ValidationError, match=said):
        Dataset.model_validate({"source": source, **beside})
