"""Messages to people: whatever becomes of a message, no run fails for it."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.notifiers.message import Message

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier

    from factory.notifiers.notifier import AirflowNotifier

log = logging.getLogger(__name__)

PATIENCE = 40.0
"""Seconds that all notifiers of a message together may take; Airflow ends callbacks after 50."""


def send(
    message: Message,
    notifiers: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None = None,
    *,
    patience: float = PATIENCE,
) -> int:
    """Give a message to each notifier, all at once.

    Never raises: what cannot be delivered, or not in time, is logged.

    Args:
        message: What to say.
        notifiers: Sections of `notify` as plain data, as documents carry them.
        context: Airflow's context where there is one, for notifiers of other packages.
        patience: Seconds to wait for them all together.

    Returns:
        How many notifiers have taken it.
    """
    delivered: list[int] = []

    def deliver(number: int, section: Mapping[str, Any]) -> None:
        try:
            _deliver(message, section, context or {})
        except Exception:
            log.exception("%s: the notifier `%s` failed", message.subject, section["type"])
        else:
            delivered.append(number)

    # Daemons: one that hangs shall not keep the process from its end.
    threads = [
        threading.Thread(target=deliver, args=(number, section), daemon=True)
        for number, section in enumerate(notifiers)
    ]
    for thread in threads:
        thread.start()
    _wait_for(threads, patience)
    for section, thread in zip(notifiers, threads, strict=True):
        if thread.is_alive():
            log.error(
                "%s: the notifier `%s` is not waited for any longer (%.0f s)",
                message.subject,
                section["type"],
                patience,
            )
    return len(delivered)


def _wait_for(threads: Sequence[threading.Thread], patience: float) -> None:
    end = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _deliver(message: Message, section: Mapping[str, Any], context: Mapping[str, Any]) -> None:
    from pydantic import TypeAdapter

    from factory.base.errors import TerminalError
    from factory.notifiers.notifier import AnyNotifier, Notifier, is_installed

    kind: Notifier = TypeAdapter(AnyNotifier).validate_python(section)
    for package in kind.PACKAGES:
        if not is_installed(package):
            raise TerminalError(
                f"the notifier `{kind.type}` needs the package {package}: install it"
            )
    airflows = kind.through_airflow(message)
    if airflows is None:
        kind.send(message)
    elif airflows.has_templates:
        # What templates are filled with is not rendered again. A word of our own for the message:
        # a notifier's arguments hide what is called like them.
        notification = {**message.as_json(), "text": message.text}
        _made(airflows)({**context, "notification": notification})
    else:
        # Not called, which would render the message: an error's text is no template.
        _made(airflows).notify(dict(context))
    log.info("%s: told `%s`", message.subject, kind.type)


def _made(notifier: "AirflowNotifier") -> "BaseNotifier":
    from airflow.sdk import BaseNotifier

    from factory.base.errors import TerminalError
    from factory.base.objects import import_object

    found = import_object(notifier.path)
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise TerminalError(f"{notifier.path} is no notifier: name a subclass of BaseNotifier")
    return found(**notifier.arguments)
