"""A lake that an earlier release wrote: `marine.penguins` as `factory demo` of commit e7f26bd left it."""

import shutil
from pathlib import Path

import pytest

from factory.lake import publishing
from factory.lake.table import Lake
from factory.lake.write import Write
from tests.data.rows import rows_of
from tests.lake.publisher import APPEND, DATASET, REPLACE

EARLIER = Path(__file__).parent / "earlier"
SAME = "select * from read_parquet('{folder}/lake/marine/penguins/*.parquet')"


@pytest.fixture
def lake(tmp_path) -> Lake:
    shutil.copytree(EARLIER, tmp_path / "lake")
    return Lake((tmp_path / "lake").as_uri())


def published(lake: Lake, folder: Path, query: str, write: Write, run_id: str = "a later run"):
    file = rows_of(query.format(folder=folder), folder).file
    return publishing.publish(lake, DATASET, file, write, run_id=run_id)


def test_its_snapshots_are_read(lake):
    [snapshot] = lake.history(DATASET)
    assert snapshot == lake.newest(DATASET)
    assert (snapshot.version, snapshot.rows) == (0, 333)
    assert snapshot.columns["body_mass_g"] == "DOUBLE"
    assert snapshot.content_hash.startswith("74de2fc37a8c")
    assert lake.scan(DATASET, 0).count_rows() == 333


def test_the_same_content_is_still_no_change(lake, tmp_path):
    publication = published(lake, tmp_path, SAME, REPLACE)
    assert not publication.changed
    assert publication.snapshot == lake.newest(DATASET)


def test_it_is_replaced_and_the_old_snapshot_stays(lake, tmp_path):
    fewer = published(lake, tmp_path, SAME + " where year = 2007", REPLACE).snapshot
    assert (fewer.version, lake.newest(DATASET)) == (1, fewer)
    assert lake.scan(DATASET, 0).count_rows() == 333


def test_rows_are_appended_to_it(lake, tmp_path):
    longer = published(lake, tmp_path, SAME + " limit 3", APPEND).snapshot
    assert (longer.version, longer.rows) == (1, 336)


def test_a_run_that_published_it_is_known_when_it_tries_again(lake, tmp_path):
    first = "scheduled__2026-11-26T00:00:00+00:00"
    publication = published(lake, tmp_path, SAME, REPLACE, run_id=first)
    assert (publication.snapshot.version, publication.changed) == (0, True)
