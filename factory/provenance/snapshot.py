"""Where a snapshot of a dataset comes from: the run that published it, its source, and what checks found."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from factory.base.values import Result
from factory.lake.snapshot import LakeError, NoSnapshotError, Snapshot
from factory.lake.table import Lake


class SnapshotOrigin(Result):
    """A snapshot, and what it was made of."""

    dataset: str
    """The full name, `team.dataset`."""
    version: int
    problem: str = ""
    """Why it cannot be read any more; empty where it can."""
    rows: int | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    content_hash: str = ""
    schema_hash: str = ""
    published_at: str = ""
    """UTC, in ISO 8601."""
    is_newest: bool = False
    run_id: str = ""
    """Airflow's id of the run that published it."""
    dag_id: str = ""
    """Its DAG; empty for snapshots from before this was kept, as the next ones are."""
    source: dict[str, str] = Field(default_factory=dict)
    """Its kind, and where it reads."""
    read: dict[str, int] = Field(default_factory=dict)
    """The snapshots of other datasets that it was made of."""
    made_by: str = ""
    """The version of the model whose predictions it holds."""
    checks: dict[str, Any] | None = None
    """How many passed, and those that warned or failed."""

    @property
    def name(self) -> str:
        """The dataset, and which version of it."""
        return f"{self.dataset} version {self.version}"


def snapshot_origin(dataset: str, version: int | None, *, lake: Lake) -> SnapshotOrigin:
    """Where a snapshot comes from.

    Args:
        dataset: The full name, `team.dataset`.
        version: Which one; the newest if None.
        lake: Where the snapshots lie.

    Raises:
        NoSnapshotError: There is no such snapshot.
        LakeError: The lake cannot be read.
    """
    newest = lake.newest(dataset).version
    lake.snapshot(dataset, newest if version is None else version)
    snapshot, note = lake.published(dataset, newest if version is None else version)
    return _origin(snapshot, note, is_newest=snapshot.version == newest)


def newest_at(dataset: str, before: datetime, *, lake: Lake) -> int:
    """The version of the snapshot that was the newest at a time.

    Raises:
        NoSnapshotError: Nothing had been published by then.
    """
    for snapshot in lake.history(dataset):
        if datetime.fromisoformat(snapshot.published_at) <= before:
            return snapshot.version
    raise NoSnapshotError(f"{dataset}: nothing had been published by {before:%Y-%m-%d %H:%M} UTC")


def origin_if_there(dataset: str, version: int, *, lake: Lake) -> SnapshotOrigin:
    """The same for a snapshot that may be gone, which is said."""
    try:
        return snapshot_origin(dataset, version, lake=lake)
    except NoSnapshotError:
        return SnapshotOrigin(dataset=dataset, version=version, problem="it is gone")
    except LakeError as error:
        return SnapshotOrigin(dataset=dataset, version=version, problem=str(error))


def _origin(snapshot: Snapshot, note: Mapping[str, Any], *, is_newest: bool) -> SnapshotOrigin:
    origin = note.get("origin") or {}
    model, number = origin.get("model"), origin.get("model_version")
    return SnapshotOrigin(
        dataset=snapshot.dataset,
        version=snapshot.version,
        rows=snapshot.rows,
        columns=snapshot.columns,
        content_hash=snapshot.content_hash,
        schema_hash=snapshot.schema_hash,
        published_at=snapshot.published_at,
        is_newest=is_newest,
        run_id=str(note.get("run_id", "")),
        dag_id=origin.get("dag_id", ""),
        source=origin.get("source") or {},
        read=origin.get("read") or {},
        made_by=f"{model} version {number}" if model else "",
        checks=origin.get("checks"),
    )
