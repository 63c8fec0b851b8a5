"""`source: {type: sql}`."""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from factory.base.section import Text
from factory.data.sources.source import IngestContext, Source
from factory.data.sources.waiting import Wait

if TYPE_CHECKING:
    from factory.data.rows import Chunk, Rows


class SqlSource(Source):
    """The rows of a query, read in chunks through an Airflow connection."""

    places: ClassVar[tuple[str, ...]] = ("connection",)

    type: Literal["sql"]
    connection: Text
    """The Airflow connection of the database."""
    query: Text = Field(examples=["select * from landings where day = '{{ run.date }}'"])
    """The query, in the database's SQL; it may have templates, and the parameter `:largest` of `incremental`."""
    chunk_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """How many rows are fetched, and held in memory, at once."""
    wait: Wait | None = None
    """How long a run waits until the query gives a row; it does not wait when left out."""

    def read(self, context: IngestContext) -> "Rows":
        """What the database answers."""
        chunks = self._chunks(context, self.chunk_rows)
        return context.write(chunks, f"the query through {self.connection}")

    def waiting(self) -> Wait | None:
        """See `Source.waiting`."""
        return self.wait

    def missing(self, context: IngestContext) -> str:
        """Whether the query gives no row; the first one is fetched, and no other."""
        with closing(self._chunks(context, 1)) as chunks:
            found = any(chunk.rows for chunk in chunks)
        return "" if found else f"the query through {self.connection} gives no row"

    def _chunks(self, context: IngestContext, chunk_rows: int) -> "Generator[Chunk]":
        named = {name: one for name, one in context.parameters.items() if f":{name}" in self.query}
        how = (named,) if named else ()
        yield from context.connections.query_chunks(self.connection, self.query, chunk_rows, *how)
