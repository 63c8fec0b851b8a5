"""Secrets and addresses in a team's file, or in `_defaults.yaml`, where a connection's name belongs."""

import re
from collections.abc import Iterator
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.secrets import is_secret_name, secret_in_text

_CONNECTION = re.compile(r"(?:\w+_)?(?:connection|conn_id)")
_CONNECTION_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
"""What Airflow takes for the id of a connection."""
_NO_ARGUMENTS = frozenset(("columns", "prices", "environments"))
"""Mappings whose keys are names of other things, such as columns."""

_ADVICE = "put it into a connection of Airflow, name that, and change the secret: it has been written down"


def check_secrets(value: dict[str, Any]) -> Iterator[Finding]:
    """What is secret in a file, and what is no connection's name, as it was read from YAML."""
    yield from _check(value, ())


def _check(value: object, path: KeyPath) -> Iterator[Finding]:
    if isinstance(value, dict):
        is_named = bool(path) and path[-1] in _NO_ARGUMENTS
        for key, child in value.items():
            below = (*path, key)
            if not is_named and _is_literal_secret(key, child):
                yield Finding("secret", below, f"`{key}` is a secret, in a file", _ADVICE)
            elif not is_named and isinstance(child, str) and _CONNECTION.fullmatch(str(key)):
                yield from _check_connection(str(key), child, below)
            else:
                yield from _check(child, below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, (*path, index))
    elif isinstance(value, str) and (what := secret_in_text(value)):
        yield Finding("secret", path, f"{what} stands in this text", _ADVICE)


def _is_literal_secret(key: object, value: object) -> bool:
    """Whether a value is itself a secret: no template, no name of a variable, nothing that is a switch."""
    if not is_secret_name(str(key)) or isinstance(value, bool):
        return False
    if isinstance(value, str):
        return bool(value) and not value.startswith("$") and "{{" not in value
    return isinstance(value, (int, float))


def _check_connection(key: str, value: str, path: KeyPath) -> Iterator[Finding]:
    if what := secret_in_text(value):
        yield Finding("secret", path, f"{what} stands in this text", _ADVICE)
    elif "{{" not in value and ("://" in value or not _CONNECTION_ID.fullmatch(value)):
        message = f"`{key}` takes the id of a connection of Airflow, and this is none"
        yield Finding("connection", path, message, "make a connection, and write its id")
