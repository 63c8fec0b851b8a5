"""Snapshots: atomic, versioned, recognised by content, and safe among several publishers."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from deltalake import write_deltalake

from factory.base.errors import TerminalError
from factory.lake import publishing
from factory.lake.snapshot import (
    AlreadyAppendedError,
    LakeError,
    MergeKeyError,
    NoSnapshotError,
    SchemaMismatchError,
    Snapshot,
)
from factory.lake.write import Write
from tests.data.rows import rows_of
from tests.lake.publisher import (
    APPEND,
    DATASET,
    MERGE,
    REPLACE,
    TWO_ROWS,
    hash_of_stored_rows,
    in_process,
)

pytestmark = pytest.mark.usefixtures("each_storage")


def test_first_publication_is_version_0_and_describes_itself(publish):
    published = publish(TWO_ROWS)

    assert published.changed
    assert published.snapshot.version == 0
    assert published.snapshot.rows == 2
    assert published.snapshot.columns == {"id": "BIGINT", "name": "VARCHAR"}
    assert published.snapshot.uri == f"{publish.lake.storage}/marine/penguins"
    assert publish.lake.newest(DATASET) == published.snapshot
    assert publish.rows(0) == [(1, "a"), (2, "b")]


def test_snapshot_survives_the_way_through_an_event(publish):
    snapshot = publish(TWO_ROWS).snapshot
    extra = json.loads(json.dumps({**snapshot.as_event(), "checks": {"passed": 3}}))
    assert Snapshot.from_event(extra) == snapshot


def test_event_without_a_snapshot_says_what_it_lacks():
    with pytest.raises(LakeError, match="lacks dataset, uri, version"):
        Snapshot.from_event({"rows": 3})


def test_dataset_that_was_never_published_names_the_dag_to_run(publish):
    with pytest.raises(NoSnapshotError, match=r"`factory run marine.penguins`") as caught:
        publish.lake.newest(DATASET)
    assert isinstance(caught.value, TerminalError)


def test_unknown_version_names_the_known_ones(publish):
    publish(TWO_ROWS)
    publish("select 3 as id")
    for version in (2, -1):
        with pytest.raises(NoSnapshotError, match=rf"no version {version}: .* are 1, 0"):
            publish.lake.snapshot(DATASET, version)


def test_replace_may_change_the_schema_and_old_versions_stay_readable(publish):
    publish(TWO_ROWS)
    second = publish("select 1.5::double as weight").snapshot

    assert second.version == 1
    assert second.columns == {"weight": "DOUBLE"}
    assert publish.rows(0) == [(1, "a"), (2, "b")]
    assert publish.rows(1) == [(1.5,)]
    assert [snapshot.version for snapshot in publish.lake.history(DATASET)] == [1, 0]
    assert publish.lake.snapshot(DATASET, 0).rows == 2


def test_same_content_in_another_order_makes_no_version(publish):
    first = publish(TWO_ROWS).snapshot
    again = publish(f"{TWO_ROWS} order by id desc")
    assert not again.changed
    assert again.snapshot == first
    assert [snapshot.version for snapshot in publish.lake.history(DATASET)] == [0]


def test_unchanged_content_counts_as_change_when_asked_for(publish):
    first = publish(TWO_ROWS).snapshot
    again = publish(TWO_ROWS, emit_unchanged=True)
    assert again.changed
    assert again.snapshot == first
    assert len(publish.lake.history(DATASET)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'ab' as x, 'c' as y", "select 'a' as x, 'bc' as y"),
        ("select '' as x", "select null::varchar as x"),
        ("select 1::integer as x", "select 1::bigint as x"),
        ("select 1 as x", "select 1 as y"),
        ("select 1 as x", "select 1 as x from range(2)"),
        ("select [1, null] as x", "select [1] as x"),
        ("select {'a': 'NULL'} as x", "select {'a': null::varchar} as x"),
    ],
)
def test_different_content_has_a_different_hash(publish, one, other):
    assert publish(one).snapshot.content_hash != publish(other).snapshot.content_hash


def test_content_hash_does_not_depend_on_the_machines_time_zone(publish):
    query = "select timestamptz '2024-06-01 12:00:00+00' as at"
    file = rows_of(query, publish.folder, "far away").file
    process = in_process(publish.lake, file, write=REPLACE, TZ="Pacific/Auckland")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert not publish(query).changed


def test_append_adds_rows_and_its_hash_is_that_of_the_whole(publish):
    publish(TWO_ROWS)
    appended = publish("select 'c' as name, 3 as id", APPEND).snapshot

    assert appended.version == 1
    assert appended.rows == 3
    assert publish.rows(1) == [(1, "a"), (2, "b"), (3, "c")]
    assert appended.content_hash == hash_of_stored_rows(publish, appended)


def test_append_of_nothing_is_unchanged(publish):
    publish(TWO_ROWS)
    assert not publish(f"{TWO_ROWS} limit 0", APPEND).changed


def test_append_takes_columns_without_values_whatever_their_type(publish):
    publish("select 1.5::double as weight, 1 as id")
    assert publish("select null::varchar as weight, 2 as id", APPEND).snapshot.rows == 2


@pytest.mark.parametrize("write", [APPEND, MERGE], ids=lambda write: write.mode)
def test_rows_that_do_not_fit_are_refused_with_every_reason(publish, write):
    publish(TWO_ROWS)
    with pytest.raises(SchemaMismatchError) as caught:
        publish("select 'x' as id, 1 as extra", write)
    message = str(caught.value)
    assert "name is missing" in message
    assert "extra is new" in message
    assert "id is VARCHAR, published as BIGINT" in message
    assert publish.lake.newest(DATASET).version == 0


@pytest.mark.parametrize("mode", [{"mode": "append"}, {"mode": "merge", "keys": ("id",)}], ids=str)
def test_new_columns_and_wider_numbers_come_in_where_that_is_allowed(publish, mode):
    publish("select * from (values (1::bigint, 7::bigint), (2, 8)) as t(id, n)")
    made = publish(
        "select 2::bigint as id, 1.5::double as n, 'x' as extra", Write(**mode, evolve="widen")
    )
    assert made.snapshot.columns == {"id": "BIGINT", "n": "DOUBLE", "extra": "VARCHAR"}
    rows = [(1, 7.0, None), (2, 1.5, "x")]
    expected = rows if mode["mode"] == "merge" else [(1, 7.0, None), (2, 1.5, "x"), (2, 8.0, None)]
    assert sorted(publish.rows(1), key=str) == expected
    assert publish.rows(0) == [(1, 7), (2, 8)]
    again = publish("select 3::bigint as id, 2.5::double as n, 'y' as extra", Write(**mode))
    assert again.snapshot.rows == made.snapshot.rows + 1


def test_content_hash_after_columns_came_in_is_that_of_the_whole(publish):
    publish("select 1::bigint as id")
    added = publish("select 2::bigint as id, 'x' as extra", Write(mode="append", evolve="add"))
    whole = "select * from (values (1::bigint, null), (2, 'x')) as t(id, extra)"
    assert not publish(whole).changed
    assert added.snapshot.version == 1


@pytest.mark.parametrize(
    ("evolve", "query", "complaint"),
    [
        ("none", "select 1::bigint as id, 'a' as name, 1 as extra", "extra is new, as INTEGER"),
        ("add", "select 1.5::double as id, 'a' as name", "id is DOUBLE, published as BIGINT"),
        ("widen", "select '1' as id, 'a' as name", "id is VARCHAR, published as BIGINT"),
        ("widen", "select 1::bigint as id", "name is missing, published as VARCHAR"),
        ("widen", "select 1::bigint as id, 5 as name", "name is INTEGER, published as VARCHAR"),
    ],
)
def test_replacing_rows_keep_the_published_columns_where_these_are_the_contract(
    publish, evolve, query, complaint
):
    publish(TWO_ROWS)
    with pytest.raises(SchemaMismatchError, match=complaint):
        publish(query, evolve=evolve)
    assert publish.lake.newest(DATASET).version == 0


def test_replacing_rows_keep_the_wider_type_of_the_published_ones(publish):
    publish("select 1.5::double as n")
    again = publish("select 2::bigint as n", evolve="none")
    assert again.snapshot.columns == {"n": "DOUBLE"}


def test_merge_updates_equal_keys_and_adds_others(publish):
    publish(TWO_ROWS)
    merged = publish("select * from (values (2, 'B'), (3, 'c')) as t(id, name)", MERGE).snapshot

    assert merged.rows == 3
    assert publish.rows(1) == [(1, "a"), (2, "B"), (3, "c")]
    assert merged.content_hash == hash_of_stored_rows(publish, merged)


def test_merge_that_changes_nothing_makes_no_version(publish):
    publish(TWO_ROWS)
    assert not publish("select 2::bigint as id, 'b' as name", MERGE).changed
    assert publish.lake.newest(DATASET).version == 0


def test_merge_keys_may_have_any_name(publish):
    keys = Write(mode="merge", keys=("Id Nr", "é"))
    publish('select 1 as "Id Nr", 2 as "é", 3 as "Value"', keys)
    merged = publish('select 1 as "Id Nr", 2 as "é", 4 as "Value"', keys).snapshot
    assert publish.rows(merged.version) == [(1, 2, 4)]


def test_null_and_repeated_merge_keys_are_counted_and_refused(publish):
    query = "select * from (values (1, 'a'), (1, 'b'), (null, 'c'), (2, 'd')) as t(id, name)"
    with pytest.raises(MergeKeyError, match="null in 1 rows, and 2 rows share 1 keys"):
        publish(query, MERGE)
    with pytest.raises(NoSnapshotError):
        publish.lake.newest(DATASET)


def test_missing_merge_key_names_the_columns(publish):
    with pytest.raises(MergeKeyError, match=r"merge keys id are not among .* \(key, name\)"):
        publish("select 1 as key, 'a' as name", MERGE)


@pytest.mark.parametrize("write", [REPLACE, APPEND, MERGE], ids=lambda write: write.mode)
def test_retry_after_the_commit_gives_the_same_snapshot_and_still_emits(publish, write):
    publish("select 0::bigint as id, 'z' as name")
    first = publish(TWO_ROWS, write, run_id="nightly")
    publish("select 9::bigint as id, 'later' as name", APPEND)

    again = publish(TWO_ROWS, write, run_id="nightly")

    assert again.changed
    assert again.snapshot == first.snapshot
    assert publish.lake.newest(DATASET).version == 2


def test_run_that_was_cleared_and_finds_other_rows_replaces_them(publish):
    publish(TWO_ROWS, run_id="nightly")
    assert publish("select 5::bigint as id, 'e' as name", run_id="nightly").snapshot.version == 1


def test_run_that_was_cleared_does_not_append_twice(publish):
    publish(TWO_ROWS, APPEND, run_id="nightly")
    with pytest.raises(AlreadyAppendedError, match=r"run nightly has appended .* as version 0"):
        publish("select 3::bigint as id, 'c' as name", APPEND, run_id="nightly")


@pytest.mark.slow
def test_more_versions_than_a_checkpoint_holds_stay_described(publish):
    for number in range(42):
        publish(f"select {number} as id")
    history = publish.lake.history(DATASET)
    assert [snapshot.version for snapshot in history] == list(range(41, -1, -1))
    assert publish.rows(0) == [(0,)]
    # The checkpoint keeps which run made which version.
    assert publish("select 3 as id", run_id="run 4").snapshot.version == 3


def test_compaction_keeps_snapshot_and_content(publish):
    publish(TWO_ROWS)
    newest = publish("select 3::bigint as id, 'c' as name", APPEND).snapshot
    publish.lake.table(DATASET).optimize.compact()

    assert publish.lake.newest(DATASET) == newest
    appended = publish("select 4::bigint as id, 'd' as name", APPEND).snapshot
    assert appended.version == 3
    assert appended.rows == 4
    assert appended.content_hash == hash_of_stored_rows(publish, appended)


def test_foreign_write_is_noticed(publish):
    snapshot = publish(TWO_ROWS).snapshot
    rows = publish.lake.scan(DATASET, 0).to_table()
    options = publish.lake.storage_options
    write_deltalake(snapshot.uri, rows, mode="append", storage_options=options)
    with pytest.raises(LakeError, match=r"version 1 of marine\.penguins .* was not published"):
        publish.lake.newest(DATASET)


def test_appends_at_once_all_land(publish):
    publish(TWO_ROWS)
    files = [
        rows_of(f"select {n}::bigint as id, 'n' as name", publish.folder, f"part {n}").file
        for n in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        tasks = [
            pool.submit(publishing.publish, publish.lake, DATASET, file, APPEND, run_id=file.name)
            for file in files
        ]
        versions = sorted(task.result().snapshot.version for task in tasks)

    newest = publish.lake.newest(DATASET)
    assert versions == list(range(1, 9))
    assert newest.rows == 10
    assert len(publish.rows(newest.version)) == 10
    assert newest.content_hash == hash_of_stored_rows(publish, newest)


@pytest.mark.slow
def test_first_publications_at_once_all_land(publish):
    files = [rows_of(f"select {n} as id", publish.folder, f"part {n}").file for n in range(4)]
    processes = [in_process(publish.lake, file, write=APPEND) for file in files]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    newest = publish.lake.newest(DATASET)
    assert newest.version == 3
    assert publish.rows(3) == [(0,), (1,), (2,), (3,)]
    assert newest.content_hash == hash_of_stored_rows(publish, newest)


def test_replacements_at_once_go_one_after_the_other(publish):
    publish("select 99 as id")
    files = [rows_of(f"select {n} as id", publish.folder, f"part {n}").file for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        tasks = [
            pool.submit(publishing.publish, publish.lake, DATASET, file, REPLACE, run_id=file.name)
            for file in files
        ]
        by_version = {task.result().snapshot.version: task.result().snapshot for task in tasks}
    assert sorted(by_version) == [1, 2, 3, 4]
    for version, snapshot in by_version.items():
        assert len(publish.rows(version)) == 1
        assert snapshot.content_hash == hash_of_stored_rows(publish, snapshot)


@pytest.mark.nightly
@pytest.mark.parametrize("write", [REPLACE, APPEND, MERGE], ids=lambda write: write.mode)
def test_two_that_publish_at_once_fifty_times_lose_and_mix_nothing(publish, write):
    """Each publication is two rows of one publisher; of a merge all have the same keys."""
    times = 50
    publish("select 0::bigint as id, 'first' as who")
    of_each = [
        [rows_of(_two_rows(who, n, write), publish.folder, f"{who} {n}").file for n in range(times)]
        for who in ("ebb", "flow")
    ]
    processes = [in_process(publish.lake, *files, write=write) for files in of_each]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    newest = publish.lake.newest(DATASET)
    assert newest.version == 2 * times
    assert newest.content_hash == hash_of_stored_rows(publish, newest)
    notes = [publish.lake.published(DATASET, version)[1] for version in range(1, 2 * times + 1)]
    of_both = sorted(file.name for files in of_each for file in files)
    assert sorted(note["run_id"] for note in notes) == of_both
    for version in range(5, 2 * times + 1, 5):
        who = publish.lake.scan(DATASET, version).to_table()["who"].to_pylist()
        if write.mode == "append":
            assert len(who) == 1 + 2 * version
        else:
            assert len({*who} - {"first"}) == 1


def _two_rows(who: str, n: int, write: Write) -> str:
    first = 1 if write.mode == "merge" else 2 * n + 1
    return f"select unnest([{first}, {first + 1}])::bigint as id, '{who} {n}' as who"


def test_commits_say_which_run_made_them(publish):
    publish(TWO_ROWS, run_id="manual__1")
    _, note = publish.lake.published(DATASET, 0)
    assert note["run_id"] == "manual__1"
