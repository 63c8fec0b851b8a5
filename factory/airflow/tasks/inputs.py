"""The snapshots that a run reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from factory.airflow.task_run import TaskRun, reference


def inputs(*, run: TaskRun, triggering_asset_events: Mapping[Any, Any]) -> dict[str, Any]:
    """Decide which snapshot of each dataset the whole run reads.

    That of the newest triggering event; for a dataset without one, the newest; versions given by
    hand, in the param `versions`, win.
    """
    return decide(run, run.shared.reads, triggering_asset_events)


def decide(
    run: TaskRun, datasets: Sequence[str], triggering_asset_events: Mapping[Any, Any]
) -> dict[str, Any]:
    """See `inputs`."""
    from factory.lake.inputs import resolve_inputs

    events = {
        asset.name: [event.extra for event in found]
        for asset, found in triggering_asset_events.items()
    }
    snapshots = resolve_inputs(
        list(datasets), events=events, versions=run.params.get("versions") or {}, lake=run.lake
    )
    return {
        "snapshots": {name: snapshot.as_event() for name, snapshot in snapshots.items()},
        "reads": [reference(snapshot.as_event()) for snapshot in snapshots.values()],
    }
