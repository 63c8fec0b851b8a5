"""What is needed from Airflow connections. Secrets go to the server and nowhere else.

The module is what sources are given as their `factory.data.sources.source.Connections`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from factory.airflow import masking
from factory.airflow.storage_access import storage_access
from factory.base.errors import FactoryError, TerminalError

if TYPE_CHECKING:
    from factory.data.download import Login
    from factory.data.rows import Chunk

_EXCERPT = re.compile(r"\n(?:LINE \d+:|DETAIL:|CONTEXT:|QUERY:)")
"""Where PostgreSQL's errors go on with parts of the query, or with rows."""


class QueryError(FactoryError):
    """What a database answers to a query that fails."""


def query_chunks(
    connection: str,
    query: str,
    chunk_rows: int,
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator["Chunk"]:
    """The rows of a query through the connection of a database, so many at a time.

    The database streams where its driver can (server-side cursors), so the whole result is never held.

    Args:
        connection: The connection.
        query: In the database's SQL; `:name` means itself where `parameters` does not have it.
        chunk_rows: Rows a chunk.
        parameters: Values that the driver hands to the database beside the query, not within it.

    Raises:
        QueryError: The database refuses.
        TerminalError: The connection is not of a database.
    """
    from factory.data.rows import read_chunks

    engine = database(connection).get_sqlalchemy_engine()
    options = {"stream_results": True, "max_row_buffer": chunk_rows}
    try:
        with (
            unshown_queries(connection),
            engine.connect().execution_options(**options) as connected,
        ):
            yield from read_chunks(_executed(connected, query, parameters), chunk_rows)
    finally:
        engine.dispose()


def _executed(connected: Any, query: str, parameters: Mapping[str, Any]) -> Any:
    """The result of a query."""
    if not parameters:
        # Not as SQLAlchemy's text: `%` and `:name` in a query mean themselves.
        return connected.execution_options(no_parameters=True).exec_driver_sql(query)
    import sqlalchemy as sa

    others = rf":(?=\w)(?!(?:{'|'.join(map(re.escape, parameters))})\b)"
    text = sa.text(re.sub(others, r"\:", query))
    return connected.execute(text.bindparams(**parameters))


def database(connection: str) -> Any:
    """The hook of a database's connection.

    Raises:
        TerminalError: The connection is not of a database.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    hook = masking.connection(connection).get_hook()
    if not isinstance(hook, DbApiHook):
        raise TerminalError(
            f"connection {connection!r} is no database connection (it makes a "
            f"{type(hook).__name__}): `sql` needs one whose hook speaks SQL"
        )
    return hook


def lineage_name(connection: str, table: str) -> dict[str, str] | None:
    """What OpenLineage calls a table: `{"namespace", "name"}`; None where the connection's hook does not say.

    Args:
        connection: The connection of the database.
        table: The table, with its schema if it is not the database's usual one.
    """
    hook = database(connection)
    info = hook.get_openlineage_database_info(masking.connection(connection))
    if info is None or not info.authority:
        return None
    schema, _, bare = table.rpartition(".")
    parts = (info.database, schema or hook.get_openlineage_default_schema(), bare)
    return {
        "namespace": f"{info.scheme}://{info.authority}",
        "name": ".".join(part for part in parts if part),
    }


def run_statements(connection: str, statements: str) -> None:
    """Run SQL statements in one transaction, as far as the database has transactions for them.

    Raises:
        QueryError: The database refuses.
        TerminalError: The connection is not of a database.
    """
    hook = database(connection)
    # It would log every statement, its templates filled in.
    hook.log_sql = False
    with unshown_queries(connection):
        hook.run(statements, autocommit=False, split_statements=True)


@contextmanager
def unshown_queries(connection: str) -> Iterator[None]:
    """Say what a database says within the block, without the query and its parameters.

    They hold what templates were filled with, and rows.

    Raises:
        QueryError: The database refuses.
    """
    try:
        yield
    except Exception as error:
        # Drivers have no other class in common, but what PEP 249 calls so; SQLAlchemy keeps theirs as `orig`.
        found = getattr(error, "orig", None) or error
        if not any(kind.__name__ == "Error" for kind in type(found).__mro__):
            raise
        words = _EXCERPT.split(str(found).strip())[0] or type(found).__name__
        raise QueryError(f"connection {connection!r}: {words} ({type(found).__name__})") from None


def http_address(connection: str) -> tuple[str, "Login"]:
    """The address of an Airflow HTTP connection, and its headers and login.

    Raises:
        TerminalError: The connection names no host.
    """
    found = masking.connection(connection)
    if not found.host:
        raise TerminalError(f"connection {connection!r} has no host: write the address there")
    if "://" in found.host:
        return found.host, _login(found)
    port = f":{found.port}" if found.port else ""
    return f"{found.schema or 'http'}://{found.host}{port}", _login(found)


def store_access(connection: str | None) -> AbstractContextManager[None]:
    """Let files in S3 be read by a connection within the block; None: by what the lake is read with.

    Raises:
        TerminalError: There is no such connection, it is of another type, or the extra `aws` is not
            installed.
        AccessDeniedError: The role that it names may not be had.
    """
    return storage_access(connection)


def http_login(connection: str) -> "Login":
    """The headers and the login of an Airflow HTTP connection."""
    return _login(masking.connection(connection))


def _login(found: Any) -> "Login":
    from factory.data.download import Login

    headers = found.extra_dejson.get("headers") or {}
    return Login(
        headers={str(name): str(value) for name, value in headers.items()},
        user=found.login or None,
        password=found.password or None,
        host=_host(found.host or ""),
    )


def _host(written: str) -> str | None:
    """The server that a connection names, whose host may be a whole address."""
    return urlsplit(written if "://" in written else f"//{written}").hostname
