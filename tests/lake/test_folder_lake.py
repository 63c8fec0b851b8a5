"""Lakes in folders: what object stores do not have."""

import contextlib
import signal
import subprocess

import pytest

from factory.lake import engine, publishing
from factory.lake.fingerprint import fingerprint
from factory.lake.snapshot import LakeError
from tests.data.rows import lake_in, rows_of
from tests.lake.publisher import DATASET, REPLACE, TWO_ROWS, Publisher, in_process


def test_storage_may_have_spaces_and_umlauts_in_its_path(tmp_path):
    folder = tmp_path / "große daten 100%"
    folder.mkdir()
    publish = Publisher(folder)
    version = publish(TWO_ROWS).snapshot.version
    files = publish.lake.rows(DATASET, version)
    assert all(file.is_file() for file in files)
    assert publish.rows(version) == [(1, "a"), (2, "b")]


def test_storage_that_deltas_library_breaks_on_is_refused(tmp_path):
    with pytest.raises(LakeError, match=r"breaks on \[ \]"):
        lake_in(tmp_path / "data[1]")


@pytest.mark.nightly
def test_killed_publisher_leaves_the_earlier_snapshot_newest(publish):
    first = publish(TWO_ROWS).snapshot
    big = rows_of(
        "select i as id, md5(i::varchar) as name from range(3000000) t(i)", publish.folder, "big"
    )
    data = publish.folder / "lake" / "marine" / "penguins"
    before = set(data.glob("*.parquet"))
    process = in_process(publish.lake, big.file, write=REPLACE)
    # Once its data lies there and the commit does not, the process dies.
    while process.poll() is None and not set(data.glob("*.parquet")) - before:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert set(data.glob("*.parquet")) - before, "it died before it wrote anything"
    assert publish.lake.newest(DATASET) == first
    assert publish.rows(0) == [(1, "a"), (2, "b")]
    assert (
        publishing.publish(publish.lake, DATASET, big.file, REPLACE, run_id="big").snapshot.rows
        == 3_000_000
    )


def test_arrow_and_files_give_the_same_rows(publish):
    version = publish("select i as id, 'n' || i as name from range(1000) t(i)").snapshot.version
    with engine.connect(publish.folder) as connection:
        engine.create_view(connection, "a.files", publish.lake.rows(DATASET, version))
        engine.create_view(connection, "a.arrow", publish.lake.scan(DATASET, version))
        one, other = (connection.sql(f"select * from a.{name}") for name in ("files", "arrow"))
        assert fingerprint(one) == fingerprint(other)
