"""Checked rows into the lake, after the bytes of the images and documents that they name, and what consumers are told."""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from factory.base.parallel import in_order
from factory.data.checks.report import CheckReport
from factory.data.images.store import ADDRESS
from factory.data.rows import Rows
from factory.lake import engine, publishing
from factory.lake.engine import literal, quote
from factory.lake.snapshot import NoSnapshotError, Snapshot
from factory.lake.table import Lake
from factory.lake.write import Evolve, Write

log = logging.getLogger(__name__)

_AT_ONCE = 8
_YOUNG = 60 * 60.0
"""Seconds for which bytes in the lake are safe from being taken for forgotten: less than any grace period."""
_REPORTED = 1000


@dataclass(frozen=True)
class PublishedRows:
    """What publishing came to."""

    snapshot: Snapshot
    changed: bool
    """Whether an event is to be emitted."""
    event: dict[str, Any]
    """The asset event's extra: the snapshot (see `Snapshot.from_event`) and `checks`."""


def publish(
    dataset: str,
    rows: Rows,
    write: Write,
    *,
    lake: Lake,
    run_id: str,
    report: CheckReport,
    emit_unchanged: bool = False,
    evolve: Evolve | None = None,
    source: Mapping[str, Any] | None = None,
    origin: Mapping[str, Any] | None = None,
    incremental: Mapping[str, Any] | None = None,
) -> PublishedRows:
    """Publish rows whose checks passed; see `factory.lake.publishing` for what counts as a change.

    The bytes of new images go first, so that no snapshot names what is not there.

    Args:
        dataset: The full name, `team.dataset`.
        rows: The rows that were checked.
        write: How they meet the published ones.
        lake: Where to.
        run_id: The run that publishes; a retry of it publishes once.
        report: What the checks found.
        emit_unchanged: Whether consumers should hear of unchanged content.
        evolve: What may differ from the newest snapshot's columns: see `Write.evolution`.
        source: How the rows were read: see `factory.data.sources.pinned`.
        origin: Where the rows come from, for people; kept with the snapshot beside what the checks found.
        incremental: How far their source was read: see `factory.data.incremental`.

    Raises:
        LakeError: when the rows cannot be published.
        StorageError: when images cannot be uploaded; the next try goes on from there.
    """
    publish_images(dataset, rows, lake)
    publication = publishing.publish(
        lake,
        dataset,
        rows.file,
        write,
        run_id=run_id,
        emit_unchanged=emit_unchanged,
        evolve=evolve,
        source=source,
        origin={**(origin or {}), "checks": report.as_event()},
        incremental=incremental,
    )
    snapshot = publication.snapshot
    log.info(
        "%s: %s version %d with %s rows (%s)",
        dataset,
        "published" if publication.changed else "unchanged, still",
        snapshot.version,
        f"{snapshot.rows:,}",
        snapshot.uri,
    )
    event = {**snapshot.as_event(), "checks": report.as_event()}
    return PublishedRows(snapshot, publication.changed, event)


def publish_images(dataset: str, rows: Rows, lake: Lake) -> int:
    """Bring the images' bytes that rows name and that this run has made into the lake.

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
        there = lake.files.facts(address)
        # What no snapshot names yet may be taken away once it is old: `factory.cleaning.unnamed_files`.
        if there is not None and time.time() - there.modified < _YOUNG:
            return -1
        lake.files.upload(folder / address, address)
        return (folder / address).stat().st_size

    for _, count in in_order(new, upload, at_once=_AT_ONCE):
        if count < 0:
            known += 1
            continue
        uploaded, size = uploaded + 1, size + count
        if uploaded % _REPORTED == 0:
            log.info("%s: %s files uploaded so far", dataset, f"{uploaded:,}")
    log.info(
        "%s: %s new files uploaded (%s bytes); %s more were there already",
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
