"""Documents from their source into the workspace: rows in a table, bytes by their hash."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.data.documents.formats import format_of, is_missing, needs_extra
from factory.data.documents.readers import Request, UnreadableError
from factory.data.documents.reading import DocumentReader
from factory.data.found_files import Found
from factory.data.rows import Rows, write_pieces, write_rows
from factory.lake import engine

if TYPE_CHECKING:
    from factory.data.images.store import ImageStore

log = logging.getLogger(__name__)

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "uri": pa.string(),
        "title": pa.string(),
        "text": pa.string(),
        "metadata": pa.string(),
        "content_hash": pa.string(),
        "media_type": pa.string(),
        "bytes": pa.int64(),
        "file": pa.string(),
    }
)
"""The columns of a dataset of documents."""

_ROWS_AT_ONCE = 1000
_CHARACTERS_AT_ONCE = 16_000_000
_SHOWN = 20
_ID_DIGITS = 32


@dataclass(frozen=True)
class Manner:
    """How documents are read."""

    encoding: str | None
    """Of those that are text; found for each by itself if None."""
    halts: bool
    """Whether one that cannot be read ends the run; it is left out otherwise."""
    max_pages: int
    max_characters: int
    seconds: int
    """How long one may take."""


class UnreadableDocumentsError(TerminalError):
    """Documents that cannot be read, where that ends the run."""


def ingest_documents(
    found: Iterator[Found], manner: Manner, *, store: "ImageStore", file: Path
) -> Rows:
    """The rows of documents, sorted by `uri`.

    One document at a time is in memory, and the texts of some.

    Args:
        found: The documents' files.
        manner: How they are read.
        store: Where bytes go.
        file: The parquet file to make.

    Raises:
        UnreadableDocumentsError: Some cannot be read, and that ends the run.
        TerminalError: The documents cannot be used as they are.
    """
    with DocumentReader(manner.seconds) as reader:
        reading = _Reading(manner, store, reader)
        unsorted = write_pieces(
            reading.tables(found), "documents", file.with_name("documents.parquet")
        )
    try:
        with engine.connect(file.parent) as connection:
            engine.create_view(connection, "documents", [unsorted.file])
            # Neither file systems nor archives have an order to rely on.
            return write_rows(connection.table("documents").order("uri"), file)
    finally:
        unsorted.file.unlink()


class _Reading:
    """Makes a row of each file."""

    def __init__(self, manner: Manner, store: "ImageStore", reader: DocumentReader) -> None:
        self.manner = manner
        self.store = store
        self.reader = reader
        self.rows = 0
        self.unreadable: list[str] = []

    def tables(self, found: Iterator[Found]) -> Iterator[pa.Table]:
        """Tables of at most some thousand rows, the first of which may be empty."""
        batch: list[dict[str, Any]] = []
        characters = 0
        for file in found:
            if (row := self.row(file)) is None:
                continue
            batch.append(row)
            characters += len(row["text"])
            if len(batch) >= _ROWS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
                yield self.table(batch)
                batch, characters = [], 0
        self.finish()
        yield self.table(batch)

    def table(self, batch: list[dict[str, Any]]) -> pa.Table:
        self.rows += len(batch)
        log.info("%s documents so far", f"{self.rows:,}")
        return pa.Table.from_pylist(batch, SCHEMA)

    def row(self, found: Found) -> dict[str, Any] | None:
        """The row of a file; None for one that cannot be read."""
        suffix = PurePosixPath(found.path).suffix.lower()
        kind = format_of(found.path)
        assert kind is not None  # noqa: S101 - others are left out by their names
        if is_missing(kind.needs):
            raise TerminalError(
                f"{found.uri}: {needs_extra(f'a document in {kind.name}')}, or leave such files out by `formats`"
            )
        stored = self.store.add(found.content, lambda _: suffix.removeprefix("."))
        request = Request(
            str(self.store.folder / stored.address),
            kind.name,
            self.manner.encoding,
            self.manner.max_pages,
            self.manner.max_characters,
        )
        try:
            said = self.reader.read(request)
        except UnreadableError as error:
            self.left_out(f"{found.uri} cannot be read: {error}")
            return None
        if said.doubt:
            log.warning("%s %s", found.uri, said.doubt)
        return {
            "id": sha256(found.uri.encode())[:_ID_DIGITS],
            "uri": found.uri,
            "title": said.title or PurePosixPath(found.path).stem,
            "text": said.text,
            "metadata": json.dumps(said.metadata, ensure_ascii=False, sort_keys=True),
            "content_hash": Path(stored.address).stem,
            "media_type": kind.media_types[suffix],
            "bytes": stored.bytes,
            "file": stored.address,
        }

    def left_out(self, why: str) -> None:
        self.unreadable.append(why)
        if not self.manner.halts:
            log.warning("%s: it is left out", why)
        elif len(self.unreadable) >= _SHOWN:
            self.finish()

    def finish(self) -> None:
        """Say which documents were left out.

        Raises:
            UnreadableDocumentsError: There are some, and that ends the run.
        """
        if not self.unreadable:
            return
        if self.manner.halts:
            raise UnreadableDocumentsError(
                "\n".join(self.unreadable)
                + "\nCorrect these files, take them away, or write `on_doubt: warn`, which leaves them out"
            )
        log.warning("%d documents cannot be read and are left out", len(self.unreadable))
