"""How a snapshot comes to be: planned on the newest one, committed only if that still is newest."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, TableFeatures, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions
from duckdb import DuckDBPyConnection, DuckDBPyRelation
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from factory.base.files import unwritable_explained
from factory.lake import engine
from factory.lake.data_files import DataFiles
from factory.lake.engine import columns_of, quote
from factory.lake.fingerprint import Fingerprint, fingerprint, schema_hash
from factory.lake.fitting import check_keys, evolved, fit
from factory.lake.snapshot import (
    AlreadyAppendedError,
    LakeError,
    NoSnapshotError,
    Snapshot,
)
from factory.lake.table import Lake, data_files
from factory.lake.taken_files import check_after
from factory.lake.write import Evolve, Write

_ATTEMPTS = 50

_TABLE = {
    # Old commit files describe old snapshots, which stay readable.
    "delta.enableExpiredLogCleanup": "false",
    # Opening a table reads every commit since the last checkpoint, from S3 one request each; by
    # default that is every hundredth commit.
    "delta.checkpointInterval": "20",
}

# What a table must be able to do before it has a column without a time zone.
_WITHOUT_ZONE = "timestampNtz"


class _OvertakenError(LakeError):
    """Somebody else has published since this attempt began."""


@dataclass(frozen=True)
class _Base:
    """What a new snapshot is built upon."""

    table: DeltaTable
    snapshot: Snapshot
    content: Fingerprint
    note: Mapping[str, Any]


@dataclass(frozen=True)
class _Draft:
    """A snapshot that is not committed yet."""

    snapshot: Snapshot
    content: Fingerprint
    added: str
    """The content hash of the new rows alone: tells a retry from a run with other rows."""


@dataclass(frozen=True)
class Publication:
    """What publishing came to."""

    snapshot: Snapshot
    changed: bool
    """Whether consumers should hear of it."""


def publish(
    lake: Lake,
    dataset: str,
    rows: Path,
    write: Write,
    *,
    run_id: str,
    emit_unchanged: bool = False,
    evolve: Evolve | None = None,
    source: Mapping[str, Any] | None = None,
    origin: Mapping[str, Any] | None = None,
    incremental: Mapping[str, Any] | None = None,
) -> Publication:
    """Publish prepared rows as a new snapshot; readers see all of it or nothing.

    Publishing what the newest snapshot already contains makes no new version and is not a
    change; with `emit_unchanged` it makes no version either, but counts as a change. A run that
    publishes the same rows again (a retry after the commit) gets the snapshot that it made,
    as a change, since its event may not have gone out. Publishers that meet each other go
    one after the other.

    Args:
        lake: Where to.
        dataset: The full name, `team.dataset`.
        rows: A parquet file in the lake's types, as `factory.data.rows.write_rows` makes it.
        write: Whether the rows replace, append to or merge with the published ones.
        run_id: The run that publishes.
        emit_unchanged: Whether consumers should hear of unchanged content.
        evolve: What may differ from the newest snapshot's columns: see `Write.evolution`. Nothing for rows that are
            appended or merged, and all for others, when left out.
        source: What the next run should know of how the rows were read, as JSON.
        origin: What people should know later of where the rows come from, as JSON.
        incremental: What the snapshot keeps of how far its source was read, as `factory.data.incremental` has it. Its
            `after` is the version that the rows are new to.

    Raises:
        SourceOvertakenError: when another version is the newest than the rows are new to.
        SchemaMismatchError: when rows do not fit the published ones.
        MergeKeyError: when keys are null or not unique among the new rows.
        AlreadyAppendedError: when this run has already appended other rows.
        DamagedSnapshotError: when the published rows that stay are not whole any more.
        DiskFullError: when there is no room; the earlier snapshot stays the newest.
        LakeError: when others kept on publishing all the time, or storage failed.
    """
    with engine.connect(rows.parent) as connection:
        engine.create_view(connection, "source", [rows])
        what_may_change = evolve if evolve is not None else write.evolution(declared=True)
        request = _Request(write, run_id, what_may_change, source, origin, incremental)
        publisher = _Publisher(lake, dataset, request, rows, connection)
        for attempt in Retrying(
            retry=retry_if_exception_type(_OvertakenError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random(0, 0.5),
            reraise=True,
        ):
            with attempt:
                return publisher.attempt(emit_unchanged=emit_unchanged)
    raise AssertionError("unreachable: the last attempt raises")


@dataclass(frozen=True)
class _Request:
    """What is asked for: see `publish`."""

    write: Write
    run_id: str
    evolve: Evolve | None
    source: Mapping[str, Any] | None
    origin: Mapping[str, Any] | None
    incremental: Mapping[str, Any] | None


class _Publisher:
    """One publication; every attempt starts from what is newest by then."""

    def __init__(
        self,
        lake: Lake,
        dataset: str,
        request: _Request,
        file: Path,
        connection: DuckDBPyConnection,
    ) -> None:
        self.lake = lake
        self.dataset = dataset
        self.write = request.write
        self.run_id = request.run_id
        self.evolve = request.evolve
        self.source = request.source
        self.origin = request.origin
        self.incremental = request.incremental
        self.file = file
        self.connection = connection
        self.prepared = connection.table("source")
        self.viewed: set[str] = set()
        self.fingerprint = lru_cache(lambda columns: fingerprint(self._as(dict(columns))))

    def attempt(self, *, emit_unchanged: bool) -> Publication:
        base = self._base()
        columns = self._columns(base)
        draft = self._draft(base, columns)
        if base is not None:
            earlier = self._committed_before(base, draft)
            if earlier is not None:
                return Publication(earlier, changed=True)
        if self.incremental is not None and self.write.mode != "replace":
            newest = None if base is None else base.snapshot.version
            note = {} if base is None else base.note
            check_after(self.dataset, self.run_id, self.incremental["after"], newest, note)
        same = base is not None and draft.snapshot.content_hash == base.snapshot.content_hash
        if base is not None and same and self.incremental is None:
            return Publication(base.snapshot, changed=emit_unchanged)
        # Rows that change nothing were read too: the commit says so.
        self._commit(base, draft)
        return Publication(draft.snapshot, changed=not same or emit_unchanged)

    def _base(self) -> _Base | None:
        try:
            table = self.lake.table(self.dataset)
        except NoSnapshotError:
            return None
        snapshot, note = self.lake.published(self.dataset, table.version())
        content = Fingerprint(snapshot.rows, int(note["lower"]), int(note["upper"]))
        return _Base(table, snapshot, content, note)

    def _columns(self, base: _Base | None) -> dict[str, str]:
        """The new snapshot's columns: the published ones, as far as they may not change."""
        if base is None or self.evolve is None:
            return columns_of(self.prepared)
        return evolved(self.prepared, base.snapshot.columns, self.evolve, self.dataset)

    def _as(self, columns: dict[str, str]) -> DuckDBPyRelation:
        return fit(self.prepared, columns)

    def _draft(self, base: _Base | None, columns: dict[str, str]) -> _Draft:
        new = self.fingerprint(tuple(columns.items()))
        if self.write.keys:
            check_keys(self._as(columns), self.write.keys, self.dataset)
        if base is None or self.write.mode == "replace":
            content = new
        elif columns != base.snapshot.columns:
            content = fingerprint(self._kept(base, columns)) + new
        elif self.write.mode == "append":
            content = base.content + new
        else:
            content = base.content - self._replaced(base, columns) + new
        snapshot = Snapshot(
            dataset=self.dataset,
            uri=self.lake.uri(self.dataset),
            version=0 if base is None else base.table.version() + 1,
            rows=content.rows,
            columns=columns,
            schema_hash=schema_hash(columns),
            content_hash=content.content_hash(columns),
            published_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        return _Draft(snapshot, content, new.content_hash(columns))

    def _replaced(self, base: _Base, columns: dict[str, str]) -> Fingerprint:
        """The published rows whose keys come again."""
        return fingerprint(self._published(base, columns, "semi"))

    def _kept(self, base: _Base, columns: dict[str, str]) -> DuckDBPyRelation:
        """The published rows that stay, in the new columns."""
        if self.write.mode == "append":
            return fit(self._all_published(base), columns)
        return fit(self._published(base, columns, "anti"), columns)

    def _published(
        self, base: _Base, columns: dict[str, str], join: Literal["semi", "anti"]
    ) -> DuckDBPyRelation:
        """The published rows that have new rows with their keys, or those that have none."""
        published = self._all_published(base).set_alias("published")
        matches = " and ".join(f"published.{quote(k)} = new.{quote(k)}" for k in self.write.keys)
        return published.join(self._as(columns).set_alias("new"), matches, join)

    def _all_published(self, base: _Base) -> DuckDBPyRelation:
        name = f"version_{base.table.version()}"
        if name not in self.viewed:
            rows = self.lake.rows(self.dataset, base.table.version())
            engine.create_view(self.connection, name, rows)
            self.viewed.add(name)
        return self.connection.table(name)

    def _adds_files(self, base: _Base | None, draft: _Draft) -> bool:
        """Whether the published rows stay where they are."""
        same = base is not None and draft.snapshot.columns == base.snapshot.columns
        return self.write.mode == "append" and same

    def _committed_before(self, base: _Base, draft: _Draft) -> Snapshot | None:
        """The snapshot that an earlier try of this run has made of the same rows."""
        version = base.table.transaction_version(self._transaction)
        if version is None:
            return None
        snapshot, note = self.lake.published(self.dataset, version)
        if note["added"] == draft.added:
            return snapshot
        if self.write.mode == "append":
            raise AlreadyAppendedError(
                f"{self.dataset}: run {self.run_id} has appended its rows already, as version "
                f"{version}, and comes with other rows now; appending them too would leave both. "
                "Start a new run to append more, or publish once with `mode: replace`"
            )
        return None

    def _commit(self, base: _Base | None, draft: _Draft) -> None:
        relation = self._rows(base, draft)
        stream = engine.batches(relation, f"publishing {self.dataset}")
        # As deltalake keeps it: DuckDB's own batches leave some of what arrow knows out.
        schema = Schema.from_arrow(stream.schema)
        self._teach(base, schema)
        adds = self._adds_files(base, draft)
        added = self._write_files(base, stream, adds=adds)
        with _failures_of(self.lake, self.dataset, creating=base is None):
            if base is None:
                create_table_with_add_actions(
                    self.lake.uri(self.dataset),
                    schema,
                    added,
                    mode="error",
                    configuration=_TABLE,
                    storage_options=self.lake.storage_options,
                    commit_properties=self._properties(draft),
                )
            else:
                base.table.create_write_transaction(
                    list(added),
                    "append" if adds else "overwrite",
                    schema,
                    commit_properties=self._properties(draft),
                )

    def _teach(self, base: _Base | None, schema: Schema) -> None:
        """Have a table of before times without a zone learn of them.

        That is a version without a snapshot of its own, so the publication starts anew on it.
        """
        if base is None or "timestamp_ntz" not in schema.to_json():
            return
        if _WITHOUT_ZONE in (base.table.protocol().writer_features or ()):
            return
        with _failures_of(self.lake, self.dataset, creating=False):
            base.table.alter.add_feature(
                TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True
            )
        raise _OvertakenError(f"{self.dataset}: the table has learnt of times without a zone")

    def _write_files(
        self, base: _Base | None, stream: pa.RecordBatchReader, *, adds: bool
    ) -> list[AddAction]:
        """The files of the new rows; the base that they go beside is looked at first."""
        needed = self.file.stat().st_size
        if base is not None and adds:
            self.lake.check_sizes(self.dataset, base.table)
        elif base is not None and self.write.mode != "replace":
            needed += sum(file.bytes for file in data_files(base.table))
        folder = self.dataset.replace(".", "/")
        data = DataFiles(self.lake.files, folder, self.file.parent, needed)
        with self.lake.reached(self.dataset):
            data.write(stream.schema, stream)
        return data.added

    def _rows(self, base: _Base | None, draft: _Draft) -> DuckDBPyRelation:
        """The rows to write.

        A merge, and a change of columns, write the whole table anew: Delta's own merge leaves files alone that no key is in,
        but holds the new rows in memory (3 GB for ten million), where DuckDB's join spills.
        """
        new = self._as(draft.snapshot.columns)
        is_alone = base is None or self.write.mode == "replace" or self._adds_files(base, draft)
        if base is None or is_alone:
            return new
        return self._kept(base, draft.snapshot.columns).union(new)

    def _properties(self, draft: _Draft) -> CommitProperties:
        described = draft.snapshot.as_event()
        # The address may change when a lake is moved; it is known where the commit is found.
        del described["uri"], described["dataset"]
        note = {
            "snapshot": described,
            "lower": str(draft.content.lower),
            "upper": str(draft.content.upper),
            "added": draft.added,
            "run_id": self.run_id,
            **({"source": self.source} if self.source else {}),
            **({"origin": self.origin} if self.origin else {}),
            **({"incremental": self.incremental} if self.incremental else {}),
        }
        return CommitProperties(
            custom_metadata={"factory": note},
            # No retry inside: the note holds for this base and no other.
            max_commit_retries=0,
            app_transactions=[Transaction(self._transaction, draft.snapshot.version)],
        )

    @property
    def _transaction(self) -> str:
        return f"run:{self.run_id}"


@contextmanager
def _failures_of(lake: Lake, dataset: str, *, creating: bool) -> Iterator[None]:
    overtaken = f"{dataset}: others kept on publishing to {lake.uri(dataset)}; run it again"
    log = Path(lake.uri(dataset).removeprefix("file://")) / "_delta_log"
    try:
        with lake.reached(dataset), unwritable_explained(log):
            yield
    except CommitFailedError as error:
        raise _OvertakenError(overtaken) from error
    except DeltaError as error:
        if creating and DeltaTable.is_deltatable(lake.uri(dataset), lake.storage_options):
            raise _OvertakenError(overtaken) from error
        raise LakeError(
            f"{dataset} could not be written to {lake.uri(dataset)}: {error}"
        ) from error
