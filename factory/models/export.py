"""`predict.export`: predictions in a table of a database, beside the dataset."""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.errors import FactoryError, TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section, Text
from factory.models.prediction_columns import VERSIONS

if TYPE_CHECKING:
    import sqlalchemy as sa

    from factory.data.rows import Rows

log = logging.getLogger(__name__)

_NEW = "_new_predictions"
"""How the name of the temporary table ends that new rows stand in while others are replaced by them."""


class ExportError(TerminalError):
    """A table that predictions do not fit into."""


class RowsLostError(FactoryError):
    """The table holds fewer or more rows than it was given, as when others write to it."""


class Export(Section):
    """A table of a database that predictions are written to once they are published.

    All in one transaction: readers see the rows from before or the new ones. A retry comes to the same. A table that is
    not there yet is created.
    """

    connection: Text
    """The Airflow connection of the database."""
    table: Text = Field(examples=["public.scores"])
    """Its name, with a schema if need be: `public.scores`. It may have further columns."""
    mode: Literal["replace", "append", "merge"] = "replace"
    """`replace` puts the predictions in place of all rows, `append` adds them, and replaces those of the same model's version
    and the same snapshot, `merge` replaces rows with the same `keys` and adds the others."""
    keys: ListOf[Text] = ()
    """The columns that identify a row; with `mode: merge`, and only then."""
    chunk_rows: int = Field(default=10_000, ge=1, le=1_000_000)
    """How many rows are sent at once."""

    @rule
    def _keys_for_merge(self) -> Broken:
        if (self.mode == "merge") != bool(self.keys):
            yield PydanticCustomError(
                "write",
                "`keys` are missing: name the columns that identify a row"
                if self.mode == "merge"
                else "`keys` belong to `mode: merge` only",
            )

    def run(self, rows: "Rows", database: "sa.Engine") -> None:
        """Write predictions to the table.

        Args:
            rows: The predictions.
            database: Where the table is.

        Raises:
            ExportError: The table lacks a column, or one has a type that a database has no word for.
            MergeKeyError: `keys` do not identify the rows.
            RowsLostError: With `replace`, the table does not hold as many rows as it was given.
        """
        if self.keys:
            self._check_keys(rows)
        with database.begin() as connection:
            table = self._table(connection, rows)
            if self.mode == "merge":
                self._merge(connection, table, rows)
            else:
                connection.execute(self._outdated(table, rows))
                self._insert(connection, table, rows)
            if self.mode == "replace":
                self._check_count(connection, table, rows)
        log.info("%s rows are in %s (%s)", f"{rows.rows:,}", self.table, self.mode)

    def _check_keys(self, rows: "Rows") -> None:
        from factory.lake import engine
        from factory.lake.fitting import check_keys

        with engine.connect(rows.file.parent) as connection:
            engine.create_view(connection, "source", [rows.file])
            check_keys(connection.table("source"), self.keys, "predict.export")

    def _table(self, connection: "sa.Connection", rows: "Rows") -> "sa.Table":
        """The table as it is, or as it is created."""
        import sqlalchemy as sa
        from sqlalchemy.exc import NoSuchTableError

        schema, _, bare = self.table.rpartition(".")
        try:
            table = sa.Table(bare, sa.MetaData(), schema=schema or None, autoload_with=connection)
        except NoSuchTableError:
            table = sa.Table(bare, sa.MetaData(), *_columns(rows.columns), schema=schema or None)
            table.create(connection)
            log.info("created the table %s", self.table)
            return table
        missing = [column for column in rows.columns if column not in table.c]
        if missing:
            raise ExportError(
                f"predict.export: the table {self.table} has no column {', '.join(map(repr, missing))}: "
                f"add it there, or drop the table, which is then created anew; it has {', '.join(table.c.keys())}"
            )
        return table

    def _outdated(self, table: "sa.Table", rows: "Rows") -> "sa.Delete":
        """What has to go before the rows are added: everything, or what an earlier try of the same has added."""
        import pyarrow.parquet as pq
        import sqlalchemy as sa

        if self.mode == "replace":
            return table.delete()
        # They have one value each for all rows.
        first = pq.ParquetFile(rows.file).iter_batches(batch_size=1, columns=list(VERSIONS))
        found: list[dict[str, Any]] = next(
            (batch.to_pylist() for batch in first if batch.num_rows), []
        )
        same = (table.c[name] == value for one in found for name, value in one.items())
        return table.delete().where(*same) if found else table.delete().where(sa.false())

    def _merge(self, connection: "sa.Connection", table: "sa.Table", rows: "Rows") -> None:
        import sqlalchemy as sa

        new = sa.Table(
            f"{table.name}{_NEW}",
            sa.MetaData(),
            *(sa.Column(name, table.c[name].type) for name in rows.columns),
            prefixes=["TEMPORARY"],
        )
        new.create(connection)
        self._insert(connection, new, rows)
        old_keys, new_keys = ([one.c[key] for key in self.keys] for one in (table, new))
        is_replaced = (
            old_keys[0].in_(sa.select(new_keys[0]))
            if len(self.keys) == 1
            else sa.tuple_(*old_keys).in_(sa.select(*new_keys))
        )
        connection.execute(table.delete().where(is_replaced))
        names = list(rows.columns)
        connection.execute(
            table.insert().from_select(names, sa.select(*(new.c[name] for name in names)))
        )
        new.drop(connection)

    def _insert(self, connection: "sa.Connection", table: "sa.Table", rows: "Rows") -> None:
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(rows.file).iter_batches(batch_size=self.chunk_rows):
            if batch.num_rows:
                connection.execute(table.insert(), batch.to_pylist())

    def _check_count(self, connection: "sa.Connection", table: "sa.Table", rows: "Rows") -> None:
        import sqlalchemy as sa

        found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        if found != rows.rows:
            raise RowsLostError(
                f"predict.export: {self.table} holds {found:,} rows after {rows.rows:,} were written: "
                "does somebody else write to it?"
            )


def _columns(types: Mapping[str, str]) -> "Iterator[sa.Column[Any]]":
    import sqlalchemy as sa

    for name, kind in types.items():
        found = _sql_type(kind)
        if found is None:
            raise ExportError(
                f"predict.export: the column {name!r} is of type {kind}, which tables of databases do not hold: "
                "take it out of `keep`"
            )
        yield sa.Column(name, found)


def _sql_type(kind: str) -> Any:
    """SQLAlchemy's type of a column of the lake; None where there is none."""
    import sqlalchemy as sa

    if decimal := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind):
        return sa.Numeric(int(decimal[1]), int(decimal[2]))
    known = {
        "BOOLEAN": sa.Boolean(),
        "TINYINT": sa.SmallInteger(),
        "SMALLINT": sa.SmallInteger(),
        "INTEGER": sa.Integer(),
        "BIGINT": sa.BigInteger(),
        "FLOAT": sa.Double(),
        "DOUBLE": sa.Double(),
        "VARCHAR": sa.Text(),
        "BLOB": sa.LargeBinary(),
        "DATE": sa.Date(),
        "TIMESTAMP": sa.DateTime(),
        "TIMESTAMP WITH TIME ZONE": sa.DateTime(timezone=True),
    }
    return known.get(kind)
