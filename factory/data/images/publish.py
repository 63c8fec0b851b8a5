"""The bytes of new pictures into the lake, before the table that names them."""

import logging
from collections.abc import Collection, Iterator

import duckdb

from factory.base.parallel import in_order
from factory.data.images.store import ADDRESS
from factory.data.sql import Rows
from factory.lake import engine
from factory.lake.engine import literal, quote
from factory.lake.snapshot import NoSnapshotError
from factory.lake.table import Lake

log = logging.getLogger(__name__)

_AT_ONCE = 8
_REPORTED = 1000


def publish_images(dataset: str, rows: Rows, lake: Lake) -> int:
    """Bring the bytes that rows name and that this run has made into the lake.

    What the lake has stays as it is: bytes that the newest snapshot names are there, and of others
    the lake is asked. After a failure in the middle, the next try goes on where this one stopped.

    Args:
        dataset: The full name, `team.dataset`.
        rows: The rows that are about to be published; new bytes lie beside their file.
        lake: Where to.

    Returns:
        How many files were uploaded.
    """
    folder = rows.file.parent / "files"
    if not folder.is_dir():
        return 0
    new = (name for name in _named(dataset, rows, lake) if (folder / name).is_file())
    uploaded = known = size = 0

    def upload(address: str) -> int:
        if lake.files.exists(address):
            return -1
        lake.files.upload(folder / address, address)
        return (folder / address).stat().st_size

    for _, count in in_order(new, upload, at_once=_AT_ONCE):
        if count < 0:
            known += 1
            continue
        uploaded, size = uploaded + 1, size + count
        if uploaded % _REPORTED == 0:
            log.info("%s: %s pictures uploaded so far", dataset, f"{uploaded:,}")
    log.info(
        "%s: %s new pictures uploaded (%s bytes); %s more were there already",
        dataset,
        f"{uploaded:,}",
        f"{size:,}",
        f"{known:,}",
    )
    return uploaded


def _named(dataset: str, rows: Rows, lake: Lake) -> Iterator[str]:
    """The addresses in the rows that the newest snapshot does not name, each once."""
    columns = [name for name, kind in rows.columns.items() if kind == "VARCHAR"]
    with engine.connect(rows.file.parent) as connection:
        engine.create_view(connection, "source", [rows.file])
        before = _view_newest(connection, dataset, lake)
        for column in columns:
            found = _addresses(connection.table("source"), column)
            if column in before:
                found = found.except_(_addresses(connection.table("published"), column))
            for batch in found.order("address").to_arrow_reader(10_000):
                yield from batch.column(0).to_pylist()


def _view_newest(
    connection: duckdb.DuckDBPyConnection, dataset: str, lake: Lake
) -> Collection[str]:
    """Make the newest snapshot readable as `published`, and say which columns it has."""
    try:
        newest = lake.newest(dataset)
    except NoSnapshotError:
        return ()
    engine.create_view(connection, "published", lake.rows(dataset, newest.version))
    return newest.columns


def _addresses(rows: duckdb.DuckDBPyRelation, column: str) -> duckdb.DuckDBPyRelation:
    name = quote(column)
    return (
        rows.filter(f"regexp_full_match({name}::varchar, {literal(ADDRESS)})")
        .project(f"{name} as address")
        .distinct()
    )
