"""DuckDB as the project uses it: bounded memory, a scratch folder, UTC, and the lake's types."""

import glob
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation
from duckdb.sqltypes import DuckDBPyType

from factory.base.errors import TerminalError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset

log = logging.getLogger(__name__)

MEMORY_LIMIT = "FACTORY_SQL_MEMORY_LIMIT"
"""The environment variable that bounds DuckDB's memory in one task, such as `2GB`."""

BATCH_ROWS = 122_880
"""Rows that are in flight at once, and rows of a parquet row group: DuckDB's own default."""

_PROGRESS_SECONDS = 10.0

# Types that a Delta table cannot hold, or cannot hold alike for every reader, and what they become.
# A whole number that does not fit BIGINT is an error of the query, never a silent rounding.
_STORED_AS = {
    "utinyint": "SMALLINT",
    "usmallint": "INTEGER",
    "uinteger": "BIGINT",
    "ubigint": "BIGINT",
    "hugeint": "BIGINT",
    "uhugeint": "BIGINT",
    "timestamp_ns": "TIMESTAMP",
    "timestamp_ms": "TIMESTAMP",
    "timestamp_s": "TIMESTAMP",
    "time": "VARCHAR",
    "time_ns": "VARCHAR",
    "time with time zone": "VARCHAR",
    "interval": "VARCHAR",
    "uuid": "VARCHAR",
    "enum": "VARCHAR",
    "bit": "VARCHAR",
    "bignum": "VARCHAR",
    "sqlnull": "VARCHAR",
    "null": "VARCHAR",
}

_VECTOR = re.compile(r"FLOAT\[(\d+)\]")
_FAILED_READ = re.compile(r"stream registered as .* failed: (?:IO|OS)Error", re.DOTALL)

_ERRORS = {
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "IO Error": duckdb.IOException,
}


class UnknownTypeError(TerminalError):
    """A column's declared type does not exist."""


class NoVectorError(TerminalError):
    """A column of vectors that has none in some rows."""


def connect(scratch: Path) -> DuckDBPyConnection:
    """A DuckDB connection of its own, whose sorts and joins spill below `scratch`.

    Args:
        scratch: A folder on a local disk; its subfolder `spill` is made when it is needed.
    """
    connection = duckdb.connect(
        config={
            "memory_limit": os.environ.get(MEMORY_LIMIT, "600MB"),
            "temp_directory": str(scratch / "spill"),
            # Without this, SQL could name any Python variable of the process as a table.
            "python_enable_replacements": False,
            # No query brings code from the network or from this machine's folder of extensions.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    # Times as text, and with them content hashes, must not depend on the machine.
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    return connection


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A Python value (text, number, bool, None, or a list of them) as SQL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return (
            repr(value) if value == value and abs(value) != float("inf") else f"'{value}'::double"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return "'" + str(value).replace("'", "''") + "'"


def create_view(
    connection: DuckDBPyConnection, name: str, data: "Sequence[Path] | pyarrow.dataset.Dataset"
) -> None:
    """Make rows readable as the table `name`, which may be `schema.table`.

    Parquet files are left to DuckDB itself: it needs a third of the memory and of the time that
    it takes through an arrow dataset, which stands in where files cannot be opened by path.
    """
    shown = "*"
    if isinstance(data, Sequence):
        rows = f"read_parquet({literal([glob.escape(str(path)) for path in data])})"
        shown = _with_vectors(data[0])
    else:
        registered = f"arrow {name}"
        connection.register(registered, data)
        rows = quote(registered)
    schema, _, _ = name.rpartition(".")
    if schema:
        connection.execute(f"create schema if not exists {quote(schema)}")
    target = ".".join(quote(part) for part in name.split("."))
    connection.execute(f"create view {target} as select {shown} from {rows}")  # noqa: S608


def _with_vectors(file: Path) -> str:
    """What selects the columns of a parquet file as they are; DuckDB itself reads vectors as lists of any length."""
    import pyarrow.parquet as pq

    sizes = vector_sizes(pq.read_schema(file))
    casts = (
        f"cast({quote(name)} as {vector_type(size)}) as {quote(name)}"
        for name, size in sizes.items()
    )
    return f"* replace ({', '.join(casts)})" if sizes else "*"


def vector_sizes(schema: "pa.Schema") -> dict[str, int]:
    """How many numbers the vectors of each column of vectors have, by its name."""
    import pyarrow as pa

    return {
        field.name: field.type.list_size
        for field in schema
        if pa.types.is_fixed_size_list(field.type) and pa.types.is_float32(field.type.value_type)
    }


def vector_type(size: int) -> str:
    """The type of vectors of so many numbers: arrow's `fixed_size_list<float32>`."""
    return f"FLOAT[{size}]"


def vector_size(kind: str) -> int | None:
    """How many numbers vectors of a type have; None for a type that is none of vectors."""
    found = _VECTOR.fullmatch(kind)
    return int(found[1]) if found else None


def columns_of(relation: DuckDBPyRelation) -> dict[str, str]:
    """The columns of a DuckDB relation and their types."""
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def canonical_type(text: str) -> str:
    """The type of the lake that DuckDB's type `text` becomes: `int` is INTEGER, `uuid` VARCHAR.

    Raises:
        UnknownTypeError: when DuckDB knows no such type.
    """
    try:
        return _stored_type(duckdb.sqltype(text))
    except duckdb.Error as error:
        raise UnknownTypeError(
            f"{text!r} is not a DuckDB type: write one such as BIGINT, DOUBLE, VARCHAR or TIMESTAMP"
        ) from error


def storable(relation: DuckDBPyRelation) -> DuckDBPyRelation:
    """The same rows with every column in a type that the lake holds."""
    return relation.project(
        ", ".join(
            _as(name, str(kind), _stored_type(kind))
            for name, kind in zip(relation.columns, relation.types, strict=True)
        )
    )


def no_read_ahead() -> dict[str, Any]:
    """How an arrow dataset is scanned in bounded memory.

    Its threads run ahead of whoever uses the rows, and end up with the whole file, whatever the two numbers say.
    """
    import pyarrow.dataset

    return {
        "use_threads": False,
        "batch_readahead": 2,
        "fragment_readahead": 1,
        "fragment_scan_options": pyarrow.dataset.ParquetFragmentScanOptions(pre_buffer=False),
    }


def batches(relation: DuckDBPyRelation, what: str) -> "pa.RecordBatchReader":
    """The relation's rows as a stream that logs its progress, in batches of `BATCH_ROWS`.

    Raises:
        NoVectorError: when the stream is read, and a row has null in a column of vectors.
    """
    import pyarrow as pa

    stream = relation.to_arrow_reader(BATCH_ROWS)
    return pa.RecordBatchReader.from_batches(stream.schema, _reporting(stream, what))


def is_failed_read(error: Exception) -> bool:
    """Whether a query failed since rows that lie in an object store could not be read.

    DuckDB has no type of its own for what goes wrong in an arrow dataset.
    """
    return isinstance(error, duckdb.Error) and bool(_FAILED_READ.search(str(error)))


def _as(name: str, kind: str, stored: str) -> str:
    column = quote(name)
    return column if kind == stored else f"cast({column} as {stored}) as {column}"


def _stored_type(kind: DuckDBPyType) -> str:
    text = str(kind)
    if text == "JSON":
        return "VARCHAR"
    if kind.id == "array" and vector_size(text) is None:
        return re.sub(r"\[\d+\]$", "[]", text)
    return _STORED_AS.get(kind.id, text)


def _reporting(stream: "Iterable[pa.RecordBatch]", what: str) -> "Iterator[pa.RecordBatch]":
    rows, last = 0, time.monotonic()
    for batch in _raising_duckdb_errors(stream):
        _check_vectors(batch, what)
        yield batch
        rows += batch.num_rows
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            log.info("%s: %s rows so far", what, f"{rows:,}")


def _check_vectors(batch: "pa.RecordBatch", what: str) -> None:
    for name in vector_sizes(batch.schema):
        # Arrow cannot read them back from a parquet file.
        if missing := batch[name].null_count:
            raise NoVectorError(
                f"{what}: {missing:,} rows have no vector in {name!r}, and a column of vectors has one in each: leave "
                f"these rows out (`where {quote(name)} is not null`), or let lists of any length stand for vectors "
                f"(`cast({quote(name)} as float[])`)"
            )


def _raising_duckdb_errors(stream: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """Give an error its type back, which is lost on the way through arrow's stream."""
    import pyarrow as pa

    batches = iter(stream)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            kind, _, _ = str(error).partition(":")
            raise _ERRORS.get(kind, duckdb.Error)(str(error)) from error
        yield batch
