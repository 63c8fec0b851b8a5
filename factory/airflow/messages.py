"""Messages to people: what a task has brought about in words, and sending that.

Whatever becomes of a message, no run fails for it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier, Context

from factory.airflow.pages import run_url
from factory.data.sample import is_sample
from factory.notifiers.message import Event, Message

if TYPE_CHECKING:
    from factory.notifiers.notifier import AirflowNotifier

log = logging.getLogger(__name__)

_PATIENCE = 40.0
"""Seconds that all notifiers of a message together may take; Airflow ends callbacks after 50."""
_WEBHOOKS_PATIENCE = 10.0
"""Seconds that the receiver of a webhook may take to connect, and to answer."""

INTERNAL_HOSTS = "internal_hosts"
"""What notifiers find the platform's `internal_hosts` under, in the context."""

Result = Mapping[str, Any]

_SNAPSHOT = ("version", "rows", "model", "model_version", "input", "input_version")
"""What of a published snapshot a person wants to know."""


def announcement(event: Event, result: Result, ti: Any) -> Message:
    """The message about what a task has brought about.

    Args:
        event: What it was.
        result: What the task returned.
        ti: The task's instance.
    """
    subject, facts, detail = _WORDS[event](result)
    return Message(
        event=event,
        subject=subject,
        facts={**facts, "run": f"{ti.dag_id} {ti.run_id}"},
        detail=detail,
        url=run_url(ti.dag_id, ti.run_id),
    )


_Words = tuple[str, dict[str, str], str]


def _dataset(result: Result) -> _Words:
    facts = {name: str(result[name]) for name in _SNAPSHOT if result.get(name) is not None}
    return f"{result['dataset']} has a new snapshot", facts, ""


def _promotion(result: Result) -> _Words:
    if "entities" in result:
        return _of_entities(result)
    subject = f"{result['model']} version {result['version']} is in production"
    return subject, _outcome(result), _scores(result)


def _kept(result: Result) -> _Words:
    if "entities" in result:
        return _of_entities(result)
    champion = result.get("champion")
    stays = "no version is" if champion is None else f"version {champion} stays"
    return f"{result['model']}: {stays} in production", _outcome(result), _scores(result)


def _of_entities(result: Result) -> _Words:
    """One message about all entities: how many, those that have failed, and the worst in a table."""
    counts = result["entities"]
    subject = f"{result['model']}: {counts['promoted']} of {sum(counts.values())} models have a new version in production"
    failed = [f"{entity}: {why}" for entity, why in result["failed"].items()]
    return subject, {"reason": str(result["reason"])}, "\n".join([result["table"], *failed])


def _outcome(result: Result) -> dict[str, str]:
    facts = {"version": str(result["version"]), "reason": str(result["reason"])}
    if result.get("previous") is not None:
        facts["version before"] = str(result["previous"])
    return facts


def _scores(result: Result) -> str:
    """The metrics of the version and of the one that was in production, on the same rows."""
    before = result.get("champion_metrics") or {}
    lines = [
        f"{name}: {value:.4g}" + (f" (in production: {before[name]:.4g})" if name in before else "")
        for name, value in sorted((result.get("metrics") or {}).items())
    ]
    return "\n".join([*lines, *result.get("findings", ())])


_WORDS: dict[Event, Callable[[Result], _Words]] = {
    "on_dataset": _dataset,
    "on_promotion": _promotion,
    "on_kept_champion": _kept,
}


def send(
    message: Message,
    notifiers: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None = None,
    *,
    internal_hosts: Sequence[str] = (),
    patience: float = _PATIENCE,
) -> int:
    """Give a message to each notifier, all at once.

    Never raises: what cannot be delivered, or not in time, is logged.

    Args:
        message: What to say.
        notifiers: Sections of `notify` as plain data, as documents carry them.
        context: Airflow's context where there is one, for notifiers of other packages.
        internal_hosts: Servers that may be told though they are internal: see `factory.base.hosts`.
        patience: Seconds to wait for them all together.

    Returns:
        How many notifiers have taken it.
    """
    if is_sample():
        log.info("%s: nobody is told of a sample", message.subject)
        return 0
    delivered: list[int] = []

    def deliver(number: int, section: Mapping[str, Any]) -> None:
        try:
            _deliver(message, section, {**(context or {}), INTERNAL_HOSTS: internal_hosts})
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
        from factory.airflow.templates import template_values
        from factory.team.template_rules import NOTIFICATION

        # Not called, which would let templates read every connection. What they are filled with is
        # not rendered again.
        notifier = _made(airflows)
        told = {**message.as_json(), "text": message.text}
        notifier.render_template_fields({**template_values(context), NOTIFICATION: told})
        notifier.notify(dict(context))
    else:
        # Not called, which would render the message: an error's text is no template.
        _made(airflows).notify(dict(context))
    log.info("%s: told `%s`", message.subject, kind.type)


def _made(notifier: "AirflowNotifier") -> BaseNotifier:
    from factory.base.errors import TerminalError
    from factory.base.objects import import_object

    found = import_object(notifier.path)
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise TerminalError(f"{notifier.path} is no notifier: name a subclass of BaseNotifier")
    return found(**notifier.arguments)


class PostJson(BaseNotifier):  # type: ignore[misc]
    """Posts a JSON object.

    Args:
        body: The object.
        url: Where to; an address that is a secret belongs into a connection, and one of the worker's own
            machine or network too, unless it is one of the platform's `internal_hosts`.
        connection: An Airflow HTTP connection: its address, login and headers.
    """

    def __init__(
        self, *, body: Mapping[str, Any], url: str | None = None, connection: str | None = None
    ) -> None:
        super().__init__()
        self.body = body
        self.url = url
        self.connection = connection

    def notify(self, context: Context) -> None:
        """Post it.

        Raises:
            httpx.HTTPError: It could not be delivered, or was not accepted.
            InternalHostError: `url` leads to the worker's own machine or network.
        """
        import httpx

        from factory.airflow import connections
        from factory.base.hosts import EVERY_HOST, check_host, check_peer

        url, login, internal_hosts = self.url, None, context.get(INTERNAL_HOSTS, ())
        if self.connection:
            url, login = connections.http_address(self.connection)
            # The platform has written it.
            internal_hosts = (EVERY_HOST,)
        host = httpx.URL(str(url)).host
        check_host(host, internal_hosts)
        with httpx.Client(timeout=_WEBHOOKS_PATIENCE) as client:
            request = client.build_request(
                "POST",
                str(url),
                json=dict(self.body),
                headers=login.headers if login else None,
                extensions=check_peer(host, internal_hosts),
            )
            auth = (login.user or "", login.password or "") if login and login.user else None
            answer = client.send(request, auth=auth)
        if not answer.is_success:
            # httpx's own message shows the address, which may be a secret.
            raise httpx.HTTPStatusError(
                f"the receiver answered {answer.status_code}",
                request=answer.request,
                response=answer,
            )
