"""Checked rows into the lake, and what consumers are told."""

import logging
from dataclasses import dataclass
from typing import Any

from factory.data.checks.report import CheckReport
from factory.data.images.publish import publish_images
from factory.data.sql import Rows
from factory.lake import publishing
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.lake.write import Write

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """What publishing came to."""

    snapshot: Snapshot
    changed: bool
    """Whether an event is to be emitted."""
    event: dict[str, Any]
    """The asset event's extra: the snapshot (see `Snapshot.from_event`) and `checks`."""


def publish(
    dataset: str,
    rows: Rows,
    write: Write,
    *,
    lake: Lake,
    run_id: str,
    report: CheckReport,
    emit_unchanged: bool = False,
) -> Published:
    """Publish rows whose checks passed; see `factory.lake.publishing` for what counts as a change.

    The bytes of new pictures go first, so that no snapshot names what is not there.

    Args:
        dataset: The full name, `team.dataset`.
        rows: The rows that were checked.
        write: How they meet the published ones.
        lake: Where to.
        run_id: The run that publishes; a retry of it publishes once.
        report: What the checks found.
        emit_unchanged: Whether consumers should hear of unchanged content.

    Raises:
        LakeError: when the rows cannot be published.
        StorageError: when pictures cannot be uploaded; the next try goes on from there.
    """
    publish_images(dataset, rows, lake)
    publication = publishing.publish(
        lake, dataset, rows.file, write, run_id=run_id, emit_unchanged=emit_unchanged
    )
    snapshot = publication.snapshot
    log.info(
        "%s: %s version %d with %s rows (%s)",
        dataset,
        "published" if publication.changed else "unchanged, still",
        snapshot.version,
        f"{snapshot.rows:,}",
        snapshot.uri,
    )
    event = {**snapshot.as_event(), "checks": report.as_event()}
    return Published(snapshot, publication.changed, event)
