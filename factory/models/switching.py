"""Change which version is in production: one change at a time, whoever asks, and whatever ends on the way.

Trainings, deployments that go back and people may all want to at once, from several machines. Each change has
a number, and before it is made it is written down under this number: see `factory.models.champion_changes`. Who
finds the number taken has lost, and is told by whom.

Nothing has to be given back, so nobody waits for a process that was killed: what it wrote down and did not
make, whoever comes next makes first. The model's tag `champion_changes` is the number of the last change
that was made. An alias that somebody sets in MLflow by hand is taken as it is found.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.models import registry
from factory.models.champion_changes import Change, WrittenChanges
from factory.models.registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    Reason,
    UnknownModelError,
    Version,
    repeated_if_overtaken,
)
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)

_DONE = "champion_changes"
_LONGEST = 2_000
"""Characters of who and why: a parameter holds 6,000."""


class ChampionChangedError(TerminalError):
    """Another version is in production than the one that a decision was made against."""


@dataclass(frozen=True)
class Switch:
    """A change of the version in production."""

    now: Version
    before: int | None
    """The number of the version that was in production until then."""


def promote(
    model: str,
    number: int,
    *,
    instead_of: int | None,
    by: str,
    why: str,
    tracking: Tracking | None = None,
) -> Switch:
    """Put a version into production: it becomes `champion`, and what was so becomes `previous`.

    Calling it again changes nothing, so that a retry may.

    Args:
        model: The full name, `team.model`.
        number: The version.
        instead_of: The champion that the version was found to be better than; None for no champion.
        by: Who does it.
        why: One sentence.
        tracking: The MLflow server; the one in MLFLOW_TRACKING_URI when left out.

    Raises:
        ChampionChangedError: By now, another version than `instead_of` is in production.
        UnknownModelError: There is no such model or version.
        TrackingError: The MLflow server does not answer.
    """
    changes = _Changes(model, tracking or Tracking())
    changes.require(number)
    advice = (
        "Trigger the training again to compare them, or promote by hand: "
        f"factory rollback {model} --to {number}"
    )
    found = changes.settled()
    if found.champion not in (number, instead_of):
        raise ChampionChangedError(
            f"{model}: version {number} is to replace {_words(instead_of)}, but by now the champion "
            f"is {_words(found.champion)}, which it was not compared with. {advice}"
        )
    if found.champion != number:
        changes.change(found, number, "promotion", by=by, why=why, advice=advice)
    return Switch(registry.version(model, number, tracking=changes.tracking), instead_of)


def rollback(
    model: str,
    to: int | None = None,
    *,
    by: str,
    why: str,
    instead_of: int | None = None,
    asked_at: datetime | None = None,
    tracking: Tracking | None = None,
) -> Switch:
    """Put the `previous` version, or the one that is named, back into production.

    Args:
        model: The full name, `team.model`.
        to: The version; the previous champion when left out.
        by: Who does it.
        why: One sentence.
        instead_of: The champion that is to be replaced; whichever there is when left out.
        asked_at: When somebody asked for it, who cannot know of a change that was made later.
        tracking: The MLflow server; the one in MLFLOW_TRACKING_URI when left out.

    Raises:
        ChampionChangedError: Another version than `instead_of` is in production, or it changed after it
            was asked for.
        UnknownModelError: There is no such model or version; names those that there are.
        TerminalError: There is no previous version, or the version is in production already.
        TrackingError: The MLflow server does not answer.
    """
    changes = _Changes(model, tracking or Tracking())
    if to is not None:
        changes.require(to)
    advice = f"See `factory champion {model}`, and ask again if it is still what you want"
    found = changes.settled()
    if instead_of is not None and found.champion != instead_of:
        raise ChampionChangedError(
            f"{model}: {_words(instead_of)} is to be replaced, but by now the champion is "
            f"{_words(found.champion)}. {advice}"
        )
    if asked_at and found.last and asked_at < found.last.at <= datetime.now(UTC):
        raise ChampionChangedError(
            f"{model}: {_told(found.last)}, after this rollback was asked for, so nothing was "
            f"changed. {advice}"
        )
    to = found.previous if to is None else to
    if to is None:
        raise TerminalError(
            f"{model} has no previous version to go back to: name one with --to; it has "
            f"{changes.numbers}"
        )
    if found.champion == to:
        raise TerminalError(
            f"{model}: version {to} is the champion already; it has {changes.numbers}"
        )
    changes.change(found, to, "rollback", by=by, why=why, advice=advice)
    return Switch(registry.version(model, to, tracking=changes.tracking), found.champion)


def recorded_changes(model: str, *, tracking: Tracking) -> list[Change]:
    """Every change that was written down and made, the oldest first; nobody loses one by setting an alias.

    Raises:
        UnknownModelError: There is no such model.
        TrackingError: The MLflow server does not answer.
    """
    return _Changes(model, tracking).all_made()


@dataclass(frozen=True)
class _Found:
    """What the registry says once all changes that are written down are made."""

    champion: int | None
    previous: int | None
    challenger: int | None
    made: int
    """The number of the last change that was made."""
    last: Change | None = None
    """The last one that is written down."""


class _Changes:
    """The changes of one model's champion."""

    def __init__(self, model: str, tracking: Tracking) -> None:
        self.model = model
        self.tracking = tracking
        self._versions = registry.versions(model, tracking=tracking)
        self._written = WrittenChanges(model, self._versions, tracking)

    @property
    def numbers(self) -> str:
        """The versions that there are, for messages."""
        return one_of(sorted(one.number for one in self._versions))

    def require(self, number: int) -> None:
        """Check that there is a version.

        Raises:
            UnknownModelError: There is none of this number.
        """
        if number not in {one.number for one in self._versions}:
            raise UnknownModelError(f"{self.model} has no version {number}: it has {self.numbers}")

    def settled(self) -> _Found:
        """What is in production, after making what somebody wrote down and did not get to."""
        while True:
            # In this order: what is read later cannot be older than the change.
            last = self._written.last()
            found = self._found(last)
            if last is None or last.number <= found.made:
                return found
            if found.champion in (last.before, last.to):
                logger.warning("%s: makes what was begun: %s", self.model, _told(last))
                self._make(last)
            else:  # Somebody has set the alias by hand since.
                self._count(last)

    def change(
        self, found: _Found, to: int, reason: Reason, *, by: str, why: str, advice: str
    ) -> None:
        """Make one change of what was found; nobody else can make another one of the same.

        Raises:
            ChampionChangedError: Somebody was faster.
        """
        change = Change(
            number=max(found.made, found.last.number if found.last else 0) + 1,
            to=to,
            before=found.champion,
            reason=reason,
            by=by[:_LONGEST],
            why=why[:_LONGEST],
            at=datetime.now(UTC),
        )
        self._write_down(change, advice)
        self._make(change)
        while True:
            now, last = self._found(), self._written.last()
            if last is None or last == change:
                break
            # Somebody has made the next change meanwhile, which ours may have undone by its aliases.
            self._make(last)
            change = last
        if now.champion != change.to:
            raise ChampionChangedError(
                f"{self.model}: {_told(change)}, but now the alias `{CHAMPION}` is at "
                f"{_words(now.champion)}: something else sets it too. {advice}"
            )

    def _write_down(self, change: Change, advice: str) -> None:
        other = self._written.write(change)
        if other is not None:
            raise ChampionChangedError(
                f"{self.model}: version {change.to} is to replace {_words(change.before)}, but at "
                f"the same time {_told(other)}. {advice}"
            )

    def _make(self, change: Change) -> None:
        """Set aliases and tags; `previous` first, so that whatever happens in between, nothing is lost."""
        model, tracking = self.model, self.tracking
        if change.before is not None:
            registry.set_alias(model, PREVIOUS, change.before, tracking=tracking)
        registry.set_alias(model, CHAMPION, change.to, tracking=tracking)
        registry.tag(model, change.to, change.tags("promoted"), tracking=tracking)
        if change.reason == "rollback" and change.before is not None:
            registry.tag(model, change.before, change.tags("rolled_back"), tracking=tracking)
        # A version in production is no challenger any more; a newer challenger stays one.
        if self._found().challenger == change.to:
            with tracking.asked() as client:
                repeated_if_overtaken(
                    lambda: client.delete_registered_model_alias(model, CHALLENGER)
                )
        self._count(change)

    def _count(self, change: Change) -> None:
        with self.tracking.asked() as client:
            repeated_if_overtaken(
                lambda: client.set_registered_model_tag(self.model, _DONE, str(change.number))
            )

    def _found(self, last: Change | None = None) -> _Found:
        with self.tracking.asked() as client:
            model = client.get_registered_model(self.model)
        numbers = {alias: int(number) for alias, number in model.aliases.items()}
        made = str(model.tags.get(_DONE, ""))
        return _Found(
            champion=numbers.get(CHAMPION),
            previous=numbers.get(PREVIOUS),
            challenger=numbers.get(CHALLENGER),
            made=int(made) if made.isdigit() else 0,
            last=last,
        )

    def all_made(self) -> list[Change]:
        """The changes that were made, the oldest first."""
        now = self._found()
        # What was written down and not made yet is not in production.
        return [
            change
            for change in self._written.all(now.made)
            if change.number <= now.made or now.champion == change.to
        ]


def _told(change: Change) -> str:
    """One sentence about a change."""
    when = f"{change.at:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{change.by} has put version {change.to} into production in place of "
        f"{_words(change.before)} ({when}: {change.why})"
    )


def _words(number: int | None) -> str:
    return "none" if number is None else f"version {number}"
