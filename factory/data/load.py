"""Rows into a table of a database, and back as the database holds them."""

import logging
from pathlib import Path

import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError

from factory.base.errors import FactoryError, TerminalError
from factory.data.chunks import read_chunks, write_pieces
from factory.data.database_load import Load
from factory.data.sql import Rows

log = logging.getLogger(__name__)


class LoadError(TerminalError):
    """A table that the rows do not fit into."""


class RowsLostError(FactoryError):
    """The database holds fewer or more rows than it was given."""


def load(rows: Rows, section: Load, database: sa.Engine, file: Path) -> Rows:
    """Put the rows in place of those in the table, and read what it then holds.

    One transaction: others see the old rows or the new ones. A retry comes to the same.

    Args:
        rows: The rows so far.
        section: Which table.
        database: Where it is.
        file: The parquet file to make.

    Returns:
        The rows as the table holds them: that is what there is to check.

    Raises:
        LoadError: There is no such table, or it lacks a column.
        RowsLostError: The table does not hold as many rows as it was given.
    """
    with database.begin() as connection:
        table = _table(connection, section.table, rows)
        connection.execute(table.delete())
        for batch in pq.ParquetFile(rows.file).iter_batches(batch_size=section.chunk_rows):
            if batch.num_rows:
                connection.execute(table.insert(), batch.to_pylist())
        found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        if found != rows.rows:
            raise RowsLostError(f"{section.table} holds {found} rows after {rows.rows} were loaded")
    log.info("loaded %s rows into %s", f"{rows.rows:,}", section.table)
    options = {"stream_results": True, "max_row_buffer": section.chunk_rows}
    with database.connect().execution_options(**options) as connection:
        stored = connection.execute(sa.select(*(table.c[name] for name in rows.columns)))
        return write_pieces(read_chunks(stored, section.chunk_rows), section.table, file)


def _table(connection: sa.Connection, name: str, rows: Rows) -> sa.Table:
    schema, _, bare = name.rpartition(".")
    try:
        table = sa.Table(bare, sa.MetaData(), schema=schema or None, autoload_with=connection)
    except NoSuchTableError:
        raise LoadError(
            f"load.table: there is no table {name}: let a resource create it, or name another"
        ) from None
    missing = [column for column in rows.columns if column not in table.c]
    if missing:
        raise LoadError(
            f"load.table: {name} has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(table.c.keys())}"
        )
    return table
