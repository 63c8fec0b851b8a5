from typing import Any

import pytest

from factory.base.errors import NothingToDoError, TerminalError
from factory.lake import publishing
from factory.lake.inputs import resolve_inputs
from factory.lake.snapshot import NoSnapshotError, Snapshot
from factory.lake.table import Lake
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of

pytestmark = pytest.mark.usefixtures("each_storage")


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = lake_in(tmp_path)
    for dataset, snapshots in (("marine.penguins", 3), ("fishery.catches", 1)):
        for number in range(snapshots):
            file = rows_of(f"select {number} as id", tmp_path).file
            publishing.publish(lake, dataset, file, Write(), run_id=f"run {number}")
    return lake


def event(lake: Lake, dataset: str, version: int) -> dict[str, Any]:
    return {**lake.snapshot(dataset, version).as_event(), "checks": {}}


def versions(resolved: dict[str, Snapshot]) -> dict[str, int]:
    return {dataset: snapshot.version for dataset, snapshot in resolved.items()}


def test_dataset_without_event_gives_its_newest_snapshot(lake):
    resolved = resolve_inputs(["marine.penguins"], events={}, versions={}, lake=lake)
    assert resolved == {"marine.penguins": lake.newest("marine.penguins")}


def test_the_newest_of_the_triggering_events_is_read_and_not_a_newer_snapshot(lake):
    events = {"marine.penguins": [event(lake, "marine.penguins", n) for n in (1, 0)]}
    resolved = resolve_inputs(
        ["marine.penguins", "fishery.catches"], events=events, versions={}, lake=lake
    )
    assert versions(resolved) == {"marine.penguins": 1, "fishery.catches": 0}


def test_version_given_by_hand_wins(lake):
    events = {"marine.penguins": [event(lake, "marine.penguins", 1)]}
    resolved = resolve_inputs(
        ["marine.penguins"], events=events, versions={"marine.penguins": 0}, lake=lake
    )
    assert versions(resolved) == {"marine.penguins": 0}


def test_event_made_by_hand_in_airflow_means_the_newest(lake):
    events = {"marine.penguins": [{"from_rest_api": True}]}
    resolved = resolve_inputs(["marine.penguins"], events=events, versions={}, lake=lake)
    assert versions(resolved) == {"marine.penguins": 2}


def test_version_for_a_dataset_that_is_not_read_names_those_that_are(lake):
    with pytest.raises(TerminalError, match=r"marine.penguin, .* it reads marine.penguins"):
        resolve_inputs(["marine.penguins"], events={}, versions={"marine.penguin": 1}, lake=lake)


def test_unknown_version_names_the_known_ones(lake):
    with pytest.raises(NoSnapshotError, match="no version 7: its newest versions are 2, 1, 0"):
        resolve_inputs(["marine.penguins"], events={}, versions={"marine.penguins": 7}, lake=lake)


@pytest.mark.parametrize("version", ["1", 1.0, True, None])
def test_version_that_is_no_whole_number_is_refused(lake, version):
    with pytest.raises(TerminalError, match="give a whole number"):
        resolve_inputs(
            ["marine.penguins"], events={}, versions={"marine.penguins": version}, lake=lake
        )


def test_dataset_that_was_never_published_is_named(lake):
    with pytest.raises(NothingToDoError, match=r"`factory run marine.seals`"):
        resolve_inputs(["marine.seals"], events={}, versions={}, lake=lake)
