"""`source: {type: sqlite}`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Literal

from factory.base.errors import TerminalError
from factory.base.section import ProjectPath, Text
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    import pandas as pd

    from factory.data.rows import Rows

CHUNK_ROWS = 50_000


class SqliteSource(Source):
    """A table of an SQLite file in the project."""

    type: Literal["sqlite"]
    path: ProjectPath
    """The file, below the project's folder."""
    table: Text
    """The table's name."""

    def read(self, context: IngestContext) -> "Rows":
        """Read the table, a chunk at a time."""
        return context.write(self._chunks(context), f"{self.path}, table {self.table}")

    def _chunks(self, context: IngestContext) -> "Iterator[pd.DataFrame]":
        import pandas as pd  # heavy: not while team files are read

        file = (context.project / self.path).resolve()
        if not file.is_file() or not file.is_relative_to(context.project.resolve()):
            raise TerminalError(f"source.path: there is no file {self.path} in the project")
        table = self.table.replace('"', '""')
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            try:
                yield from pd.read_sql_query(
                    f'select * from "{table}"',  # noqa: S608 - quoted above
                    database,
                    chunksize=CHUNK_ROWS,
                )
            except pd.errors.DatabaseError as error:
                raise TerminalError(f"source: {self.path} cannot be read: {error}") from error
