"""Damaged lakes: what is found when a snapshot is read, and how an old one becomes the newest again."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.lake import verification
from factory.lake.restoring import restore
from factory.lake.snapshot import DamagedSnapshotError, LakeError, NoSnapshotError
from factory.lake.table import Lake
from tests.lake.publisher import APPEND, DATASET, MERGE, TWO_ROWS, Publisher

TABLE = Path("lake/marine/penguins")


def opened_anew(publish: Publisher, verify: verification.Verify = "sample") -> Lake:
    """The lake as the next task sees it: what was looked at before is looked at again."""
    return Lake(publish.lake.storage, verify=verify)


def files_of(publish: Publisher, version: int) -> list[Path]:
    return list(opened_anew(publish, "off").rows(DATASET, version))


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


@pytest.fixture
def three(publish: Publisher) -> Publisher:
    """Versions 0, 1 and 2, of one row each."""
    for number in range(3):
        publish(f"select {number} as id")
    return publish


@pytest.mark.parametrize("reading", ["rows", "scan"])
def test_flipped_byte_is_found_and_named_with_file_and_version(three, reading):
    [file] = files_of(three, 2)
    flip_a_byte(file)
    with pytest.raises(DamagedSnapshotError) as caught:
        getattr(opened_anew(three), reading)(DATASET, 2)
    text = str(caught.value)
    assert f"{DATASET} version 2 is damaged" in text
    assert file.name in text
    assert f"`factory restore {DATASET}`" in text
    assert isinstance(caught.value, TerminalError), "trying again would read the same bytes"
    opened_anew(three).rows(DATASET, 1)


@pytest.mark.parametrize(
    ("damage", "found"), [(cut, "bytes, and had"), (Path.unlink, "is missing")], ids=("cut", "gone")
)
def test_file_that_is_cut_or_gone_is_found(three, damage, found):
    [file] = files_of(three, 2)
    damage(file)
    with pytest.raises(DamagedSnapshotError, match=found):
        opened_anew(three).rows(DATASET, 2)


def test_nothing_is_looked_at_where_that_is_off(three):
    [file] = files_of(three, 2)
    flip_a_byte(file)
    assert list(opened_anew(three, "off").rows(DATASET, 2)) == [file]


def test_sample_reads_some_files_of_a_large_snapshot_and_full_all_of_them(publish, monkeypatch):
    for number in range(8):
        publish(f"select {number} as id", APPEND)
    read: list[str] = []
    reading = type(publish.lake.files).sha256
    monkeypatch.setattr(
        type(publish.lake.files),
        "sha256",
        lambda self, name: read.append(name) or reading(self, name),
    )
    monkeypatch.setattr(verification, "SAMPLE_BYTES", 1000)

    opened_anew(publish).rows(DATASET, 7)
    first, _ = list(read), read.clear()
    opened_anew(publish).rows(DATASET, 7)
    second, _ = list(read), read.clear()
    opened_anew(publish, "full").rows(DATASET, 7)

    assert 0 < len(first) < 8
    assert first == second, "the sample of a version is always the same"
    assert len(read) == 8


def test_snapshot_is_looked_at_once_in_a_process(three, monkeypatch):
    looks: list[int] = []
    monkeypatch.setattr(
        "factory.lake.table.check_files", lambda *arguments: looks.append(arguments[2])
    )
    lake = opened_anew(three)
    for version in (2, 2, 1):
        lake.rows(DATASET, version)
    assert looks == [2, 1]


def test_snapshots_whose_files_do_not_tell_their_digests_stay_readable(three):
    from deltalake import DeltaTable, write_deltalake

    file = three.folder / TABLE / "part-1.parquet"
    write_deltalake(str(file.parent), DeltaTable(file.parent).to_pyarrow_table(), mode="overwrite")
    lake = opened_anew(three, "full")
    assert len(lake.rows(DATASET, 3)) == 1
    cut(lake.rows(DATASET, 3)[0])
    with pytest.raises(DamagedSnapshotError, match="bytes, and had"):
        opened_anew(three).rows(DATASET, 3)


@pytest.mark.parametrize("write", [APPEND, MERGE], ids=("append", "merge"))
def test_nothing_goes_beside_a_base_that_is_cut(publish, write):
    publish(TWO_ROWS)
    cut(files_of(publish, 0)[0])
    publish.lake = opened_anew(publish)
    with pytest.raises(DamagedSnapshotError, match="version 0 is damaged"):
        publish("select 3::bigint as id, 'c' as name", write)
    assert publish.lake.newest(DATASET).version == 0


def test_replacement_of_a_damaged_snapshot_goes_on(publish):
    publish(TWO_ROWS)
    cut(files_of(publish, 0)[0])
    publish.lake = opened_anew(publish)
    assert publish("select 1 as id").snapshot.version == 1
    assert publish.rows(1) == [(1,)]


def test_old_version_becomes_the_newest_and_none_goes_away(three):
    restored = restore(three.lake, DATASET, 0)

    assert (restored.of_version, restored.snapshot.version) == (0, 3)
    newest = three.lake.newest(DATASET)
    assert newest == restored.snapshot
    assert newest.content_hash == three.lake.snapshot(DATASET, 0).content_hash
    assert [three.rows(version) for version in range(4)] == [[(0,)], [(1,)], [(2,)], [(0,)]]
    assert not three("select 0 as id").changed, "it is what was restored"
    assert three("select 5 as id").snapshot.version == 4


def test_newest_whole_version_is_restored_where_none_is_named(three):
    for version in (1, 2):
        flip_a_byte(files_of(three, version)[0])
    restored = restore(opened_anew(three), DATASET)
    assert restored.of_version == 0
    assert "version 1 is damaged" in restored.passed_over[0]
    assert opened_anew(three, "full").rows(DATASET, 3) == opened_anew(three).rows(DATASET, 0)


def test_damaged_or_unknown_version_is_not_restored(three):
    flip_a_byte(files_of(three, 1)[0])
    with pytest.raises(DamagedSnapshotError, match="version 1 is damaged"):
        restore(three.lake, DATASET, 1)
    with pytest.raises(NoSnapshotError, match="no version 7"):
        restore(three.lake, DATASET, 7)
    with pytest.raises(LakeError, match="version 2 is the newest already"):
        restore(three.lake, DATASET, 2)
    with pytest.raises(NoSnapshotError, match="nothing has been published"):
        restore(three.lake, "marine.whales")
    assert three.lake.newest(DATASET).version == 2


def test_table_without_a_whole_version_says_so(publish):
    publish(TWO_ROWS)
    with pytest.raises(
        NoSnapshotError, match=rf"no whole snapshot before .*`factory run {DATASET}`"
    ):
        restore(publish.lake, DATASET)


LOG_DAMAGES = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "text": lambda file: file.write_text("hello\n"),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("damage", LOG_DAMAGES)
def test_damaged_log_is_named_and_gets_advice_that_works(three, damage):
    log = three.folder / TABLE / "_delta_log"
    LOG_DAMAGES[damage](log / f"{1:020d}.json")
    if damage != "empty":  # Delta's library passes an empty one over
        for read in (lambda lake: lake.newest(DATASET), lambda lake: lake.rows(DATASET, 2)):
            with pytest.raises(DamagedSnapshotError) as caught:
                read(opened_anew(three))
            text = str(caught.value)
            assert f"{1:020d}.json is " in text
            assert f"`factory restore {DATASET}`" in text
            assert "<unknown>" not in text, "a trace of Rust"
            assert "\n" not in text

    restored = restore(opened_anew(three), DATASET, 0 if damage == "empty" else None)

    assert (restored.of_version, restored.snapshot.version) == (0, 3)
    three.lake = opened_anew(three)
    assert three.lake.newest(DATASET) == restored.snapshot
    assert three.rows(3) == [(0,)]
    assert three("select 1 as id", APPEND).snapshot.rows == 2
    assert three.rows(4) == [(0,), (1,)]
    assert three.rows(0) == [(0,)]
    assert {0, 3, 4} <= {one.version for one in three.lake.history(DATASET)}


def test_damaged_newest_commit_is_restored_from_the_one_before(three):
    log = three.folder / TABLE / "_delta_log"
    (log / f"{2:020d}.json").write_text("{")
    restored = restore(opened_anew(three), DATASET)
    assert (restored.of_version, restored.snapshot.version) == (1, 3)
    assert three.rows(3) == [(1,)]


def test_damaged_checkpoint_is_named(publish):
    for number in range(22):
        publish(f"select {number} as id")
    [checkpoint] = (publish.folder / TABLE / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(b"x" * 100)
    with pytest.raises(DamagedSnapshotError, match=rf"{checkpoint.name} is no checkpoint"):
        opened_anew(publish).newest(DATASET)


def test_clock_that_is_set_back_does_not_change_the_order_of_versions(publish, monkeypatch):
    publish("select 1 as id")

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=1)

    monkeypatch.setattr("factory.lake.publishing.datetime", Yesterday)
    second = publish("select 2 as id").snapshot
    assert second.published_at < publish.lake.snapshot(DATASET, 0).published_at
    assert publish.lake.newest(DATASET) == second
    assert [one.version for one in publish.lake.history(DATASET)] == [1, 0]
    assert restore(publish.lake, DATASET).snapshot.version == 2
