"""Rows as the Parquet files of a Delta table, hashed while they are written.

Delta's library writes such files too, but tells their digests to nobody, and takes what goes into a
commit only before it has written them.
"""

import hashlib
import json
import math
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from factory.base.files import unwritable_explained
from factory.lake.storage.files import Files

FILE_BYTES = 64 * 1024**2
"""A file is ended once it has so many bytes: what `sample` of `verify` reads whole."""

_LONGEST_TEXT = 64
"""Texts that are longer do not go into a file's statistics."""


class DataFiles:
    """The files of one publication; on disk before their commit names them."""

    def __init__(self, files: Files, folder: str, scratch: Path, bytes_needed: int) -> None:
        """Write nothing yet.

        Args:
            files: The lake's files.
            folder: The table's folder, relative to the lake's address.
            scratch: A folder on this machine's disk, for storage that is not.
            bytes_needed: About how much will be written; what a full disk is measured against.
        """
        self._files = files
        self._folder = folder
        self._scratch = scratch
        self._bytes_needed = bytes_needed
        self.added: list[AddAction] = []
        """What the commit is to name."""

    def write(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Write rows; if that fails, what is written of them is removed.

        Raises:
            DiskFullError: There is no room; says how much is missing.
            NotWritableError: The lake's folder cannot be written to.
            StorageError: An object store failed.
        """
        left = iter(batches)
        try:
            while (first := next(left, None)) is not None:
                self._write_one(schema, first, left)
        except BaseException:
            for action in self.added:
                self._files.delete(f"{self._folder}/{action.path}")
            self.added.clear()
            raise

    def _write_one(
        self, schema: pa.Schema, first: pa.RecordBatch, left: Iterator[pa.RecordBatch]
    ) -> None:
        needed = self._bytes_needed - sum(action.size for action in self.added)
        target = self._files.unfinished(self._folder, self._scratch)
        try:
            with unwritable_explained(target.parent, bytes_needed=needed, unfinished=target):
                with (
                    _HashedFile(target) as hashed,
                    pq.ParquetWriter(hashed, schema) as writer,
                ):
                    writer.write_batch(first)
                    while hashed.tell() < FILE_BYTES and (batch := next(left, None)) is not None:
                        writer.write_batch(batch)
                size = target.stat().st_size
                stats = json.dumps(statistics(pq.read_metadata(target)))
                name = f"part-{len(self.added):05}-{uuid.uuid4()}-{hashed.digest}.parquet"
                self._files.keep(target, f"{self._folder}/{name}")
        finally:
            target.unlink(missing_ok=True)
        now = int(time.time() * 1000)
        self.added.append(AddAction(name, size, {}, now, True, stats))  # noqa: FBT003


class _HashedFile:
    """A file that is written from its beginning to its end, and the SHA-256 of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        """The SHA-256 of what has been written."""
        return self._hash.hexdigest()

    @property
    def closed(self) -> bool:
        """Asked by arrow."""
        return self._file.closed

    def write(self, content: bytes) -> int:
        """Write and hash bytes."""
        self._hash.update(content)
        return self._file.write(content)

    def tell(self) -> int:
        """How many bytes have been written."""
        return self._file.tell()

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()

    def readable(self) -> bool:
        """Asked by arrow."""
        return False

    def writable(self) -> bool:
        """Asked by arrow."""
        return True

    def seekable(self) -> bool:
        """Asked by arrow."""
        return False


def statistics(metadata: pq.FileMetaData) -> dict[str, Any]:
    """What Delta keeps of a file: its rows, and of flat columns the nulls, least and greatest values.

    Columns whose values JSON has no exact form for are left out, as Delta allows.
    """
    found: dict[str, Any] = {"numRecords": metadata.num_rows}
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for index in range(metadata.num_columns):
        chunks = [
            metadata.row_group(group).column(index) for group in range(metadata.num_row_groups)
        ]
        name = chunks[0].path_in_schema if chunks else ""
        parts = [chunk.statistics for chunk in chunks]
        # Not `None in parts`: to compare statistics with None ends the process (pyarrow 25).
        if "." in name or any(part is None for part in parts):
            continue
        nulls[name] = sum(part.null_count for part in parts)
        try:
            ranges = [(part.min, part.max) for part in parts if part.has_min_max]
        except (OverflowError, ValueError):
            continue  # a time that Python has no value for
        # Without values, a chunk has no range; with ones that are too long, too.
        if not ranges or len(ranges) < sum(part.num_values > 0 for part in parts):
            continue
        lowest = _json_value(min(low for low, _ in ranges))
        highest = _json_value(max(high for _, high in ranges))
        if lowest is not None and highest is not None:
            least[name], greatest[name] = lowest, highest
    return {**found, "minValues": least, "maxValues": greatest, "nullCount": nulls}


def _json_value(value: Any) -> Any:
    """A value as Delta writes it; None for kinds that are left out."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value if len(value) <= _LONGEST_TEXT else None
        case datetime() if value.tzinfo is not None:
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S.%f}"
        case date():
            return value.isoformat()
        case _:
            return None
