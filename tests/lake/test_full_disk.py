"""Disks that are full or read-only: the earlier snapshot stays, and the message says what is missing."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.base.files import DiskFullError, NotWritableError
from factory.base.workspace import open_workspace
from factory.lake import publishing
from factory.lake.table import Lake
from tests.data.rows import read_snapshot, rows_of
from tests.lake.publisher import DATASET, REPLACE, TWO_ROWS

BIG = "select i as id, md5(i::varchar) as name from range({}) t(i)"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if (
        mount is None
        or subprocess.run([mount, *options], capture_output=True, check=False).returncode
    ):
        pytest.skip("a disk of its own needs the right to mount one")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def small_files() -> Iterator[int]:
    """This process may write no file of more than 300 kB, whoever it is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield 300_000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_leaves_the_earlier_snapshot_and_says_how_much_is_missing(tmp_path, small_disk):
    lake = Lake((small_disk / "lake").as_uri())
    two, big = rows_of(TWO_ROWS, tmp_path, "two"), rows_of(BIG.format(100_000), tmp_path, "big")
    first = publishing.publish(lake, DATASET, two.file, REPLACE, run_id="1").snapshot

    with pytest.raises(DiskFullError) as caught:
        publishing.publish(lake, DATASET, big.file, REPLACE, run_id="2")

    missing = re.search(r"about ([\d.]+) MB more are needed", str(caught.value))
    expected = (big.file.stat().st_size - shutil.disk_usage(small_disk).free) / 1e6
    assert float(missing[1]) == pytest.approx(expected, rel=0.1)
    assert str(small_disk / "lake" / "marine" / "penguins") in str(caught.value)
    assert lake.newest(DATASET) == first
    assert read_snapshot(lake, DATASET, 0) == [(1, "a"), (2, "b")]
    data = [file.name for file in (small_disk / "lake/marine/penguins").iterdir() if file.is_file()]
    assert len(data) == 1, "what did not fit is taken away"
    # With room again, the same run goes on.
    again = publishing.publish(lake, DATASET, two.file, REPLACE, run_id="2")
    assert again.snapshot == first


def test_commit_that_finds_no_room_leaves_the_earlier_snapshot(tmp_path, small_disk):
    lake = Lake((small_disk / "lake").as_uri())
    two, three = rows_of(TWO_ROWS, tmp_path, "two"), rows_of("select 3 as id", tmp_path, "three")
    first = publishing.publish(lake, DATASET, two.file, REPLACE, run_id="1").snapshot
    # Room for the data, and none for the commit, which has more text than this row.
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(free - 4096))
    with pytest.raises(DiskFullError):
        publishing.publish(lake, DATASET, three.file, REPLACE, run_id="2")
    (small_disk / "filler").unlink()
    assert lake.newest(DATASET) == first
    assert publishing.publish(lake, DATASET, three.file, REPLACE, run_id="2").snapshot.version == 1


def test_file_that_may_not_be_that_large_leaves_the_earlier_snapshot(
    tmp_path, small_files, publish
):
    first = publish(TWO_ROWS).snapshot
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, limits[1]))
    big = rows_of(BIG.format(100_000), tmp_path, "big").file
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with pytest.raises(DiskFullError, match="no file may be that large here"):
        publishing.publish(publish.lake, DATASET, big, REPLACE, run_id="big")
    assert publish.lake.newest(DATASET) == first
    assert publish.rows(0) == [(1, "a"), (2, "b")]


def test_full_workspace_is_no_trace(tmp_path, small_files):
    with pytest.raises(DiskFullError, match=r"big.parquet cannot be written"):
        rows_of(BIG.format(100_000), tmp_path, "big")
    assert list(tmp_path.glob(".unfinished-*")) == []


@pytest.fixture
def read_only(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that this process cannot write to."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        return folder
    disk = request.getfixturevalue("small_disk")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return disk


def test_lake_in_a_read_only_folder_is_named(tmp_path, read_only):
    rows = rows_of(TWO_ROWS, tmp_path, "two")
    with pytest.raises(NotWritableError, match=r"marine/penguins cannot be written \(.*`storage`"):
        publishing.publish(
            Lake((read_only / "lake").as_uri()), DATASET, rows.file, REPLACE, run_id="1"
        )


def test_workspace_in_a_read_only_folder_is_named(read_only):
    with pytest.raises(NotWritableError, match=r"cannot be written \(.*`workspace`"):
        open_workspace(read_only, "marine.penguins", "manual__1")
