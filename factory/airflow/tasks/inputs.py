"""The snapshots that a run reads."""

from collections.abc import Mapping
from typing import Any


def inputs(
    *,
    datasets: list[str],
    storage: str,
    params: Mapping[str, Any],
    triggering_asset_events: Mapping[Any, Any],
) -> dict[str, Any]:
    """Decide which snapshot of each dataset the whole run reads.

    That of the newest triggering event; for a dataset without one, the newest; versions given by
    hand, in the param `versions`, win.
    """
    from factory.lake.inputs import resolve_inputs
    from factory.lake.table import Lake

    events = {
        asset.name: [event.extra for event in found]
        for asset, found in triggering_asset_events.items()
    }
    snapshots = resolve_inputs(
        datasets, events=events, versions=params.get("versions") or {}, lake=Lake(storage)
    )
    return {
        "snapshots": {name: snapshot.as_event() for name, snapshot in snapshots.items()},
        "reads": [reference(snapshot.as_event()) for snapshot in snapshots.values()],
    }


def chosen(ti: Any) -> dict[str, Any]:
    """The snapshots that `inputs` decided on, by dataset; none where the DAG has no such task."""
    from factory.lake.snapshot import Snapshot

    result = ti.xcom_pull(task_ids="inputs") or {"snapshots": {}}
    return {name: Snapshot.from_event(event) for name, event in result["snapshots"].items()}


def versions(ti: Any) -> dict[str, int]:
    """The versions that `inputs` decided on, by dataset."""
    return {name: snapshot.version for name, snapshot in chosen(ti).items()}


def reference(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What lineage needs to know of a snapshot."""
    return {key: snapshot[key] for key in ("dataset", "uri", "version")}


def references(ti: Any) -> list[dict[str, Any]]:
    """What lineage needs to know of the snapshots that `inputs` decided on."""
    return [reference(snapshot.as_event()) for snapshot in chosen(ti).values()]
