"""Which snapshots a run reads."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from factory.base.errors import NothingToDoError, TerminalError
from factory.lake.snapshot import NoSnapshotError, Snapshot
from factory.lake.table import Lake

log = logging.getLogger(__name__)


def resolve_inputs(
    datasets: Sequence[str],
    *,
    events: Mapping[str, Sequence[Mapping[str, Any]]],
    versions: Mapping[str, int],
    lake: Lake,
) -> dict[str, Snapshot]:
    """The snapshot of every dataset that a run reads.

    A version given by hand wins; then the newest that the events which started the run name; a
    dataset without either gives its newest snapshot.

    Args:
        datasets: Full names, `team.dataset`.
        events: The extras of the events that started the run, by dataset.
        versions: Versions given by hand, by dataset.
        lake: Where the snapshots lie.

    Raises:
        TerminalError: when a version is given for another dataset or is no whole number.
        NothingToDoError: nothing has been published yet of one of them.
        NoSnapshotError: when a version does not exist.
    """
    _check_versions(datasets, versions)
    resolved = {
        dataset: _resolve(dataset, events.get(dataset, ()), versions.get(dataset), lake)
        for dataset in datasets
    }
    for snapshot in resolved.values():
        log.info("reads %s version %d (%s)", snapshot.dataset, snapshot.version, snapshot.uri)
    return resolved


def _resolve(
    dataset: str, extras: Sequence[Mapping[str, Any]], version: int | None, lake: Lake
) -> Snapshot:
    if version is None:
        # An event that somebody made by hand, in Airflow's UI say, names no snapshot.
        named = [extra["version"] for extra in extras if "version" in extra]
        version = max(named, default=None)
    # The lake, and not the event, says what a snapshot contains.
    if version is not None:
        return lake.snapshot(dataset, version)
    try:
        return lake.newest(dataset)
    except NoSnapshotError as error:
        raise NothingToDoError(f"there is nothing to read yet: {error}") from error


def _check_versions(datasets: Sequence[str], versions: Mapping[str, int]) -> None:
    for dataset, version in versions.items():
        if dataset not in datasets:
            raise TerminalError(
                f"a version is given for {dataset}, which this DAG does not read: "
                f"it reads {', '.join(datasets) or 'no dataset'}"
            )
        if isinstance(version, bool) or not isinstance(version, int):
            raise TerminalError(
                f"the version of {dataset} is {version!r}: give a whole number such as 3"
            )
