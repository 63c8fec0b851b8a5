"""Messages to people, by Airflow's notifiers: whatever becomes of a message, no run fails for it."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier

    from factory.team.notify import Event

log = logging.getLogger(__name__)

PATIENCE = 40.0
"""Seconds that all notifiers of a message together may take; Airflow ends callbacks after 50."""


@dataclass(frozen=True)
class Message:
    """What is to be said of an event."""

    event: "Event"
    subject: str
    """One line."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a person wants to know, by its name, in this order."""
    detail: str = ""
    """Text of several lines, such as an error or a table."""
    url: str | None = None
    """Where to look further."""

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        lines = [self.subject, *(f"{name}: {value}" for name, value in self.facts.items())]
        if self.detail:
            lines += ["", self.detail]
        if self.url:
            lines += ["", self.url]
        return "\n".join(lines)

    @property
    def html(self) -> str:
        """The whole message as HTML."""
        rows = "".join(
            f"<tr><th align='left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.facts.items()
        )
        detail = f"<pre>{escape(self.detail)}</pre>" if self.detail else ""
        link = f"<p><a href='{escape(self.url)}'>{escape(self.url)}</a></p>" if self.url else ""
        return f"<h3>{escape(self.subject)}</h3><table>{rows}</table>{detail}{link}"

    def as_json(self) -> dict[str, Any]:
        """The whole message as a JSON object."""
        return {
            "event": self.event,
            "subject": self.subject,
            "facts": dict(self.facts),
            "detail": self.detail,
            "url": self.url,
        }


def send(
    message: Message,
    targets: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None = None,
    *,
    patience: float = PATIENCE,
) -> int:
    """Give a message to each target, all at once.

    Never raises: what cannot be delivered, or not in time, is logged.

    Args:
        message: What to say.
        targets: Sections of `notify` as plain data, as documents carry them.
        context: Airflow's context where there is one, for notifiers of other packages.
        patience: Seconds to wait for them all together.

    Returns:
        How many targets have taken it.
    """
    delivered: list[int] = []

    def deliver(number: int, target: Mapping[str, Any]) -> None:
        try:
            _deliver(message, target, context or {})
        except Exception:
            log.exception("%s: the notifier `%s` failed", message.subject, target["type"])
        else:
            delivered.append(number)

    # Daemons: one that hangs shall not keep the process from its end.
    threads = [
        threading.Thread(target=deliver, args=(number, target), daemon=True)
        for number, target in enumerate(targets)
    ]
    for thread in threads:
        thread.start()
    _wait_for(threads, patience)
    for target, thread in zip(targets, threads, strict=True):
        if thread.is_alive():
            log.error(
                "%s: the notifier `%s` is not waited for any longer (%.0f s)",
                message.subject,
                target["type"],
                patience,
            )
    return len(delivered)


def _wait_for(threads: Sequence[threading.Thread], patience: float) -> None:
    end = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _deliver(message: Message, target: Mapping[str, Any], context: Mapping[str, Any]) -> None:
    from pydantic import TypeAdapter

    from factory.team.notify import NotifierTarget, Target

    typed: Any = TypeAdapter(Target).validate_python(target)
    if isinstance(typed, NotifierTarget):
        # Its arguments are the team's templates; what they are filled with is not rendered again.
        # A word of our own for the message: a notifier's arguments hide what is called like them.
        notifier = _named(typed)
        notifier({**context, "notification": {**message.as_json(), "text": message.text}})
    else:
        # Not called, which would render the message: an error's text is no template.
        _builtin(typed, message).notify(dict(context))
    log.info("%s: told `%s`", message.subject, typed.type)


def _named(target: Any) -> "BaseNotifier":
    from airflow.sdk import BaseNotifier

    from factory.base.errors import TerminalError
    from factory.base.objects import import_object

    found = import_object(target.call)
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise TerminalError(f"{target.call} is no notifier: name a subclass of BaseNotifier")
    return found(**target.arguments)


def _builtin(target: Any, message: Message) -> "BaseNotifier":
    from factory.base.errors import TerminalError
    from factory.team.notify import PACKAGES

    try:
        return _BUILTIN[target.type](target, message)
    except ImportError as error:
        raise TerminalError(
            f"the notifier `{target.type}` needs the package {PACKAGES[target.type]}: install it"
        ) from error


def _log(_target: Any, message: Message) -> "BaseNotifier":
    from factory.airflow.notifiers import LogNotifier

    return LogNotifier(text=message.text)


def _smtp(target: Any, message: Message) -> "BaseNotifier":
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    return SmtpNotifier(
        to=list(target.to),
        from_email=target.sender,
        subject=message.subject,
        html_content=message.html,
        smtp_conn_id=target.connection,
    )


def _slack(target: Any, message: Message) -> "BaseNotifier":
    from airflow.providers.slack.notifications.slack import SlackNotifier

    return SlackNotifier(slack_conn_id=target.connection, text=message.text, channel=target.channel)


def _slack_webhook(target: Any, message: Message) -> "BaseNotifier":
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    return SlackWebhookNotifier(slack_webhook_conn_id=target.connection, text=message.text)


def _apprise(target: Any, message: Message) -> "BaseNotifier":
    from airflow.providers.apprise.notifications.apprise import AppriseNotifier

    return AppriseNotifier(
        title=message.subject,
        body=message.text,
        tag=target.tag,
        apprise_conn_id=target.connection,
    )


def _webhook(target: Any, message: Message) -> "BaseNotifier":
    from factory.airflow.notifiers import WebhookNotifier

    return WebhookNotifier(
        body=message.as_json(),
        url=str(target.url) if target.url else None,
        connection=target.connection,
    )


_BUILTIN = {
    "log": _log,
    "smtp": _smtp,
    "slack": _slack,
    "slack_webhook": _slack_webhook,
    "apprise": _apprise,
    "webhook": _webhook,
}
