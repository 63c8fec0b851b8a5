"""Reading Airflow's connections so that what they hold is shown nowhere.

Airflow masks passwords and extras in its logs, in every way in which they may be written: see
`factory.base.secrets.spellings`, which the setting `secret_mask_adapter` names. Here it is told the rest, and
what leaves a task by other ways than its log goes through `shown`.
"""

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from factory.base.secrets import secrets_of_address, secrets_of_environment

_READ_LATER = ("AIRFLOW_CONN_", "AIRFLOW_VAR_")
_PATIENCE = 5.0
"""Seconds for the last lines of an output."""
_OPENLINEAGE = "airflow.providers.openlineage.plugins.listener"


def connection(name: str) -> Any:
    """An Airflow connection; whatever is secret in it is masked from now on.

    A login without a password is taken for a token, as some servers have it.

    Raises:
        AirflowNotFoundException: There is none of this name.
    """
    from airflow.sdk import BaseHook

    found = BaseHook.get_connection(name)
    tokens = [found.login] if found.login and not found.password else []
    mask((*tokens, *secrets_of_address(found.host or "")))
    return found


def mask(secrets: Iterable[str]) -> None:
    """Have Airflow hide secrets wherever it writes, in this process and in the one that keeps its log."""
    from airflow.sdk.log import mask_secret

    if found := sorted(set(secrets)):
        mask_secret(found)


def mask_environment() -> None:
    """Mask what the environment holds: keys, tokens, and logins in addresses.

    Connections and variables of Airflow are masked when they are read: there may be many.
    """
    others = {key: value for key, value in os.environ.items() if not key.startswith(_READ_LATER)}
    mask(secrets_of_environment(others))


def shown(text: str) -> str:
    """A text without the secrets that are known by now, for what is written elsewhere than into Airflow's logs."""
    from airflow.sdk.log import redact

    return str(redact(text))


def renew_openlineage() -> None:
    """Let OpenLineage's events of this process hide what is masked by now.

    Its provider takes a copy of Airflow's masks when Airflow starts, when there are none.
    """
    listener = sys.modules.get(_OPENLINEAGE)
    if listener is None:
        return
    from airflow.providers.openlineage.utils.utils import OpenLineageRedactor
    from airflow.sdk._shared.secrets_masker import _secrets_masker

    class EventMasks(OpenLineageRedactor):  # type: ignore[misc]
        """Masks what OpenLineage leaves out too, such as the text of queries."""

        def _redact(self, item: Any, *arguments: Any, **named: Any) -> Any:
            for key in getattr(item, "skip_redact", ()):
                if isinstance(text := getattr(item, key, None), str):
                    setattr(item, key, shown(text))
            return super()._redact(item, *arguments, **named)

    adapter = listener.get_openlineage_listener().adapter
    adapter._redacter = EventMasks.from_masker(_secrets_masker())  # noqa: SLF001 - no other way in


class MaskingFormatter(logging.Formatter):
    """Lets another formatter make a line, without the secrets that are known by then."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return shown(self.inner.format(record))


def mask_component_logs() -> None:
    """Mask the log of this process; called once in each of Airflow's.

    Airflow masks the logs of tasks only, and an executor's log repeats them.
    """
    import structlog
    from airflow.sdk.log import redact

    processors = structlog.get_config()["processors"]
    render = processors[-1]

    def masked(log: Any, method: str, event: Any) -> Any:
        # Before it is a line, which quotes texts within texts, and after it, which has the traceback.
        line = render(log, method, redact(event))
        if isinstance(line, bytes):
            return shown(line.decode(errors="replace")).encode()
        return shown(line) if isinstance(line, str) else line

    # In place: loggers that are made already keep this list.
    processors[-1] = masked
    for handler in logging.getLogger().handlers:
        if handler.formatter is not None:
            handler.setFormatter(MaskingFormatter(handler.formatter))


@contextmanager
def masked_output() -> Iterator[None]:
    """Mask what this process and those that it starts write to standard output and error, line by line."""
    own = os.dup(1)
    source, sink = os.pipe()

    def copy() -> None:
        with os.fdopen(source, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                os.write(own, shown(line).encode())

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    for descriptor in (1, 2):
        os.dup2(sink, descriptor)
    os.close(sink)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for descriptor in (1, 2):
            os.dup2(own, descriptor)
        # A process that goes on may keep its end open.
        thread.join(timeout=_PATIENCE)
