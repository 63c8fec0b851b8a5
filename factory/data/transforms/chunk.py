"""`transforms: [{type: chunk}]`."""

import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.digests import sha256_of_json
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Text
from factory.data.documents.formats import missing_packages
from factory.data.documents.model_files import ModelPlace, model_file
from factory.data.documents.outline import parts_of
from factory.data.documents.tokenizer import read_tokenizer
from factory.data.transforms.transform import Transform, TransformContext

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from factory.data.rows import Rows

log = logging.getLogger(__name__)

MADE = ("chunk_id", "document_id", "position", "headings", "text")
"""The columns that chunks have, before those that are kept of their documents."""
_ROWS_AT_ONCE = 200
_ID_DIGITS = 32


class ChunkTransform(Transform):
    """Texts in parts that are not longer than `size`: one row a chunk, in the order of the documents and their texts.

    Chunks have the columns `chunk_id`, `document_id`, `position` (from 0), `headings` (a list, the outermost first), and
    `text`. A chunk whose text stays the same keeps its `chunk_id`, wherever in its document it stands.
    """

    type: Literal["chunk"]
    by: Literal["headings", "sentences"] = "headings"
    """`headings`: the sections of Markdown, of which no two share a chunk; those that are too long are split between their
    paragraphs, sentences and words. Their headings are in `headings` alone. `sentences`: as many paragraphs and sentences
    together as there is room for, headings among them."""
    size: int = Field(default=1000, ge=20, le=1_000_000)
    """The most characters of a chunk; its most tokens, where there is a `tokenizer`."""
    overlap: int = Field(default=0, ge=0)
    """The most characters, or tokens, from the end of a chunk that the next one begins with; a part is split where it must
    be for that."""
    tokenizer: ModelPlace | None = Field(
        default=None, examples=["data/models/minilm", "package:our_models/minilm"]
    )
    """What counts tokens: a tokenizer.json of Hugging Face, or the folder that has it, below one of the platform's
    `data_folders` or in a package. Characters are counted when left out."""
    column: Text = "text"
    """The column of the texts."""
    id: Text = "id"
    """The column that tells the documents apart."""
    keep: ListOf[Text] = Field(default=(), examples=[["uri", "title"]])
    """Columns of the documents that their chunks get too."""

    @rule
    def _installed(self) -> Broken:
        yield from missing_packages(
            "`type: chunk`", ("semantic_text_splitter", "tokenizers"), "type"
        )

    @rule
    def _room_for_more(self) -> Broken:
        if self.overlap >= self.size:
            yield PydanticCustomError(
                "together",
                "`overlap` {overlap} leaves no room in a chunk of `size` {size}",
                {
                    "overlap": self.overlap,
                    "size": self.size,
                    "at": ("overlap",),
                    "advice": "write a smaller one, such as a tenth of `size`",
                },
            )

    @rule
    def _other_columns(self) -> Broken:
        for number, name in enumerate(self.keep):
            if name in MADE:
                yield PydanticCustomError(
                    "together",
                    "chunks have a column {name} of their own",
                    {"name": repr(name), "at": ("keep", number), "advice": "take it away here"},
                )

    def known_columns(self, before: tuple[str, ...] | None) -> tuple[str, ...]:
        """See `Transform.known_columns`."""
        del before
        return (*MADE, *self.keep)

    def apply(self, context: TransformContext) -> "Rows":
        """The chunks of all documents; an empty text has none.

        Raises:
            TerminalError: A column is missing, or there is no tokenizer where it is said to be.
        """
        import pyarrow.parquet as pq

        from factory.data.columns import require_columns

        require_columns(
            [self.id, self.column, *self.keep], list(context.rows.columns), context.what
        )
        splitting = _Splitting(self, context)
        with pq.ParquetFile(context.rows.file) as documents:
            rows = context.write(splitting.chunks(documents))
        if splitting.without_text:
            log.warning(
                "%s: %s of %s documents have no text, and no chunk",
                context.what,
                f"{splitting.without_text:,}",
                f"{splitting.documents:,}",
            )
        return rows


class _Splitting:
    """Splits the documents of one run."""

    def __init__(self, step: ChunkTransform, context: TransformContext) -> None:
        from semantic_text_splitter import MarkdownSplitter, TextSplitter

        kind = MarkdownSplitter if step.by == "headings" else TextSplitter
        if step.tokenizer is None:
            self.splitter = kind(step.size, overlap=step.overlap)
        else:
            file = model_file(step.tokenizer, context.reach.folders, "tokenizer.json")
            self.splitter = kind.from_huggingface_tokenizer(
                read_tokenizer(file), step.size, overlap=step.overlap
            )
        self.step = step
        self.documents = 0
        self.without_text = 0

    def chunks(self, documents: "pq.ParquetFile") -> "Iterator[pa.Table]":
        """The chunks of some documents after the other, the first table without rows."""
        import pyarrow as pa

        step, before = self.step, documents.schema_arrow
        texts, number = pa.string(), pa.int64()
        kinds = (texts, texts, number, pa.list_(texts), texts)
        kept = [before.field(name) for name in step.keep]
        schema = pa.schema([*map(pa.field, MADE, kinds), *kept])
        yield schema.empty_table()
        columns = list(dict.fromkeys((step.id, step.column, *step.keep)))
        for batch in documents.iter_batches(_ROWS_AT_ONCE, columns=columns):
            rows = [chunk for row in batch.to_pylist() for chunk in self.of_row(row)]
            yield pa.Table.from_pylist(rows, schema)

    def of_row(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks of one document."""
        document, text = str(row[self.step.id]), str(row[self.step.column] or "")
        self.documents += 1
        self.without_text += not text.strip()
        kept = {name: row[name] for name in self.step.keep}
        times: Counter[str] = Counter()
        for position, (headings, chunk) in enumerate(self.split(text)):
            times[chunk] += 1
            yield {
                "chunk_id": sha256_of_json([document, chunk, times[chunk]])[:_ID_DIGITS],
                "document_id": document,
                "position": position,
                "headings": list(headings),
                "text": chunk,
                **kept,
            }

    def split(self, text: str) -> Iterator[tuple[tuple[str, ...], str]]:
        """The chunks of a text, each with the headings that it stands under."""
        parts = list(parts_of(text))
        if self.step.by == "headings":
            for part in parts:
                yield from ((part.headings, chunk) for chunk in self.splitter.chunks(part.body))
            return
        starts = [part.start for part in parts]
        for start, chunk in self.splitter.chunk_indices(text):
            yield parts[bisect_right(starts, start) - 1].headings, chunk
