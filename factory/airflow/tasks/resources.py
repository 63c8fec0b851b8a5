"""The tasks that create and destroy resources, and what templates know of these."""

import logging
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.base.errors import TerminalError
from factory.base.secrets import secrets_in
from factory.documents.resources import setup_of

log = logging.getLogger(__name__)

BEGUN = "begun"
"""The XCom key that tells that there may be something to destroy."""

MAX_BYTES = 48_000
"""As much JSON as may describe a resource."""


def create(
    *,
    name: str,
    ti: Any,
    connection: str | None = None,
    statements: str = "",
    call: str = "",
    arguments: dict[str, Any] | None = None,
) -> Any:
    """Create a resource, by SQL or by a function.

    Returns:
        What describes it; nothing much for SQL.

    Raises:
        TerminalError: What the function returned is no small JSON.
    """
    ti.xcom_push(key=BEGUN, value=True)
    if connection is not None:
        _run_sql(connection, statements)
        return {}
    return _described(name, call, _call(call, arguments or {}))


def destroy(
    *,
    name: str,
    ti: Any,
    connection: str | None = None,
    statements: str = "",
    call: str = "",
    arguments: dict[str, Any] | None = None,
) -> None:
    """Destroy a resource, also one whose creation did not come to its end.

    Raises:
        AirflowSkipException: Its creation never began.
    """
    if not ti.xcom_pull(task_ids=setup_of(name), key=BEGUN):
        raise AirflowSkipException(f"resource {name}: its creation never began")
    if connection is not None:
        _run_sql(connection, statements)
        return
    created = ti.xcom_pull(task_ids=setup_of(name))
    if created is None:
        log.warning("resource %s: its creation began and did not end well", name)
    _call(call, {**(arguments or {}), "created": created})


def resource_of(ti: Any, name: str) -> Any:
    """What a resource's `create` has returned, for templates.

    They say `{{ resource('staging').table }}`.

    Args:
        ti: The task instance that asks.
        name: The resource's.

    Raises:
        TerminalError: There is no such resource in this run, or it is not created yet.
    """
    created = ti.xcom_pull(task_ids=setup_of(name))
    if created is None:
        raise TerminalError(
            f"resource {name!r}: it is not declared, not created yet, or returned nothing"
        )
    return created


def _run_sql(connection: str, statements: str) -> None:
    from factory.airflow.connections import run_statements

    run_statements(connection, statements)


def _call(call: str, arguments: dict[str, Any]) -> Any:
    from factory.base.objects import import_object

    function: Any = import_object(call)
    try:
        return function(**arguments)
    except Exception as error:
        error.add_note(f"raised in {call}({', '.join(arguments)})")
        raise


def _described(name: str, call: str, created: Any) -> Any:
    """What `create` returned, in place of nothing an empty mapping.

    It becomes an XCom, which everybody may read who may see the run.
    """
    import json

    from factory.airflow.masking import shown

    if created is None:
        return {}
    try:
        text = json.dumps(created, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TerminalError(
            f"resource {name}: {call} must return JSON that describes what it has created "
            f"(texts, numbers, lists, mappings); {error}"
        ) from error
    if (secret := next(secrets_in(created), None)) is not None or shown(text) != text:
        where = ".".join(map(str, secret)) if secret else "one of its texts"
        raise TerminalError(
            f"resource {name}: {call} returned a secret ({where}), and Airflow would show it: put it into an "
            "Airflow connection or where only those can read it who need it, and return its name"
        )
    if len(text) > MAX_BYTES:
        raise TerminalError(
            f"resource {name}: {call} returned {len(text):,} bytes of JSON, more than {MAX_BYTES:,}: "
            "return what names the resource, and not the resource itself"
        )
    return created
