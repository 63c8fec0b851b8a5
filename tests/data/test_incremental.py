"""`incremental`: runs read only what no snapshot has, whatever happens between them."""

import base64
import json
import logging
import os
import time

import pytest
from pydantic import ValidationError

from factory.base.errors import NothingToDoError, TerminalError
from factory.data.dataset import Dataset
from factory.data.incremental import (
    UnknownProgressError,
)
from factory.data.rows import Chunk
from factory.data.sources.csv import CsvSource
from factory.data.sources.new_files import ChangedFileError
from factory.data.sources.source import NoConnections
from factory.lake.restoring import restore
from factory.lake.snapshot import SourceOvertakenError
from factory.lake.taken_files import SourceFile, TakenFiles, first_note
from factory.lake.write import Write
from tests.data.producer import DATASET, Producer, missing
from tests.data.rows import read_snapshot

CSV = {"type": "csv", "path": "data/in/*.csv"}
BY_FILE = {"source": CSV, "incremental": {"by": "file"}, "write": {"mode": "append"}}
BY_COLUMN = {**BY_FILE, "incremental": {"by": "column", "column": "id"}}
MERGE = {"mode": "merge", "keys": ["id"]}


@pytest.fixture
def producer(tmp_path):
    made = Producer(tmp_path)
    made.file("a.csv", "id,name", "1,x")
    return made


def test_each_run_takes_the_files_that_no_snapshot_has(producer):
    producer(BY_FILE)
    producer.file("b.csv", "id,name", "2,y")
    producer(BY_FILE)
    producer.file("c.csv", "id,name", "3,z")
    producer(BY_FILE)
    assert producer.ids() == [1, 2, 3]


def test_without_new_files_there_is_nothing_to_do(producer):
    producer(BY_FILE)
    with pytest.raises(NothingToDoError, match=r"no new file: data/in/a\.csv has been read"):
        producer(BY_FILE)


def test_files_may_be_moved_away_once_they_are_taken(producer):
    producer(BY_FILE)
    (producer.files / "a.csv").unlink()
    with pytest.raises(NothingToDoError, match="there is no new file"):
        producer(BY_FILE)
    producer.file("b.csv", "id,name", "2,y")
    producer(BY_FILE)
    assert producer.ids() == [1, 2]


def test_first_run_without_any_file_says_that_the_path_leads_nowhere(tmp_path):
    with pytest.raises(TerminalError, match="no file matches"):
        Producer(tmp_path)(BY_FILE)


def test_run_that_never_published_takes_nothing(producer):
    producer.ingest(BY_FILE, "killed")
    producer(BY_FILE)
    assert producer.ids() == [1]


def test_run_that_is_repeated_after_its_commit_publishes_once(producer):
    first = producer(BY_FILE, "run")
    again = producer(BY_FILE, "run")
    assert again.changed
    assert (again.snapshot.version, producer.ids()) == (first.snapshot.version, [1])


def test_two_runs_that_read_the_same_file_do_not_both_append_it(producer):
    late = producer.ingest(BY_FILE, "late")
    producer(BY_FILE)
    with pytest.raises(SourceOvertakenError, match="version 0 is the newest"):
        producer.publish(*late, "late")
    assert producer.ids() == [1]


@pytest.mark.parametrize("section", [BY_FILE, BY_COLUMN])
def test_run_that_publishes_while_another_reads_is_noticed(producer, section, monkeypatch):
    producer(section)
    producer.file("b.csv", "id,name", "2,y")
    read = CsvSource.read

    def overtaken(source, context):
        monkeypatch.setattr(CsvSource, "read", read)
        producer(section)
        return read(source, context)

    monkeypatch.setattr(CsvSource, "read", overtaken)
    with pytest.raises(SourceOvertakenError, match="new to version 0, and by now version 1"):
        producer(section, "overtaken")
    assert producer.ids() == [1, 2]


def test_changed_file_is_refused_where_its_rows_would_come_twice(producer):
    producer(BY_FILE)
    producer.file("a.csv", "id,name", "1,x", "2,y")
    with pytest.raises(ChangedFileError, match=r"^data/in/a\.csv: this file has been read .*merge"):
        producer(BY_FILE)


def test_changed_file_is_taken_again_where_its_rows_replace_those_of_the_same_keys(producer):
    merged = {**BY_FILE, "write": MERGE}
    producer(merged)
    producer.file("a.csv", "id,name", "1,corrected", "2,y")
    published = producer(merged)
    rows = read_snapshot(producer.lake, DATASET, published.snapshot.version)
    assert rows == [(1, "corrected"), (2, "y")]


def test_file_that_was_copied_anew_is_the_same_file(producer):
    producer(BY_FILE)
    later = time.time() + 60
    os.utime(producer.files / "a.csv", (later, later))
    with pytest.raises(NothingToDoError):
        producer(BY_FILE)


def test_file_that_merges_nothing_new_is_taken_without_an_event(producer):
    merged = {**BY_FILE, "write": MERGE}
    producer(merged)
    producer.file("b.csv", "id,name", "1,x")
    assert not producer(merged).changed
    with pytest.raises(NothingToDoError):
        producer(merged)


def test_full_refresh_publishes_all_files_in_place_of_the_rows(producer):
    producer(BY_FILE)
    producer.file("b.csv", "id,name", "2,y")
    producer(BY_FILE)
    producer.file("a.csv", "id,name", "7,x")
    producer(BY_FILE, full_refresh=True)
    assert producer.ids() == [2, 7]
    with pytest.raises(NothingToDoError):
        producer(BY_FILE)


def test_restored_snapshot_knows_what_it_had_taken(producer):
    producer(BY_FILE)
    producer.file("b.csv", "id,name", "2,y")
    producer(BY_FILE)
    restore(producer.lake, DATASET, 0)
    assert producer.ids() == [1]
    producer(BY_FILE)
    assert producer.ids() == [1, 2]


def test_snapshot_of_before_incremental_asks_for_a_full_refresh(producer):
    producer({key: value for key, value in BY_FILE.items() if key != "incremental"})
    with pytest.raises(UnknownProgressError, match=r"version 0 does not say .*full_refresh"):
        producer(BY_FILE)
    producer(BY_FILE, full_refresh=True)
    producer.file("b.csv", "id,name", "2,y")
    producer(BY_FILE)
    assert producer.ids() == [1, 2]


def test_many_commits_are_not_read_each_time(producer, monkeypatch):
    monkeypatch.setattr("factory.lake.taken_files._MOST_COMMITS", 3)
    for number in range(9):
        producer.file(f"file{number}.csv", "id,name", f"{number + 10},x")
        version = producer(BY_FILE).snapshot.version
        assert TakenFiles.of(producer.lake, DATASET, version).commits <= 4
    with pytest.raises(NothingToDoError, match="all 10 "):
        producer(BY_FILE)


def test_hundred_thousand_files_take_three_megabytes_once_and_nothing_of_the_event(producer):
    files = [
        SourceFile(f"data/in/{n:06}.csv", f"{n} 1", lambda n=n: str(n)) for n in range(100_000)
    ]
    note = first_note(files)
    assert len(json.dumps(note)) < 3_300_000
    rows, write, _ = producer.ingest(BY_FILE, "many")
    event = producer.publish(rows, write, note, "many").event
    assert len(json.dumps(event)) < 1000
    started = time.monotonic()
    taken = TakenFiles.of(producer.lake, DATASET, 0)
    assert all(file in taken for file in files)
    assert time.monotonic() - started < 10
    assert len(base64.b64decode(taken.note(files[:1], 0)["files"])) == 24


def test_rows_above_the_largest_published_value_are_taken(producer):
    producer.file("a.csv", "id,name", "1,x", "3,y")
    producer(BY_COLUMN)
    producer.file("a.csv", "id,name", "1,x", "3,y", "2,late", "4,z")
    producer(BY_COLUMN)
    assert producer.ids() == [1, 3, 4]
    with pytest.raises(
        NothingToDoError, match="none has `id` above 4, the largest value of version 1"
    ):
        producer(BY_COLUMN)


def test_rows_above_a_time_are_taken(producer):
    section = {**BY_COLUMN, "incremental": {"by": "column", "column": "updated at"}}
    producer.file("a.csv", "id,updated at", "1,2026-01-01T10:00:00Z")
    producer(section)
    producer.file("a.csv", "id,updated at", "1,2026-01-01T10:00:00Z", "2,2026-01-01T10:00:01Z")
    producer(section)
    assert producer.ids() == [1, 2]


def test_later_rows_without_a_value_are_left_out_with_a_warning(producer, caplog):
    producer(BY_COLUMN)
    producer.file("a.csv", "id,name", "2,y", ",z")
    with caplog.at_level(logging.WARNING):
        producer(BY_COLUMN)
    assert producer.ids() == [1, 2]
    assert "left out 1 rows whose `id` is null" in caplog.text


def test_restored_snapshot_goes_on_from_its_own_largest_value(producer):
    producer(BY_COLUMN)
    producer.file("a.csv", "id,name", "1,x", "2,y")
    producer(BY_COLUMN)
    restore(producer.lake, DATASET, 0)
    producer(BY_COLUMN)
    assert producer.ids() == [1, 2]


def test_column_that_the_source_does_not_have_is_explained(producer):
    section = {**BY_COLUMN, "incremental": {"by": "column", "column": "nam"}}
    with pytest.raises(TerminalError, match=r"no column 'nam' \(did you mean `name`\?\)"):
        producer(section)


class Warehouse(NoConnections):
    """A database that notes with which parameters it is asked."""

    def __init__(self):
        self.asked = []

    def query_chunks(self, connection, query, chunk_rows, parameters=None):
        self.asked.append(parameters)
        least = (parameters or {}).get("largest") or 0
        yield Chunk(["id"], [[number] for number in (1, 2, 3) if number > least])


@pytest.mark.parametrize(("where", "asked"), [("", [None, None]), ("id > :largest", [None, 3])])
def test_query_may_name_the_largest_value_as_a_parameter(producer, where, asked):
    source = {"type": "sql", "connection": "db", "query": f"select * from t {where}"}
    section = {**BY_COLUMN, "source": source}
    warehouse = Warehouse()
    producer(section, connections=warehouse)
    with pytest.raises(NothingToDoError):
        producer(section, connections=warehouse)
    assert [one and one["largest"] for one in warehouse.asked] == asked
    assert producer.ids() == [1, 2, 3]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({**BY_FILE, "write": {}}, "new rows alone would replace all"),
        ({**BY_FILE, "source": {"type": "dataset", "dataset": "a"}}, "`dataset` is none"),
        ({**BY_FILE, "incremental": {"by": "column"}}, "`column` is missing"),
        ({**BY_FILE, "incremental": {"by": "file", "column": "id"}}, "`by: column` only"),
        ({**BY_COLUMN, "columns": {"ids": "INTEGER"}}, "the dataset has no column 'id'"),
    ],
)
def test_what_could_not_work_is_a_problem(section, message):
    with pytest.raises(ValidationError, match=message):
        Dataset.model_validate(section)


def test_refreshed_write_still_holds_that_keys_identify_rows(producer):
    assert Write.model_validate(MERGE).refreshed().keys == ("id",)


def test_new_file_is_what_is_waited_for(producer):
    assert missing(producer, BY_FILE) == ""
    producer(BY_FILE)
    assert "data/in/a.csv has been read" in missing(producer, BY_FILE)
    producer.file("b.csv", "id,name", "2,y")
    assert missing(producer, BY_FILE) == ""


def test_new_row_of_a_query_is_what_is_waited_for(producer):
    source = {"type": "sql", "connection": "db", "query": "select * from t where id > :largest"}
    section, warehouse = {**BY_COLUMN, "source": source}, Warehouse()
    assert missing(producer, section, connections=warehouse) == ""
    producer(section, connections=warehouse)
    assert "gives no row" in missing(producer, section, connections=warehouse)
