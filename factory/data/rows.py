"""Rows on their way through a run: a parquet file, written from a query, from Python or from a database.

What Python and databases give comes in pieces whose types may differ: nulls first, or whole numbers
first and then others.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
from duckdb import DuckDBPyRelation

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.base.workspace import WorkspaceGoneError
from factory.data.column_types import same_names
from factory.data.sql import SqlError
from factory.lake import engine
from factory.lake.engine import columns_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rows:
    """Rows on their way: a parquet file in the workspace, in the lake's types."""

    file: Path
    rows: int
    columns: dict[str, str]
    """Column to DuckDB type, in their order."""

    def as_json(self) -> dict[str, Any]:
        """The reference that tasks hand to each other."""
        return {"file": str(self.file), "rows": self.rows, "columns": self.columns}

    @classmethod
    def from_json(cls, reference: Mapping[str, Any]) -> Self:
        """The rows that another task has referred to.

        Raises:
            WorkspaceGoneError: Their file is not there any more.
        """
        file = Path(reference["file"])
        if not file.is_file():
            raise WorkspaceGoneError(file.name, "ingest", file.parent)
        return cls(file, reference["rows"], dict(reference["columns"]))


class UnusableValuesError(TerminalError):
    """Values that do not make a table."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a query's result."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class QueryResult(Protocol):
    """What is needed of SQLAlchemy's `CursorResult`."""

    def keys(self) -> Iterable[str]:
        """The columns' names."""

    def partitions(self, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows, so many at a time."""


Piece: TypeAlias = "Chunk | pd.DataFrame | pa.Table | pa.RecordBatch"


def write_rows(relation: DuckDBPyRelation, file: Path) -> Rows:
    """Stream a DuckDB relation into a parquet file, which appears only when it is whole.

    Args:
        relation: The rows; columns whose types the lake does not hold are cast.
        file: The file to make or to replace.

    Raises:
        SqlError: when two columns have the same name.
    """
    check_names(relation.columns, file.stem)
    kept = engine.storable(relation)
    columns = columns_of(kept)
    stream = engine.batches(kept, f"writing {file.name}")
    rows = 0
    with whole_file(file) as unfinished, pq.ParquetWriter(unfinished, stream.schema) as writer:
        for batch in stream:
            writer.write_batch(batch)
            rows += batch.num_rows
    return Rows(file, rows, columns)


def read_chunks(result: QueryResult, chunk_rows: int) -> Iterator[Chunk]:
    """The rows of a query as chunks, the first one empty: a query without rows has columns too.

    Args:
        result: As SQLAlchemy's `Connection.execute` returns it; ask for `stream_results`, or many
            drivers hold the whole result in memory.
        chunk_rows: Rows a chunk.
    """
    columns = tuple(result.keys())
    yield Chunk(columns, ())
    for rows in result.partitions(chunk_rows):
        yield Chunk(columns, rows)


def write_pieces(pieces: Iterable[Piece], what: str, file: Path) -> Rows:
    """Stream pieces into one parquet file, in types that fit the values of every piece.

    Only one piece is held in memory. A column that is null in one piece and has values in another
    takes the values' type, whole numbers and floats become floats.

    Args:
        pieces: All with the same columns.
        what: Where they come from, for errors.
        file: The file to make.

    Raises:
        UnusableValuesError: when values cannot be brought into one type; names the column.
    """
    parts = _write_parts(pieces, what, file)
    try:
        if not parts:
            raise UnusableValuesError(f"{what}: nothing came out, not even columns")
        schema = _common_schema([pq.read_schema(part) for part in parts], what)
        scanner = pyarrow.dataset.dataset(parts, schema=schema).scanner(**engine.no_read_ahead())
        with engine.connect(file.parent) as connection, unwritable_values(what):
            return write_rows(connection.from_arrow(scanner.to_reader()), file)
    finally:
        for part in parts:
            part.unlink()


def first_rows(pieces: Iterable[Piece], what: str, most: int) -> Iterator[pa.Table]:
    """The first rows of pieces; what comes behind them is not asked for.

    Args:
        pieces: See `write_pieces`.
        what: Where they come from, for errors.
        most: How many rows.
    """
    for piece in pieces:
        table = as_table(piece, what)
        yield table.slice(0, most)
        most -= table.num_rows
        if most <= 0:
            return


def cut(rows: Rows, most: int) -> Rows:
    """The first of the rows, in another file beside theirs."""
    with engine.connect(rows.file.parent) as connection:
        engine.create_view(connection, "source", [rows.file])
        first = connection.table("source").limit(most)
        return write_rows(first, rows.file.with_name("first_rows.parquet"))


def as_table(piece: object, what: str) -> pa.Table:
    """One piece as an arrow table; a data frame's index is left out.

    Raises:
        UnusableValuesError: when it is something else, or a column's values are of several kinds.
    """
    if isinstance(piece, pa.RecordBatch):
        return pa.Table.from_batches([piece])
    if isinstance(piece, pa.Table):
        return piece
    if isinstance(piece, Chunk):
        return _chunk_table(piece, what)
    import pandas as pd

    if isinstance(piece, pd.DataFrame):
        return _frame_table(piece, what)
    raise UnusableValuesError(
        f"{what}: found {type(piece).__name__} where rows are expected: return a pandas DataFrame, "
        "a pyarrow Table, or an iterable of either"
    )


@contextmanager
def unwritable_values(what: str) -> Iterator[None]:
    """Say where values come from that DuckDB cannot bring into the lake's types.

    Raises:
        UnusableValuesError: when it cannot.
    """
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        raise UnusableValuesError(f"{what}: {error}") from error


def _write_parts(pieces: Iterable[Piece], what: str, file: Path) -> list[Path]:
    """A new file whenever the types change, since parquet fixes them at a file's start."""
    parts: list[Path] = []
    writer: pq.ParquetWriter | None = None
    columns: list[str] | None = None
    try:
        for piece in pieces:
            table = as_table(piece, what)
            columns = _check_columns(columns, table.column_names, what)
            if writer is None or not table.schema.equals(writer.schema):
                if writer is not None:
                    writer.close()
                parts.append(file.with_name(f"{file.stem}.part{len(parts)}"))
                writer = pq.ParquetWriter(parts[-1], table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    return parts


def _check_columns(before: list[str] | None, found: list[str], what: str) -> list[str]:
    check_names(found, what)
    if before is not None and sorted(before) != sorted(found):
        raise UnusableValuesError(
            f"{what}: one piece has the columns {', '.join(before)}, a later one "
            f"{', '.join(found)}: let every piece have the same"
        )
    return before or found


def _common_schema(schemas: list[pa.Schema], what: str) -> pa.Schema:
    plain = [schema.remove_metadata() for schema in schemas]
    try:
        return pa.unify_schemas(plain, promote_options="permissive")
    except pa.ArrowException as error:
        raise UnusableValuesError(
            f"{what}: a column holds values of several kinds: {error}. "
            "Cast it to one type where it comes from"
        ) from error


def _frame_table(frame: "pd.DataFrame", what: str) -> pa.Table:
    named = frame.rename(columns=str)
    if not named.columns.is_unique:
        _check_columns(None, list(named.columns), what)
    return pa.table({name: _array(name, named[name], what) for name in named.columns})


def _chunk_table(chunk: Chunk, what: str) -> pa.Table:
    _check_columns(None, list(chunk.columns), what)
    values = zip(*chunk.rows, strict=True) if chunk.rows else ((),) * len(chunk.columns)
    return pa.table(
        {
            name: _array(name, [_plain(value) for value in column], what)
            for name, column in zip(chunk.columns, values, strict=True)
        }
    )


def _array(name: str, values: Iterable[object], what: str) -> pa.Array:
    try:
        array = pa.array(values, from_pandas=True)
        if pa.types.is_decimal(array.type):
            # Arrow takes just the digits that it sees, which differ from piece to piece.
            array = array.cast(pa.decimal128(38, array.type.scale))
    except (pa.ArrowException, TypeError, OverflowError) as error:
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        raise UnusableValuesError(
            f"{what}: the column {name!r} holds values of the kinds {', '.join(kinds)}, which "
            f"have no common type: {error}. Cast it to one type where it comes from"
        ) from error
    return array


def _plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return value


def check_names(columns: Sequence[str], what: str) -> None:
    """Check that a table's columns have different names, upper and lower case being the same.

    Raises:
        SqlError: when two have the same; DuckDB would read the first one for both.
    """
    if (found := same_names(columns)) is not None:
        raise SqlError(f"{what}: {found}")
