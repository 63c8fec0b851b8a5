"""What sources need from Airflow connections. Secrets go to the server and nowhere else."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from factory.config.sources import SqlSource
from factory.errors import TerminalError

if TYPE_CHECKING:
    from factory.steps.chunks import Chunk
    from factory.steps.download import Login


def query_chunks(source: SqlSource) -> Iterator["Chunk"]:
    """The rows of a query, in chunks.

    The database streams where its driver can (server-side cursors), so the whole result is never held.

    Raises:
        TerminalError: The connection is not of a database.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook

    from factory.steps.chunks import read_chunks

    hook = BaseHook.get_connection(source.connection).get_hook()
    if not isinstance(hook, DbApiHook):
        raise TerminalError(
            f"connection {source.connection!r} is no database connection (it makes a "
            f"{type(hook).__name__}): a `sql` source needs one whose hook speaks SQL"
        )
    engine = hook.get_sqlalchemy_engine()
    # Without parameters, and not as SQLAlchemy's text: `%` and `:name` in a query mean themselves.
    options = {
        "stream_results": True,
        "max_row_buffer": source.chunk_rows,
        "no_parameters": True,
    }
    try:
        with engine.connect().execution_options(**options) as connection:
            result = connection.exec_driver_sql(source.query)
            yield from read_chunks(result, source.chunk_rows)
    finally:
        engine.dispose()


def http_login(connection: str) -> "Login":
    """The headers and the login of an Airflow HTTP connection."""
    from airflow.sdk import BaseHook

    from factory.steps.download import Login

    found = BaseHook.get_connection(connection)
    headers = found.extra_dejson.get("headers") or {}
    return Login(
        headers={str(name): str(value) for name, value in headers.items()},
        user=found.login or None,
        password=found.password or None,
    )
