"""`load`: a table of a database that a dataset's rows go through."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from factory.base.errors import FactoryError, TerminalError
from factory.base.section import Section, Text

if TYPE_CHECKING:
    import sqlalchemy as sa

    from factory.data.rows import Rows

log = logging.getLogger(__name__)


class LoadError(TerminalError):
    """A table that the rows do not fit into."""


class RowsLostError(FactoryError):
    """The database holds fewer or more rows than it was given."""


class Load(Section):
    """Where rows are loaded before they are checked, and what happens there once they have passed.

    The table must be there already, with columns of the same names: as a rule a resource makes
    it. It is emptied and filled in one transaction, and what it then holds is what is checked and
    published.
    """

    connection: Text
    """The Airflow connection of the database that has the table."""
    table: Text = Field(examples=["staging.roses"])
    """Its name, with a schema if need be: `staging.roses`."""
    then: Text | None = None
    """SQL statements, one transaction, once the checks have passed and before the snapshot is published."""
    chunk_rows: int = Field(default=10_000, ge=1, le=1_000_000)
    """How many rows are written, and then read back, at once."""

    def run(self, rows: "Rows", database: "sa.Engine", file: Path) -> "Rows":
        """Put the rows in place of those in the table, and read what it then holds.

        One transaction: others see the old rows or the new ones. A retry comes to the same.

        Args:
            rows: The rows so far.
            database: Where the table is.
            file: The parquet file to make.

        Returns:
            The rows as the table holds them: that is what there is to check.

        Raises:
            LoadError: There is no such table, or it lacks a column.
            RowsLostError: The table does not hold as many rows as it was given.
        """
        import pyarrow.parquet as pq
        import sqlalchemy as sa

        from factory.data.rows import read_chunks, write_pieces

        with database.begin() as connection:
            table = self._table(connection, rows)
            connection.execute(table.delete())
            for batch in pq.ParquetFile(rows.file).iter_batches(batch_size=self.chunk_rows):
                if batch.num_rows:
                    connection.execute(table.insert(), batch.to_pylist())
            found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            if found != rows.rows:
                raise RowsLostError(
                    f"{self.table} holds {found} rows after {rows.rows} were loaded"
                )
        log.info("loaded %s rows into %s", f"{rows.rows:,}", self.table)
        options = {"stream_results": True, "max_row_buffer": self.chunk_rows}
        with database.connect().execution_options(**options) as connection:
            stored = connection.execute(sa.select(*(table.c[name] for name in rows.columns)))
            return write_pieces(read_chunks(stored, self.chunk_rows), self.table, file)

    def _table(self, connection: "sa.Connection", rows: "Rows") -> "sa.Table":
        import sqlalchemy as sa
        from sqlalchemy.exc import NoSuchTableError

        schema, _, bare = self.table.rpartition(".")
        try:
            table = sa.Table(bare, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except NoSuchTableError:
            raise LoadError(
                f"load.table: there is no table {self.table}: let a resource create it, or name "
                "another"
            ) from None
        missing = [column for column in rows.columns if column not in table.c]
        if missing:
            raise LoadError(
                f"load.table: {self.table} has no column {', '.join(map(repr, missing))}; "
                f"it has {', '.join(table.c.keys())}"
            )
        return table
