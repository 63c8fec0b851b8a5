"""Images from their source into the workspace: rows in a table, bytes by their hash."""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from factory.data.found_files import Found
from factory.data.images.codec import EXTENSIONS, Header, UnreadableImageError, look
from factory.data.images.labels import LabelReader
from factory.data.images.store import UNREADABLE, ImageStore
from factory.data.rows import Rows, write_pieces, write_rows
from factory.lake import engine

log = logging.getLogger(__name__)

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "label": pa.string(),
        "image": pa.string(),
        "format": pa.string(),
        "width": pa.int64(),
        "height": pa.int64(),
        "bytes": pa.int64(),
    }
)
"""The columns of a dataset of images."""

_ROWS_AT_ONCE = 10_000
_SHOWN = 20


def ingest_images(
    found: Iterator[Found],
    labels: LabelReader,
    *,
    max_pixels: int,
    store: ImageStore,
    file: Path,
) -> Rows:
    """The rows of images, sorted by path.

    One image at a time is in memory. A file that cannot be decoded is a row too, with nulls for
    format, width and height.

    Args:
        found: The images' files.
        labels: What tells their labels.
        max_pixels: An image with more counts as one that cannot be read.
        store: Where bytes go.
        file: The parquet file to make.

    Raises:
        TerminalError: The images cannot be used as they are.
    """
    reading = _Reading(labels, max_pixels, store)
    unsorted = write_pieces(reading.tables(found), "images", file.with_name("images.parquet"))
    try:
        with engine.connect(file.parent) as connection:
            engine.create_view(connection, "images", [unsorted.file])
            # Neither file systems nor archives have an order to rely on.
            return write_rows(connection.table("images").order("path, image"), file)
    finally:
        unsorted.file.unlink()


class _Reading:
    """Makes a row of each file."""

    def __init__(self, labels: LabelReader, max_pixels: int, store: ImageStore) -> None:
        self.max_pixels = max_pixels
        self.store = store
        self.labels = labels
        self.unreadable = 0
        self.unlabelled = 0

    def tables(self, found: Iterator[Found]) -> Iterator[pa.Table]:
        """Tables of some thousand rows."""
        rows = 0
        while batch := [self.row(file) for file in islice(found, _ROWS_AT_ONCE)]:
            yield pa.Table.from_pylist(batch, SCHEMA)
            rows += len(batch)
            log.info("%s images so far", f"{rows:,}")
        self.labels.finish(rows, self.unlabelled)
        if self.unreadable:
            log.warning(
                "%d of %d images cannot be read: their rows have no format, which a check "
                "`readable` finds",
                self.unreadable,
                rows,
            )

    def row(self, found: Found) -> dict[str, Any]:
        header: Header | None = None

        def extension(file: Path) -> str:
            nonlocal header
            header = self.header(found.path, file)
            return EXTENSIONS[header.format] if header else UNREADABLE

        stored = self.store.add(found.content, extension)
        label = self.labels.label(found.path)
        self.unlabelled += label is None
        return {
            "path": found.path,
            "label": label,
            "image": stored.address,
            "format": header.format if header else None,
            "width": header.width if header else None,
            "height": header.height if header else None,
            "bytes": stored.bytes,
        }

    def header(self, path: str, file: Path) -> Header | None:
        try:
            return look(file, self.max_pixels)
        except UnreadableImageError as error:
            self.unreadable += 1
            if self.unreadable <= _SHOWN:
                log.warning("%s cannot be read: %s", path, error)
            return None
