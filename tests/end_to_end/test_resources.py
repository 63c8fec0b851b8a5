"""What is created for a run is destroyed with it: after success, failure, a killed task, a stopped run.

Python resources write down what happens to them; SQL resources live in a real PostgreSQL.
"""

import os
import signal
from pathlib import Path

import pytest

from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import LONG, Installation
from tests.harness.project import flowers
from tests.harness.shared import Database

NESTED = """\
    resources:
      outer:
        type: python
        create: chores.make
        destroy: chores.drop
        arguments: {{name: {name}_outer}}
        resources:
          inner:
            type: python
            create: chores.make
            destroy: chores.drop
            arguments: {{name: "inner of {{{{ resource('outer').name }}}}", broken: "{broken}"}}
"""

GARDEN = f"""\
version: 1
team: garden
owner: garden@example.org
defaults: {{retries: 0}}
datasets:
  weeds: {{source: {{type: csv, path: data/weeds.csv}}}}
  good:
    source: {{type: python, call: chores.rows, arguments: {{inside: "{{{{ resource('inner').name }}}}"}}}}
{NESTED.format(name="good", broken="")}
  left:
    source: {{type: python, call: chores.rows, arguments: {{inside: left}}}}
{NESTED.format(name="left", broken="destroy")}
  missing:
    source: {{type: python, call: chores.rows, arguments: {{inside: missing}}}}
{NESTED.format(name="missing", broken="create")}
  twice:
    source: {{type: python, call: chores.rows, arguments: {{inside: twice, broken: true}}}}
{NESTED.format(name="twice", broken="destroy")}
  roses:
    source: {{type: csv, path: data/roses.csv}}
    load:
      connection: warehouse
      table: garden.roses_staging
      then: |
        alter table garden.roses rename to roses_backup;
        alter table garden.roses_staging rename to roses
    checks:
      - {{check: row_count, min: 3}}
      - {{check: between, column: height, min: 1}}
    resources:
      tables:
        type: sql
        connection: warehouse
        create: create table garden.roses_staging (like garden.roses including all)
        destroy: |
          drop table if exists garden.roses_staging;
          drop table if exists garden.roses_backup
models:
  endless:
    task: classification
    train_on: weeds
    schedule: none
    target: species
{NESTED.format(name="cluster", broken="")}
    search:
      strategy: list
      trials: [{{estimator: chores.Endless, params: {{}}}}]
    objective: {{metric: accuracy}}
"""

SLOW = f"""\
version: 1
team: slow
owner: slow@example.org
defaults: {{retries: 3, retry_delay: 1h}}
datasets:
  patient:
    source: {{type: python, call: chores.rows, arguments: {{inside: patient, broken: true}}}}
{NESTED.format(name="patient", broken="")}
"""

ROSES = "name,height\n'Gallica',1.20\n'Damascena',1.50\n'Alba',2.00\n"


class Garden(Installation):
    """Teams `garden` and `slow` on the shared Airflow."""

    journal: Path
    database: Database

    def lines(self, since: int = 0) -> list[str]:
        return self.journal.read_text().splitlines()[since:]

    def noted(self, dag_id: str) -> tuple[DagRun, list[str]]:
        """Run a DAG to its end; the run, and what was written down meanwhile."""
        before = len(self.lines())
        return self.run(dag_id), self.lines(before)

    def tables(self) -> set[str]:
        query = "select table_name from information_schema.tables where table_schema = 'garden'"
        return {name for (name,) in self.database.query(query)}


@pytest.fixture(scope="module")
def garden(installation: Installation, journal: Path, database: Database) -> Garden:
    database.query(
        "create schema garden",
        "create table garden.roses (name text not null, height numeric(5, 1))",
        "insert into garden.roses values ('Old Blush', 1.0)",
    )
    installation.add(
        {
            "configs/garden.yaml": GARDEN,
            "configs/slow.yaml": SLOW,
            "data/weeds.csv": flowers().to_csv(index=False),
            "data/roses.csv": ROSES,
        }
    )
    found = Garden.of(installation)
    found.journal, found.database = journal, database
    assert found.run("garden.weeds").state == "success"
    return found


def test_nested_resources_are_created_outside_in_and_destroyed_inside_out(garden: Garden):
    run, lines = garden.noted("garden.good")
    assert run.state == "success"
    assert lines == [
        "create good_outer",
        "create inner of good_outer",
        "use inner of good_outer",
        "destroy inner of good_outer whole",
        "destroy good_outer whole",
    ]


def test_failed_teardown_leaves_a_successful_run_successful_and_goes_on_outside(garden: Garden):
    run, lines = garden.noted("garden.left")
    states = garden.states(run)
    assert (run.state, states["publish"]) == ("success", "success")
    assert (states["destroy_inner"], states["destroy_outer"]) == ("failed", "success")
    assert lines[-1] == "destroy left_outer whole"


def test_failed_setup_skips_the_work_and_destroys_what_was_created(garden: Garden):
    run, lines = garden.noted("garden.missing")
    states = garden.states(run)
    assert run.state == "failed"
    assert (states["create_inner"], states["ingest"]) == ("failed", "upstream_failed")
    assert lines == [
        "create missing_outer",
        "create inner of missing_outer",
        "destroy inner of missing_outer unfinished",
        "destroy missing_outer whole",
    ]


def test_failed_teardown_does_not_hide_why_a_run_failed(garden: Garden):
    run, _ = garden.noted("garden.twice")
    states = garden.states(run)
    assert run.state == "failed"
    assert (states["ingest"], states["destroy_inner"]) == ("failed", "failed")
    assert states["destroy_outer"] == "success"


def _fitting(garden: Garden, since: int) -> int:
    """Wait until the endless training has begun; the id of its process."""

    def process() -> int | None:
        found = [line for line in garden.lines(since) if line.startswith("fitting in")]
        return int(found[0].rpartition(" ")[2]) if found else None

    return garden.airflow.wait_until(process, "the training", seconds=LONG)


TORN_DOWN = ["destroy inner of cluster_outer whole", "destroy cluster_outer whole"]


def test_killed_training_task_is_torn_down_and_its_run_failed(garden: Garden):
    before = len(garden.lines())
    airflow = garden.airflow
    started = airflow.trigger("garden.endless.train")
    os.kill(_fitting(garden, before), signal.SIGKILL)
    run = airflow.wait_for_run(started.dag_id, started.dag_run_id, seconds=LONG)
    states = garden.states(run)
    assert (run.state, states["trial"]) == ("failed", "failed")
    assert states["register"] == "upstream_failed"
    assert garden.lines(before)[-2:] == TORN_DOWN


def test_run_that_a_person_stops_is_torn_down_and_failed(garden: Garden):
    before = len(garden.lines())
    airflow = garden.airflow
    started = airflow.trigger("garden.endless.train")
    _fitting(garden, before)
    airflow.set_run_state(started.dag_id, started.dag_run_id, "failed")

    def torn_down() -> bool:
        return garden.lines(before)[-2:] == TORN_DOWN

    airflow.wait_until(torn_down, "the teardowns", seconds=LONG)
    run = airflow.wait_for_run(started.dag_id, started.dag_run_id, seconds=LONG)
    assert run.state == "failed"


def test_run_that_a_person_stops_while_no_task_runs_is_torn_down_and_failed(garden: Garden):
    before = len(garden.lines())
    airflow = garden.airflow
    started = airflow.trigger("slow.patient")

    def waiting() -> bool:
        tasks = airflow.tasks(started.dag_id, started.dag_run_id)
        return any((task.task_id, task.state) == ("ingest", "up_for_retry") for task in tasks)

    airflow.wait_until(waiting, "the retry", seconds=LONG)
    airflow.set_run_state(started.dag_id, started.dag_run_id, "failed")
    run = airflow.wait_for_run(started.dag_id, started.dag_run_id, seconds=LONG)
    assert run.state == "failed"
    assert garden.lines(before)[-2:] == [
        "destroy inner of patient_outer whole",
        "destroy patient_outer whole",
    ]


def test_roses_are_loaded_checked_swapped_and_nothing_is_left_over(garden: Garden):
    run, _ = garden.noted("garden.roses")
    assert run.state == "success"
    assert garden.tables() == {"roses"}
    found = garden.database.query("select name, height::text from garden.roses order by name")
    assert found == [("'Alba'", "2.0"), ("'Damascena'", "1.5"), ("'Gallica'", "1.2")]
    assert garden.lake.scan("garden.roses", 0).to_table().num_rows == 3


def test_roses_that_fail_their_checks_leave_the_old_ones_and_nothing_else(garden: Garden):
    (garden.project / "data" / "roses.csv").write_text(ROSES.replace("2.00", "0.10"))
    run, _ = garden.noted("garden.roses")
    states = garden.states(run)
    assert run.state == "failed"
    assert (states["load"], states["check"], states["after_check"]) == (
        "success",
        "failed",
        "upstream_failed",
    )
    assert garden.tables() == {"roses"}
    assert garden.database.query("select max(height)::text from garden.roses") == [("2.0",)]
