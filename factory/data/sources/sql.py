"""`source: {type: sql}`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from factory.base.section import Text
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    from factory.data.rows import Rows


class SqlSource(Source):
    """The rows of a query, read in chunks through an Airflow connection."""

    type: Literal["sql"]
    connection: Text
    """The Airflow connection of the database."""
    query: Text = Field(examples=["select * from landings where day = '{{ run.date }}'"])
    """The query, in the database's SQL; it may have templates, and the parameter `:largest` of `incremental`."""
    chunk_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """How many rows are fetched, and held in memory, at once."""

    def read(self, context: IngestContext) -> "Rows":
        """What the database answers."""
        named = {name: one for name, one in context.parameters.items() if f":{name}" in self.query}
        how = (named,) if named else ()
        chunks = context.connections.query_chunks(
            self.connection, self.query, self.chunk_rows, *how
        )
        return context.write(chunks, f"the query through {self.connection}")
