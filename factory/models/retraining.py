"""`retrain_when`: when a model is worth training again."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import Section
from factory.base.values import Result

if TYPE_CHECKING:
    from factory.lake.snapshot import Snapshot
    from factory.lake.table import Lake
    from factory.models.registry import Version

logger = logging.getLogger(__name__)

BY_HAND = ("manual", "backfill")
"""Triggers that stand for a person."""


class RetrainWhen(Section):
    """Rules of which one must hold, or a run that data, drift or the clock started skips itself.

    They compare with what the newest version was trained on. Runs that a person starts always train.
    """

    rows_added: int | None = Field(default=None, ge=1)
    """Train if the datasets have at least so many rows more than the newest version was trained on."""
    days_since: int | None = Field(default=None, ge=1)
    """Train if so many days have passed since the newest version was registered."""
    drift: bool = False
    """A run that drift has started trains whatever the other rules say."""

    @rule
    def _some_rule(self) -> Broken:
        if self.rows_added is None and self.days_since is None and not self.drift:
            yield PydanticCustomError(
                "retrain_when",
                "no rule is written: write `rows_added`, `days_since` or `drift: true`, or take the "
                "section away",
            )


class Retraining(Result):
    """Whether to train, and why."""

    train: bool
    reason: str


def retrain(
    rules: RetrainWhen,
    newest: "Version | None",
    snapshots: "Mapping[str, Snapshot]",
    *,
    lake: "Lake",
    trigger: str,
    now: datetime,
) -> Retraining:
    """Train if a person asks, if there is no version yet, or if one of the rules holds.

    Args:
        rules: What makes it worth it.
        newest: The newest version of the model, in production or not.
        snapshots: What would be trained on, by dataset.
        lake: Where the snapshots lie.
        trigger: Why the run started: `asset`, `drift`, `schedule`, `manual` or `backfill`.
        now: The time, with a zone.
    """
    found = _decide(rules, newest, snapshots, lake=lake, trigger=trigger, now=now)
    logger.info("%s: %s", "trains" if found.train else "does not train", found.reason)
    return found


def _decide(
    rules: RetrainWhen,
    newest: "Version | None",
    snapshots: "Mapping[str, Snapshot]",
    *,
    lake: "Lake",
    trigger: str,
    now: datetime,
) -> Retraining:
    if trigger in BY_HAND:
        return Retraining(train=True, reason="it was started by hand")
    if newest is None:
        return Retraining(train=True, reason="the model has no version yet")
    if trigger == "drift" and rules.drift:
        return Retraining(train=True, reason="drift was found")
    checked = list(_checked(rules, newest, snapshots, lake=lake, now=now))
    held = [text for holds, text in checked if holds]
    if held:
        return Retraining(train=True, reason="; ".join(held))
    reasons = [text for _, text in checked] or ["only drift counts, and there was none"]
    return Retraining(train=False, reason=f"no rule of `retrain_when` holds: {'; '.join(reasons)}")


def _checked(
    rules: RetrainWhen,
    newest: "Version",
    snapshots: "Mapping[str, Snapshot]",
    *,
    lake: "Lake",
    now: datetime,
) -> Iterator[tuple[bool, str]]:
    """Each rule but drift: whether it holds, and what was found."""
    since = f"since version {newest.number}"
    if rules.rows_added is not None:
        added = _rows_added(newest, snapshots, lake)
        if added is None:
            yield True, f"nobody knows how many rows were added {since}: its snapshot is gone"
        else:
            wanted = f"`rows_added` is {rules.rows_added:,}"
            yield added >= rules.rows_added, f"{added:,} rows were added {since}, {wanted}"
    if rules.days_since is not None:
        days = (now - newest.record.registered_at).total_seconds() / 86_400
        wanted = f"`days_since` is {rules.days_since}"
        if days < 0:
            wanted += ": version and clock contradict each other, set the clock right or start the DAG by hand"
        yield days >= rules.days_since, f"{days:.1f} days have passed {since}, {wanted}"


def _rows_added(newest: "Version", snapshots: "Mapping[str, Snapshot]", lake: "Lake") -> int | None:
    """How many rows more there are than the version was trained on; None where that is unknown."""
    from factory.lake.snapshot import NoSnapshotError

    rows = 0
    for name, snapshot in snapshots.items():
        try:
            rows += max(0, snapshot.rows - lake.snapshot(name, newest.record.snapshots[name]).rows)
        except (KeyError, NoSnapshotError):
            return None
    return rows
