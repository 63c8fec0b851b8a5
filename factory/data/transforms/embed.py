"""`transforms: [{type: embed}]`."""

import logging
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Literal

from factory.base.section import Text
from factory.data.embedders.embedder import AnyEmbedder, EmbedContext, EmbedError
from factory.data.transforms.transform import Transform, TransformContext

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from factory.data.embedders.embedder import Embedding
    from factory.data.embedders.kept_vectors import KeptVectors
    from factory.data.rows import Rows

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1000


class EmbedTransform(Transform):
    """The rows with a vector of each text: a column `vector`, and `vector_model`, which tells what made it.

    A text that an earlier run of the dataset has embedded is not embedded again. An empty text has a vector of zeros.
    """

    type: Literal["embed"]
    embedder: AnyEmbedder
    """What makes the vectors."""
    column: Text = "text"
    """The column of the texts."""
    into: Text = "vector"
    """The new column; what made the vectors is in one more with `_model` after its name."""

    def describe(self) -> str:
        """See `Transform.describe`."""
        return f"embed by {self.embedder.type}"

    def known_columns(self, before: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """See `Transform.known_columns`."""
        return None if before is None else (*before, *self._made)

    @property
    def _made(self) -> tuple[str, str]:
        return self.into, f"{self.into}_model"

    def apply(self, context: TransformContext) -> "Rows":
        """The rows with their vectors.

        Raises:
            TerminalError: A column is missing or there already, or the embedder cannot be used.
            FactoryError: Not all texts could be embedded now; those that were are kept.
        """
        import pyarrow.parquet as pq

        from factory.data.columns import require_columns

        columns = list(context.rows.columns)
        require_columns([self.column], columns, context.what)
        if there := [name for name in self._made if name in columns]:
            raise EmbedError(
                f"{context.what}: the rows have a column {there[0]!r} already: write another name in `into`, or leave it "
                "out before"
            )
        with pq.ParquetFile(context.rows.file) as file:
            return context.write(_embedded(self, file, context))


def _embedded(
    step: EmbedTransform, file: "pq.ParquetFile", context: TransformContext
) -> "Iterator[pa.Table]":
    """The rows with their vectors, some at a time, the first table without rows."""
    from factory.data.embedders.kept_vectors import KeptVectors
    from factory.data.images.store import ImageStore

    store = ImageStore(context.file.parent, context.team, context.lake)
    given = EmbedContext(context.what, store, context.reach)
    dataset = context.reach.dataset if step.embedder.keeps else None
    decided_by = step.embedder.kept_as(given) if step.embedder.keeps else None
    kept = KeptVectors(context.lake, dataset, decided_by, context.file.parent)
    texts = _NewTexts(file, step.column, kept)
    with closing(step.embedder.start(texts, given)) as embedding:
        try:
            new = texts.embed(embedding)
        finally:
            kept.flush()
        log.info(
            "%s: %s texts are new and were embedded, %s are known from earlier runs",
            context.what,
            f"{new:,}",
            f"{len(texts.used) - new:,}",
        )
        size = embedding.size or kept.size
        if size is None:
            raise EmbedError(
                f"{context.what}: there is no text, and so nothing tells how many numbers a vector has: write "
                "`dimensions`, or take such rows out before"
            )
        yield from _with_vectors(step, file, kept, size, embedding.model)
    kept.finish(texts.used)


class _NewTexts:
    """The different texts of a column that nobody has embedded yet; gone through as often as one likes."""

    def __init__(self, file: "pq.ParquetFile", column: str, kept: "KeptVectors") -> None:
        self.file = file
        self.column = column
        self.kept = kept
        self.used: set[str] = set()
        """The hashes of all texts, once they have been gone through."""

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in self.with_hashes())

    def with_hashes(self) -> Iterator[tuple[str, str]]:
        from factory.data.embedders.kept_vectors import text_hash

        seen: set[str] = set()
        for batch in self.file.iter_batches(_ROWS_AT_ONCE, columns=[self.column]):
            for text in _texts(batch.column(0)):
                key = text_hash(text)
                if text.strip() and key not in seen:
                    seen.add(key)
                    if key not in self.kept:
                        yield key, text
        self.used = seen

    def embed(self, embedding: "Embedding") -> int:
        """Embed them, and say how many they were."""
        new, left = 0, self.with_hashes()
        while some := list(islice(left, embedding.at_once)):
            vectors = embedding.embed([text for _, text in some])
            if self.kept.size not in (None, vectors.shape[1]):
                raise EmbedError(
                    f"vectors have {vectors.shape[1]:,} numbers now, and had {self.kept.size:,} before: the model "
                    "behind this name is another one. Name it as it is called, or write `dimensions`"
                )
            self.kept.add([key for key, _ in some], vectors)
            new += len(some)
        return new


def _with_vectors(
    step: EmbedTransform, file: "pq.ParquetFile", kept: "KeptVectors", size: int, model: str
) -> "Iterator[pa.Table]":
    import numpy as np
    import pyarrow as pa

    from factory.data.embedders.kept_vectors import text_hash

    into, named = step.into, f"{step.into}_model"
    nothing = np.zeros(size, np.float32)
    kinds = [pa.field(into, pa.list_(pa.float32(), size)), pa.field(named, pa.string())]
    schema = pa.schema([*file.schema_arrow, *kinds])
    yield schema.empty_table()
    for batch in file.iter_batches(_ROWS_AT_ONCE):
        texts = _texts(batch.column(batch.schema.get_field_index(step.column)))
        found = kept.of([text_hash(text) for text in texts])
        numbers = np.concatenate([nothing if one is None else one for one in found])
        vectors = pa.FixedSizeListArray.from_arrays(numbers, size)
        models = pa.array([model] * len(batch), pa.string())
        yield pa.Table.from_arrays([*batch.columns, vectors, models], schema=schema)


def _texts(column: "pa.Array") -> list[str]:
    return ["" if text is None else str(text) for text in column.to_pylist()]
