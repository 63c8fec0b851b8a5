"""`factory restore`: an old version of a dataset becomes its newest snapshot."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError

from factory.base.files import TEMPORARY
from factory.lake.snapshot import DamagedSnapshotError, LakeError, NoSnapshotError, Snapshot
from factory.lake.storage.files import Files
from factory.lake.table import Lake, data_files
from factory.lake.table_log import TableLog

_TRIES = 5


@dataclass(frozen=True)
class RestoredSnapshot:
    """What restoring came to."""

    snapshot: Snapshot
    """The new newest one."""
    of_version: int
    """The version whose rows it has."""
    passed_over: tuple[str, ...]
    """Why newer versions could not be taken."""


def restore(lake: Lake, dataset: str, version: int | None = None) -> RestoredSnapshot:
    """Make the rows of an old version the newest snapshot, in one step; no version goes away.

    Works on a table whose log is damaged, too: what is read from then on begins at the new version.

    Args:
        lake: Where the dataset lies.
        dataset: The full name, `team.dataset`.
        version: The version to go back to; the newest whole one before the newest if left out.

    Raises:
        NoSnapshotError: There is no such version, or none to go back to.
        DamagedSnapshotError: The version itself is damaged.
        LakeError: It is the newest already, or others kept on publishing meanwhile.
    """
    for _ in range(_TRIES):
        log = TableLog(lake.files, dataset)
        newest = max(log.versions(), default=None)
        if newest is None:
            raise NoSnapshotError(f"{dataset}: nothing has been published yet")
        passed_over: list[str] = []
        if version is None:
            chosen = next(_whole(lake, dataset, newest, passed_over), None)
            if chosen is None:
                raise NoSnapshotError(
                    f"{dataset} has no whole snapshot before version {newest}: publish it again by "
                    f"`factory run {dataset}`" + "".join(f"\n  {why}" for why in passed_over)
                )
        elif version == newest:
            raise LakeError(f"{dataset}: version {version} is the newest already")
        else:
            chosen = _checked(lake, dataset, version)
        new = _committed(lake, log, chosen, newest)
        if new is not None:
            return RestoredSnapshot(new, chosen.version, tuple(passed_over))
    raise LakeError(f"{dataset}: others kept on publishing meanwhile; restore it again")


def _checked(lake: Lake, dataset: str, version: int) -> Snapshot:
    snapshot = lake.snapshot(dataset, version)
    lake.check(dataset, version, "full")
    return snapshot


def _whole(lake: Lake, dataset: str, before: int, passed_over: list[str]) -> Iterator[Snapshot]:
    """The whole snapshots before a version, the newest first."""
    for version in range(before - 1, -1, -1):
        try:
            yield _checked(lake, dataset, version)
        except NoSnapshotError:
            continue  # maintenance, which publishes nothing
        except DamagedSnapshotError as error:
            passed_over.append(str(error).partition(". ")[0])


def _committed(lake: Lake, log: TableLog, old: Snapshot, newest: int) -> Snapshot | None:
    """The new snapshot; None if somebody else has published that version meanwhile."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    new = replace(old, version=newest + 1, published_at=now)
    properties = CommitProperties(
        custom_metadata={"factory": _note(log, old, new)}, max_commit_retries=0
    )
    try:
        table = lake.table(old.dataset)
    except DamagedSnapshotError:
        return new if _begun_anew(lake.files, log, old.version, new.version, properties) else None
    if table.version() != newest:
        return None
    try:
        with lake.reached(old.dataset):
            table.restore(old.version, commit_properties=properties)
    except CommitFailedError:
        return None
    return new


def _note(log: TableLog, old: Snapshot, new: Snapshot) -> dict[str, Any]:
    """What the commit says: as at the old version, but for the version and when."""
    info = log.commit_info(old.version) or {}
    described = new.as_event()
    del described["uri"], described["dataset"]
    return {**info["factory"], "snapshot": described, "restored": old.version}


def _begun_anew(
    files: Files, log: TableLog, old: int, new: int, properties: CommitProperties
) -> bool:
    """Have a table whose log is damaged begin anew with the rows of an old version.

    Delta's library makes the new version on a copy of the log's whole part, and a checkpoint of it:
    who opens the table reads nothing that is older. Until that is there, the table stays as it is.

    Returns:
        Whether it was done; not if somebody else has made that version meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as name:
        copy = Path(name) / "_delta_log"
        for file in files.names(f"{log.folder}/"):
            bare = file.rpartition("/")[2]
            if bare[:20].isdigit() and int(bare[:20]) <= old:
                files.download(file, copy / bare)
        _fill(Path(name), copy, old, new)
        # The copy has no data files; the real ones were looked at.
        DeltaTable(name).restore(old, ignore_missing_files=True, commit_properties=properties)
        DeltaTable(name).create_checkpoint()
        if not files.create(copy / f"{new:020d}.json", log.name_of(new)):
            return False
        checkpoint = f"{new:020d}.checkpoint.parquet"
        for bare in (checkpoint, "_last_checkpoint"):
            files.upload(copy / bare, f"{log.folder}/{bare}")
    return True


def _fill(folder: Path, log: Path, old: int, new: int) -> None:
    """Commits between two versions, so that there is no gap; the last takes all rows away.

    Without that there would be nothing to restore.
    """
    gone = [
        {"remove": {"path": file.name, "dataChange": True, "deletionTimestamp": 0}}
        for file in data_files(DeltaTable(str(folder), version=old))
    ]
    for number in range(old + 1, new):
        actions = [{"commitInfo": {"operation": "damaged"}}, *(gone if number == new - 1 else ())]
        lines = "".join(f"{json.dumps(action)}\n" for action in actions)
        (log / f"{number:020d}.json").write_text(lines)
