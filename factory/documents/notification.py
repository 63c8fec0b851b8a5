"""Whom documents tell what: the sections `notify`, from the most specific place on."""

from typing import Any

from factory.data.dataset import Dataset
from factory.notifiers.message import Event
from factory.team.notify import notifiers_of
from factory.team.team import TeamConfig
from factory.training.model import Model

ON_FAILURE = "factory.airflow.run_failures.run_failed"


def told(event: Event, team: TeamConfig, about: Dataset | Model | None = None) -> list[Any]:
    """The notifiers of an event as plain data, without what has its default.

    Args:
        event: The event.
        team: The team.
        about: What the event is about; None for the team's own DAGs.
    """
    found = notifiers_of(event, about.notify if about else None, team.notify)
    return [notifier.model_dump(mode="json", exclude_defaults=True) for notifier in found]


def on_failure(team: TeamConfig, about: Dataset | Model | None = None) -> dict[str, Any]:
    """A document's key `on_failure_callback`, if somebody is to be told of failed runs."""
    found = told("on_failure", team, about)
    return {"on_failure_callback": {"callback": ON_FAILURE, "targets": found}} if found else {}


def with_targets(event: Event, team: TeamConfig, about: Dataset | Model) -> dict[str, Any]:
    """The argument `notify` of a task's function that tells people itself, if there are any."""
    found = told(event, team, about)
    return {"notify": found} if found else {}


def telling(event: Event, team: TeamConfig, about: Dataset | Model) -> dict[str, Any]:
    """The operator's argument `notify`: its success is the event, and those targets are told."""
    found = told(event, team, about)
    return {"notify": {"event": event, "targets": found}} if found else {}
