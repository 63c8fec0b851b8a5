"""Teams' SQL in a sandbox."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from factory.base.errors import FactoryError, TerminalError
from factory.data.sql_rules import RefusedQueryError, check_query
from factory.lake import engine
from factory.lake.table import Lake

Tables = Mapping[str, Sequence[Path] | pyarrow.dataset.Dataset]


class SqlError(TerminalError):
    """A query that cannot run, or that fails on these rows."""


def dataset_tables(lake: Lake, versions: Mapping[str, int]) -> Tables:
    """The snapshots that SQL may read, as tables `team.dataset`.

    Args:
        lake: Where they lie.
        versions: The version of every dataset that may be read.
    """
    return {name: lake.rows(name, version) for name, version in versions.items()}


@contextmanager
def sandbox(tables: Tables, workspace: Path) -> Iterator[DuckDBPyConnection]:
    """A DuckDB connection that sees `tables` and nothing else: no file, no network, no setting.

    It may spill into the workspace, which queries cannot read.
    """
    with engine.connect(workspace) as connection:
        for name, data in tables.items():
            engine.create_view(connection, name, _without_paths(data))
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


def _without_paths(data: Sequence[Path] | pyarrow.dataset.Dataset) -> pyarrow.dataset.Dataset:
    """The rows as a dataset that is open already: a path that DuckDB may read, it may also write."""
    if isinstance(data, pyarrow.dataset.Dataset):
        return data
    return pyarrow.dataset.dataset([str(file) for file in data], format="parquet")


def select(connection: DuckDBPyConnection, query: str, what: str) -> DuckDBPyRelation:
    """The relation of one SELECT; it runs when its rows are asked for.

    Args:
        connection: As `sandbox` yields it.
        query: SQL text; one statement that returns rows.
        what: What the query is, for the error.

    Raises:
        SqlError: when the text is not one SELECT, holds what a team's SQL may not hold, or names
            what is not there.
    """
    with sql_errors(connection, query, what):
        try:
            check_query(connection, query)
        except RefusedQueryError as error:
            raise SqlError(f"{what}: {error}") from error
        return connection.sql(query)


@contextmanager
def sql_errors(connection: DuckDBPyConnection, query: str, what: str) -> Iterator[None]:
    """Turn DuckDB's errors within the block into ones that show query and columns.

    Raises:
        SqlError: what no retry mends.
        FactoryError: when memory or disk ran out, or a file could not be read.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.HTTPException) as error:
        raise FactoryError(f"{what}: {error}") from error
    except (duckdb.Error, pa.ArrowException) as error:
        if engine.is_failed_read(error):
            raise FactoryError(f"{what}: {error}") from error
        listing = "\n".join(
            f"  {number:>3} | {line}" for number, line in enumerate(query.splitlines(), 1)
        )
        raise SqlError(
            f"{what}: {str(error).strip()}\n\nThe query:\n{listing}\n\n"
            f"What it may read:\n{_describe_tables(connection)}"
        ) from error


def _describe_tables(connection: DuckDBPyConnection) -> str:
    found = connection.execute(
        "select case schema_name when 'main' then '' else schema_name || '.' end || table_name, "
        "list(column_name || ' ' || data_type order by column_index) "
        "from duckdb_columns() join duckdb_views() using (database_name, schema_name) "
        "where not duckdb_columns.internal and view_name = table_name and not duckdb_views.internal "
        "group by 1 order by 1"
    ).fetchall()
    return "\n".join(f"  {table}: {', '.join(columns)}" for table, columns in found)
