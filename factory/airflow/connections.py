"""What is needed from Airflow connections. Secrets go to the server and nowhere else.

The module is what sources are given as their `factory.data.sources.source.Connections`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError

if TYPE_CHECKING:
    from factory.data.download import Login
    from factory.data.rows import Chunk


def query_chunks(connection: str, query: str, chunk_rows: int) -> Iterator["Chunk"]:
    """The rows of a query through the connection of a database, so many at a time.

    The database streams where its driver can (server-side cursors), so the whole result is never held.

    Raises:
        TerminalError: The connection is not of a database.
    """
    from factory.data.rows import read_chunks

    engine = database(connection).get_sqlalchemy_engine()
    # Without parameters, and not as SQLAlchemy's text: `%` and `:name` in a query mean themselves.
    options = {
        "stream_results": True,
        "max_row_buffer": chunk_rows,
        "no_parameters": True,
    }
    try:
        with engine.connect().execution_options(**options) as connected:
            result = connected.exec_driver_sql(query)
            yield from read_chunks(result, chunk_rows)
    finally:
        engine.dispose()


def database(connection: str) -> Any:
    """The hook of a database's connection.

    Raises:
        TerminalError: The connection is not of a database.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook

    hook = BaseHook.get_connection(connection).get_hook()
    if not isinstance(hook, DbApiHook):
        raise TerminalError(
            f"connection {connection!r} is no database connection (it makes a "
            f"{type(hook).__name__}): `sql` needs one whose hook speaks SQL"
        )
    return hook


def run_statements(connection: str, statements: str) -> None:
    """Run SQL statements in one transaction, as far as the database has transactions for them.

    Raises:
        TerminalError: The connection is not of a database.
    """
    database(connection).run(statements, autocommit=False, split_statements=True)


def http_address(connection: str) -> tuple[str, "Login"]:
    """The address of an Airflow HTTP connection, and its headers and login.

    Raises:
        TerminalError: The connection names no host.
    """
    from airflow.sdk import BaseHook

    found = BaseHook.get_connection(connection)
    if not found.host:
        raise TerminalError(f"connection {connection!r} has no host: write the address there")
    if "://" in found.host:
        return found.host, _login(found)
    port = f":{found.port}" if found.port else ""
    return f"{found.schema or 'http'}://{found.host}{port}", _login(found)


def http_login(connection: str) -> "Login":
    """The headers and the login of an Airflow HTTP connection."""
    from airflow.sdk import BaseHook

    return _login(BaseHook.get_connection(connection))


def _login(found: Any) -> "Login":
    from factory.data.download import Login

    headers = found.extra_dejson.get("headers") or {}
    return Login(
        headers={str(name): str(value) for name, value in headers.items()},
        user=found.login or None,
        password=found.password or None,
    )
