"""Which version of a model was in production when: promotions, rollbacks, and what was refused.

Changes are read where `factory.models.champion_changes` writes them down before they are made, once and for good.
An alias that somebody moves in MLflow by hand changes nothing of that; it shows as a gap between what one
change left in production and what the next one found there. Changes from before they were written down are
known as far as the tags of versions tell.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Literal

from factory.base.values import Result
from factory.models import registry, switching
from factory.models.champion_changes import Change
from factory.models.registry import CHAMPION, Version
from factory.models.tracking import Tracking

Kind = Literal["promotion", "rollback", "refusal", "by hand"]


class HistoryEntry(Result):
    """Something that was done about the version in production, or was not."""

    kind: Kind
    at: datetime
    """When; for an alias moved by hand, when it was noticed at the latest."""
    version: int | None
    """The version that it is about; None where an alias was taken away."""
    before: int | None = None
    """The champion until then, where that is known."""
    by: str = ""
    why: str = ""
    is_from_tags: bool = False
    """Whether only a version's tags tell of it, which later changes write over."""


class Live(Result):
    """A span of time, and the version that was in production in it."""

    version: int | None
    since: datetime | None
    """None for the time before all that is known."""
    until: datetime | None
    """None for the one that is in production now."""
    is_certain: bool = True
    """False where an alias was moved by hand within the span, or only tags tell of it."""


class ChampionHistory(Result):
    """All that is known of a model's champions."""

    model: str
    champion: int | None
    """The version in production now."""
    entries: tuple[HistoryEntry, ...]
    """The oldest first."""
    is_complete: bool
    """Whether every change since the first version is known."""
    known_since: datetime | None
    """From when on every change is known; None where none is written down."""

    def live(self) -> list[Live]:
        """Which version was in production when, the oldest first, without a gap."""
        moves = [one for one in self.entries if one.kind != "refusal"]
        first = moves[0].at if moves else None
        spans = [Live(version=None, since=None, until=first, is_certain=self.is_complete)]
        for move, following in zip_longest(moves, moves[1:]):
            moved_by_hand = following is not None and following.kind == "by hand"
            spans.append(
                Live(
                    version=move.version,
                    since=move.at,
                    until=following.at if following else None,
                    is_certain=not (move.is_from_tags or moved_by_hand),
                )
            )
        return spans

    def live_within(self, start: datetime, end: datetime) -> list[Live]:
        """The spans that a time, or a span of time, has a part in."""
        return [
            span
            for span in self.live()
            if (span.since is None or span.since < end or span.since == start)
            and (span.until is None or span.until > start)
        ]


def champion_history(model: str, *, tracking: Tracking) -> ChampionHistory:
    """All that is known of a model's champions.

    Raises:
        UnknownModelError: There is no such model.
        TrackingError: The MLflow server does not answer.
    """
    changes = switching.recorded_changes(model, tracking=tracking)
    versions = registry.versions(model, tracking=tracking)
    champion = next((one.number for one in versions if CHAMPION in one.aliases), None)
    is_complete = not changes or (changes[0].number == 1 and changes[0].before is None)
    entries = [*_of_changes(changes), *_refusals(versions)]
    if not changes or not is_complete:
        entries += _of_tags(versions, before=changes[0].at if changes else None)
    if changes and champion != changes[-1].to:
        entries.append(_by_hand(champion, changes[-1].to, datetime.now(UTC)))
    elif not changes and champion is not None:
        is_complete = False
        if not any(entry.version == champion for entry in entries if entry.kind != "refusal"):
            entries.append(_by_hand(champion, None, datetime.now(UTC)))
    return ChampionHistory(
        model=model,
        champion=champion,
        entries=tuple(sorted(entries, key=lambda entry: entry.at)),
        is_complete=is_complete,
        known_since=changes[0].at if changes else None,
    )


def _of_changes(changes: Sequence[Change]) -> Iterator[HistoryEntry]:
    """The changes that are written down, and what must have happened by hand between them."""
    for earlier, change in zip([None, *changes], changes, strict=False):
        if earlier is not None and change.before != earlier.to:
            # Found by the change, and so a moment before it.
            at = change.at - timedelta(milliseconds=1)
            yield _by_hand(change.before, earlier.to, at)
        yield HistoryEntry(
            kind=change.reason,
            at=change.at,
            version=change.to,
            before=change.before,
            by=change.by,
            why=change.why,
        )


def _by_hand(version: int | None, before: int | None, at: datetime) -> HistoryEntry:
    return HistoryEntry(
        kind="by hand",
        at=at,
        version=version,
        before=before,
        why="the alias was moved in MLflow by hand; nobody wrote down who did, when and why",
    )


def _refusals(versions: Sequence[Version]) -> Iterator[HistoryEntry]:
    for version in versions:
        if version.tags.get("outcome") == "kept":
            yield HistoryEntry(
                kind="refusal",
                at=_time(version.tags.get("outcome_at")) or version.record.registered_at,
                version=version.number,
                why=version.tags.get("outcome_why", ""),
                is_from_tags=True,
            )


def _of_tags(versions: Sequence[Version], before: datetime | None) -> Iterator[HistoryEntry]:
    """The last time that each version went into production, before changes were written down."""
    # Tags have no fractions of seconds.
    before = before and before.replace(microsecond=0)
    for version in versions:
        at = _time(version.tags.get("promoted_at"))
        if at is not None and (before is None or at < before):
            yield HistoryEntry(
                kind="promotion",
                at=at,
                version=version.number,
                by=version.tags.get("promoted_by", ""),
                why=version.tags.get("promoted_why", ""),
                is_from_tags=True,
            )


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
