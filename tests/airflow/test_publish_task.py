"""The task `publish` of a dataset's DAG."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.tasks.dataset import publish_rows
from factory.data.checks.report import CheckReport
from factory.lake.snapshot import NoSnapshotError
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of


class Accessor(dict):
    """Stands for Airflow's outlet events."""

    def __missing__(self, outlet: str) -> SimpleNamespace:
        self[outlet] = SimpleNamespace(extra=None)
        return self[outlet]


def run_with(folder: Path, query: str, write: Write) -> SimpleNamespace:
    rows = rows_of(query, folder)
    results = {
        "ingest": {"rows": rows.as_json()},
        "check": {"report": CheckReport((), 0).as_json()},
    }
    return SimpleNamespace(
        dataset="marine.landings",
        write=write,
        shared=SimpleNamespace(columns=None, model=None),
        lake=lake_in(folder),
        params={},
        result=results.get,
        ti=SimpleNamespace(
            dag_id="marine.landings",
            run_id="run",
            task=SimpleNamespace(outlets=["marine.landings"]),
        ),
        versions={},
        link_snapshot=lambda _: None,
    )


EMPTY = "select 1 as id where false"


def test_no_rows_are_not_published_and_emit_no_event(tmp_path):
    events = Accessor()
    run = run_with(tmp_path, EMPTY, Write())
    with pytest.raises(AirflowSkipException, match=r"there are no rows.*`allow_empty: true`"):
        publish_rows(run, events)
    assert not events
    with pytest.raises(NoSnapshotError):
        run.lake.newest("marine.landings")


def test_no_rows_are_published_where_that_is_meant(tmp_path):
    events = Accessor()
    publish_rows(run_with(tmp_path, EMPTY, Write(allow_empty=True)), events)
    assert events["marine.landings"].extra["rows"] == 0
