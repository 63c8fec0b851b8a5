"""What is published while a consumer is busy with something published before."""

import pytest

from factory.runtime.airflow_records import AssetEvent, DagRun
from tests.harness.airflow import LONG, Installation

TEAM = """\
version: 1
team: rush
owner: rush@example.org
datasets:
  ticks: {source: {type: csv, path: data/rush/ticks.csv}}
  copies:
    source: {type: dataset, dataset: ticks}
    after:
      hold:
        operator: airflow.providers.standard.operators.bash.BashOperator
        bash_command: while [ ! -e "$FACTORY_PROJECT/data/rush/go_on" ]; do sleep 0.2; done
"""

TICKS, COPIES = "rush.ticks", "rush.copies"


class Rush(Installation):
    """The team `rush` on the shared Airflow."""

    def publish(self, number: int) -> AssetEvent:
        (self.project / "data" / "rush" / "ticks.csv").write_text(f"n\n{number}\n")
        return self.event_of(self.run(TICKS))

    def started_versions(self) -> list[list[int]]:
        """The versions of the events that each run of `copies` has, the first run first."""
        return [
            [
                event.extra["version"]
                for event in self.airflow.upstream_asset_events(COPIES, run.dag_run_id)
            ]
            for run in sorted(self.airflow.runs(COPIES), key=lambda run: run.dag_run_id)
        ]


@pytest.fixture(scope="module")
def rush(installation: Installation) -> Rush:
    installation.add({"data/rush/ticks.csv": "n\n0\n", "configs/rush.yaml": TEAM})
    return Rush.of(installation)


def test_what_was_published_last_starts_a_run_though_more_than_one_came_while_another_was_busy(
    rush: Rush,
):
    first = rush.publish(0)
    busy = rush.airflow.wait_until(
        lambda: next(iter(rush.airflow.runs(COPIES)), None), "the first run", seconds=LONG
    )
    rush.airflow.wait_until(
        lambda: rush.states(busy).get("hold") == "running", "its last task", seconds=LONG
    )
    for number in (1, 2, 3):
        last = rush.publish(number)
    (rush.project / "data" / "rush" / "go_on").touch()

    def done() -> bool:
        ended = all(run.ended for run in rush.airflow.runs(COPIES))
        return ended and last.extra["version"] in rush.started_versions()[-1]

    rush.airflow.wait_until(done, "the run of the last event", seconds=LONG)
    versions = [version for run in rush.started_versions() for version in run]
    assert sorted(versions) == [first.extra["version"], 1, 2, 3]
    newest = rush.lake.newest(COPIES)
    assert rush.lake.scan(COPIES, newest.version).to_table().to_pylist() == [{"n": 3}]


def test_a_run_without_anything_late_is_followed_by_none(rush: Rush):
    runs: list[DagRun] = list(rush.airflow.runs(COPIES))
    assert sum(map(len, rush.started_versions())) == 4
    assert len(runs) <= 3
