"""What happens to rows between their source and their checks."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from factory.data.rows import Rows
from factory.data.transforms.transform import Reach, Transform, TransformContext
from factory.lake.table import Lake

log = logging.getLogger(__name__)


def transform(
    transforms: Sequence[Transform],
    rows: Rows,
    *,
    workspace: Path,
    lake: Lake,
    versions: Mapping[str, int],
    team: str,
    reach: Reach | None = None,
) -> Rows:
    """Rows after every transform, in order.

    Args:
        transforms: As `Transform.for_document` gives them: files are read before.
        rows: The rows so far; their file stays, so that the task can be retried.
        workspace: Where intermediate files go.
        lake: Where further datasets are read.
        versions: The version of every dataset that SQL may read as `team.dataset`.
        team: The team whose dataset or model this is; new images are its.
        reach: What transforms may read beside rows and the lake; nothing when left out.

    Raises:
        TerminalError: A query or a function cannot be used, or fails on these rows.
    """
    latest = rows
    for number, step in enumerate(transforms, 1):
        file = workspace / f"{rows.file.stem}_transform_{number}.parquet"
        what = f"transform {number} ({step.describe()})"
        after = step.apply(
            TransformContext(latest, file, what, team, lake, versions, reach or Reach())
        )
        log.info(
            "transform %d (%s): %s rows -> %s rows", number, step.type, latest.rows, after.rows
        )
        if latest.file != rows.file:
            latest.file.unlink()
        latest = after
    return latest
