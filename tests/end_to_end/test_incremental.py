"""A folder that files come into: each run takes the new ones, and waits for them without a worker."""

import pytest

from tests.harness.airflow import Installation
from tests.harness.project import write

TEAM = """\
version: 1
team: depot
owner: depot@example.org
datasets:
  orders:
    source:
      type: csv
      path: data/depot/*.csv
      wait: {timeout: 10m, poke_interval: 1s}
    incremental: {by: file}
    write: {mode: append}
  parcels:
    source:
      type: csv
      path: data/depot/*.csv
      wait: {timeout: 2s, poke_interval: 1s, soft_fail: true}
    incremental: {by: file}
    write: {mode: append}
"""

ORDERS, PARCELS = "depot.orders", "depot.parcels"


def rows(first: int, last: int) -> str:
    return "id\n" + "".join(f"{number}\n" for number in range(first, last + 1))


@pytest.fixture(scope="module")
def depot(installation: Installation) -> Installation:
    installation.add({"data/depot/a.csv": rows(1, 60), "configs/depot.yaml": TEAM})
    return installation


def test_three_runs_take_each_file_once_and_wait_for_the_next(depot: Installation):
    counts = [depot.event_of(depot.run(ORDERS)).extra["rows"]]
    for name, lines in (("b", rows(61, 110)), ("c", rows(111, 170))):
        run = depot.airflow.trigger(ORDERS)
        depot.airflow.wait_until(
            lambda run=run: depot.states(run).get("wait") == "deferred",
            f"{ORDERS} to wait for {name}.csv",
            seconds=90,
        )
        write(depot.project, {f"data/depot/{name}.csv": lines})
        counts.append(depot.event_of(depot.end_of(run)).extra["rows"])
    assert counts == [60, 110, 170]


def test_run_without_anything_new_is_skipped_and_emits_no_event(depot: Installation):
    depot.run(PARCELS)
    run = depot.run(PARCELS)
    assert (run.state, depot.states(run)["publish"]) == ("success", "skipped")
    assert len(depot.events(PARCELS)) == 1
    assert "nothing came within 2 seconds: there is no new file" in depot.log_of(run, "wait")
