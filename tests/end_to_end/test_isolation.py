"""What one team does to another through a real Airflow: nothing."""

import http.client
from datetime import UTC, datetime
from pathlib import Path

import pytest

from factory.runtime.ports import HOST
from tests.harness.airflow import Installation

OWNER = """\
version: 1
team: owner
owner: owner@example.org
defaults: {retries: 0}
datasets:
  priv: {source: {type: csv, path: data/priv.csv}}
"""

THIEF = """\
version: 1
team: thief
owner: thief@example.org
defaults: {{retries: 0}}
datasets:
  overwrites:
    source: {{type: python, call: sklearn.datasets.load_iris, arguments: {{as_frame: true}}, attribute: frame}}
    transforms:
      - type: sql
        query: with x as (copy (select 1 as id) to '{file}' (use_tmp_file false)) select source.* from source, x
  looks:
    source: {{type: python, call: sklearn.datasets.load_iris, arguments: {{as_frame: true}}, attribute: frame}}
    transforms: [{{type: sql, query: "select current_setting('temp_directory') as path from source"}}]
  slips:
    source: {{type: csv, path: data/slip.csv}}
  fine:
    source: {{type: csv, path: data/own.csv}}
    transforms: [{{type: sql, query: "select *, '{{{{ run.dag_id }}}} {{{{ run.task_id }}}}' as made_by, '{{{{ run.date }}}}' as day from source"}}]
"""


@pytest.fixture(scope="module")
def thief(installation: Installation) -> Installation:
    """A team that wants what another has published, and does not share."""
    installation.add({"configs/owner.yaml": OWNER, "data/priv.csv": "id\n41\n42\n"})
    assert installation.run("owner.priv").state == "success"
    [file] = installation.lake.rows("owner.priv", 0)
    data = installation.project / "data"
    (data / "slip.csv").symlink_to(installation.project / ".factory" / "secrets.json")
    installation.add({"configs/thief.yaml": THIEF.format(file=file), "data/own.csv": "id\n1\n"})
    return installation


def test_a_query_that_writes_fails_and_the_others_rows_are_as_they_were(thief):
    [file] = thief.lake.rows("owner.priv", 0)
    before = file.read_bytes()
    run = thief.run("thief.overwrites")
    assert run.state == "failed"
    assert "write one SELECT; found COPY within it" in thief.log_of(run, "transform")
    assert file.read_bytes() == before


def test_a_query_that_asks_for_paths_fails(thief):
    run = thief.run("thief.looks")
    assert run.state == "failed"
    assert "the function current_setting may not be used" in thief.log_of(run, "transform")


def test_a_link_to_the_platforms_secrets_is_not_read(thief):
    run = thief.run("thief.slips")
    assert run.state == "failed"
    log = thief.log_of(run, "ingest")
    assert "data/slip.csv is a link that leads outside data" in log
    assert "fernet" not in log


def test_templates_know_the_run_and_its_day_though_a_person_started_it(thief):
    days = {str(datetime.now(UTC).date())}
    run = thief.run("thief.fine")
    assert run.state == "success"
    days.add(str(datetime.now(UTC).date()))
    [row] = thief.lake.scan("thief.fine", 0).to_table().to_pylist()
    assert row["made_by"] == "thief.fine transform"
    assert row["day"] in days


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 400), ("127.0.0.1", 201), ("localhost", 201)]
)
def test_airflow_gives_its_token_to_no_page_of_another_name(thief, host, status):
    line = http.client.HTTPConnection(HOST, thief.runtime.ports.airflow, timeout=30)
    line.request("GET", "/auth/token", headers={"Host": host})
    assert line.getresponse().status == status
    line.close()


def test_nobody_else_on_the_machine_reads_what_the_runtime_keeps(thief):
    home = thief.project / ".factory"
    databases = [*home.glob("*/*.db*"), home / "secrets.json"]
    assert len(databases) >= 3
    for path in (home, *filter(Path.is_dir, home.iterdir()), *databases):
        assert path.stat().st_mode & 0o077 == 0, path
