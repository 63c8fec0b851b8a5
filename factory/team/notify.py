"""`notify`: who is told what.

It may stand in `_defaults.yaml`, in a team's file, at a dataset and at a model. For each event, the
most specific place that names it decides alone: lists are replaced, not added up, and an empty list
silences an event.
"""

from factory.base.section import ListOf, Section
from factory.notifiers.message import Event
from factory.notifiers.notifier import AnyNotifier, Notifier

Notifiers = ListOf[AnyNotifier] | None


class DatasetNotify(Section):
    """Whom to tell what becomes of a dataset."""

    on_failure: Notifiers = None
    """A run failed; one message a run."""
    on_dataset: Notifiers = None
    """A snapshot was published."""


class Notify(DatasetNotify):
    """Whom to tell what becomes of datasets and models."""

    on_promotion: Notifiers = None
    """A version has become the champion."""
    on_kept_champion: Notifiers = None
    """A new version was trained, and the champion stays."""
    on_breach: Notifiers = None
    """Monitoring has found a drift, or a loss of quality."""


def notifiers_of(event: Event, *sections: DatasetNotify | None) -> tuple[Notifier, ...]:
    """Who is told of an event.

    Args:
        event: The event.
        sections: The sections `notify`, the most specific one first.
    """
    for section in sections:
        found: tuple[Notifier, ...] | None = getattr(section, event, None)
        if found is not None:
            return found
    return ()
