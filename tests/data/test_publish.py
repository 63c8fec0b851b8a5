import json

import pytest

from factory.data.checks.report import CheckReport, CheckResult
from factory.data.publish import publish
from factory.lake.snapshot import Snapshot
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of

pytestmark = pytest.mark.usefixtures("each_storage")

REPORT = CheckReport((CheckResult("row_count", "row_count(at least 1)", "pass"),), rows=2)


@pytest.fixture
def run(tmp_path):
    def run(query: str, run_id: str, **how):
        return publish(
            "marine.penguins",
            rows_of(query, tmp_path),
            Write(),
            lake=lake_in(tmp_path),
            run_id=run_id,
            report=REPORT,
            **how,
        )

    return run


def test_event_names_the_snapshot_and_what_the_checks_found(run, tmp_path):
    published = run("select 1 as id", "run 1")
    event = json.loads(json.dumps(published.event))
    assert published.changed
    assert Snapshot.from_event(event) == lake_in(tmp_path).newest("marine.penguins")
    assert event["checks"] == {"rows": 2, "passed": 1, "warned": [], "failed": []}


def test_unchanged_content_is_no_change_unless_asked_for(run):
    run("select 1 as id", "run 1")
    assert not run("select 1 as id", "run 2").changed
    assert run("select 1 as id", "run 3", emit_unchanged=True).changed


def test_event_stays_small_with_many_failing_checks(run):
    assert len(json.dumps(run("select 1 as id", "run 1").event)) < 1000
