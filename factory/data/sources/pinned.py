"""Types that the texts of a source had in the last snapshot: what the next run reads them as."""

from collections.abc import Mapping
from typing import Any

from factory.base.digests import sha256_of_json
from factory.data.sources.source import KnownTypes, Source
from factory.lake.snapshot import NoSnapshotError
from factory.lake.table import Lake


def reading_of(source: Source, columns: Mapping[str, str]) -> dict[str, Any]:
    """What a snapshot keeps of how its rows were read, as JSON.

    Args:
        source: Where they came from.
        columns: The columns before any transform, and their types.
    """
    return {"columns": dict(columns), "dialect": _dialect(source)}


def pinned_types(
    lake: Lake, dataset: str, source: Source, *, may_widen: bool = False
) -> KnownTypes:
    """The types of the newest snapshot's source; none where the file now says otherwise how it is to be read.

    Args:
        lake: Where the snapshots lie.
        dataset: The full name, `team.dataset`.
        source: The source now.
        may_widen: Whether numbers may get a wider type.
    """
    if not source.reads_texts:
        return KnownTypes()
    try:
        snapshot, note = lake.published(dataset, lake.table(dataset).version())
    except NoSnapshotError:
        return KnownTypes()
    before = note.get("source")
    if before is None or before["dialect"] != _dialect(source):
        return KnownTypes()
    where = f"version {snapshot.version} of {dataset}"
    return KnownTypes(before["columns"], where, may_widen=may_widen)


def _dialect(source: Source) -> str:
    # Not the path or the query: a template in it has another text in every run.
    return sha256_of_json([source.type, source.written_how()])
