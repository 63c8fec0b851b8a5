"""Secrets in every place where they can stand, runs that use them, and nothing written that holds one.

Teams' code says what it knows, databases and servers repeat what they are sent. Each failing run's error is looked
for too: a run that failed for another reason would prove nothing.
"""

import json
from dataclasses import dataclass
from urllib.request import Request, urlopen

import pytest

from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import Installation
from tests.harness.planted import (
    CommandLines,
    Needle,
    connections,
    environment,
    hits,
    needles,
    secret,
    stem,
    tables,
)
from tests.harness.project import flowers
from tests.harness.shared import Database
from tests.serving.service import serving

SPY = """\
version: 1
team: spy
owner: spy@example.org
defaults: {{retries: 0}}
notify:
  on_failure: [{{type: smtp, to: [ops@example.org], connection: planted_mail}}, {{type: webhook, connection: planted_hook}}]
  on_dataset: [{{type: webhook, connection: planted_hook}}]
datasets:
  weeds: {{source: {{type: csv, path: data/spied.csv}}}}
  asked: {{source: {{type: sql, connection: planted_sql, query: select 1 as n}}}}
  down: {{source: {{type: sql, connection: planted_down, query: select 1 as n}}}}
  filled:
    source:
      type: sql
      connection: planted_sql
      query: "select n from nowhere where who = '{{{{ run.dag_id }}}}'"
  got: {{source: {{type: http, connection: planted_http, url: "{portal}/rows.csv"}}}}
  missed: {{source: {{type: http, connection: planted_http, url: "{portal}/gone"}}}}
  unknown: {{source: {{type: http, connection: planted_token, url: "{portal}/gone"}}}}
  said: {{source: {{type: python, call: leaks.rows, arguments: {{broken: false}}}}}}
  raised: {{source: {{type: python, call: leaks.rows, arguments: {{broken: true}}}}}}
  staged:
    source: {{type: python, call: leaks.rows, arguments: {{broken: false}}}}
    resources: {{staging: {{type: python, create: leaks.make, destroy: leaks.drop, arguments: {{name: s}}}}}}
models:
  leaky:
    task: classification
    train_on: weeds
    schedule: none
    target: species
    search:
      strategy: list
      trials: [{{estimator: leaks.Leaky, params: {{C: 4.0}}}}]
    objective: {{metric: accuracy}}
  sound:
    task: classification
    train_on: weeds
    schedule: none
    target: species
    search:
      strategy: list
      trials: [{{estimator: leaks.Leaky, params: {{C: 0.5}}}}]
    objective: {{metric: accuracy}}
dags:
  option:
    schedule: null
    start_date: 2024-01-01
    tasks:
      ask:
        operator: airflow.providers.common.sql.operators.sql.SQLExecuteQueryOperator
        conn_id: planted_sql
        sql: select current_setting('planted.option')::int
  own:
    schedule: null
    start_date: 2024-01-01
    tasks:
      ask:
        operator: airflow.providers.common.sql.operators.sql.SQLExecuteQueryOperator
        conn_id: planted_sql
        sql: >-
          select $a${{{{ conn.planted_sql.password }}}}$a$::int
"""

FAILING = {
    "option": ("ask", "invalid input syntax for type integer"),
    "down": ("ingest", "Connection refused"),
    "filled": ("ingest", 'relation "nowhere" does not exist'),
    "missed": ("ingest", "answered 404 nothing for"),
    "unknown": ("ingest", "answered 404 nothing for"),
    "raised": ("ingest", "RuntimeError"),
    "staged": ("create_staging", "returned a secret"),
    "leaky.train": ("trial", "trial 0 "),
    "own": ("ask", "invalid input syntax for type integer"),
}
"""The failing DAGs: the task that fails, and what its log says."""


@dataclass(frozen=True)
class Spied:
    """What the runs came to."""

    shop: Installation
    runs: dict[str, DagRun]
    printed: dict[str, str]
    """What commands have printed."""
    command_lines: set[bytes]


@pytest.fixture(scope="module")
def looked_for() -> list[Needle]:
    return needles()


@pytest.fixture(scope="module")
def spied(
    installation: Installation,
    database: Database,
    portal: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Spied:
    database.query("select 1")
    stored = {"connection_id": "planted_stored", "conn_type": "generic", "login": "somebody"}
    body = {**stored, "password": secret("stored_password")}
    installation.airflow._request("POST", "/connections", json=body)
    with CommandLines() as lines:
        installation.add(
            {
                "data/spied.csv": flowers().to_csv(index=False),
                "configs/spy.yaml": SPY.format(portal=portal),
            }
        )
        names = ("weeds", "asked", "got", "said", *FAILING, "sound.train")
        runs = {name: installation.run(f"spy.{name}") for name in names}
        printed = {
            command[0]: f"{done.stdout}{done.stderr}"
            for command in (("render", "spy"), ("validate",))
            for done in [installation.factory(*command)]
        }
        _serve(installation, tmp_path_factory.mktemp("serving"))
    return Spied(installation, runs, printed, lines.seen)


def _serve(shop: Installation, folder) -> None:
    """Ask a server of models with its token, in each way a caller may think of; its log goes to the home."""
    token = secret("serving_token", plain=True)
    tokens = folder / "tokens.txt"
    tokens.write_text(f"{token}\n")
    options = ("--token-file", str(tokens))
    with serving(folder, shop.runtime.ports.mlflow_url, options=options, ready=False) as service:
        request = Request(service.address + "/models", headers={"Authorization": f"Bearer {token}"})
        with urlopen(request) as answer:
            assert token not in answer.read().decode()
        assert service.get("/models")[0] == 401
    (shop.runtime.home.logs / "spied-serving.log").write_bytes(service.log.read_bytes())


def test_runs_end_as_they_should_and_for_the_reason_they_should(spied: Spied):
    for name, run in spied.runs.items():
        assert run.state == ("failed" if name in FAILING else "success"), name
    for name, (task, words) in FAILING.items():
        [instance, *_] = spied.shop.tasks(spied.runs[name], task)
        assert words in "\n".join(spied.shop.airflow.log(instance)), name


def test_code_of_a_team_was_heard_and_its_secrets_are_asterisks(spied: Spied):
    log = spied.shop.log_of(spied.runs["said"], "ingest")
    assert log.count("about to read: ") > 10
    assert "Authorization: Basic" in log
    assert "X-Grant: ***" in log


def test_files_of_the_project_hold_no_secret(spied: Spied, looked_for):
    """Logs, OpenLineage's events, MLflow's database and artifacts, the lake, workspaces and reports."""
    home = spied.shop.runtime.home
    database = home.airflow_database
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    found = [
        hit
        for path in files
        if not path.name.startswith(database.name)
        for hit in hits(str(path.relative_to(home.folder)), path.read_bytes(), looked_for)
    ]
    assert len(files) > 50
    assert home.lineage.stat().st_size > 10_000
    assert not found, "\n".join(found)


def test_airflows_database_holds_no_secret_but_encrypted_ones(spied: Spied, looked_for):
    """XCom, rendered fields, asset events, documents; of connections what is encrypted."""
    database = spied.shop.runtime.home.airflow_database
    contents = dict(tables(database, without=frozenset(("connection",))))
    assert {"xcom", "rendered_task_instance_fields", "asset_event", "serialized_dag"} <= set(
        contents
    )
    found = [hit for name, rows in contents.items() for hit in hits(name, rows, looked_for)]
    [(_, connections_stored)] = [
        one for one in tables(database, without=frozenset(contents)) if one[0] == "connection"
    ]
    found += hits("connection", connections_stored, looked_for)
    assert not found, "\n".join(found)


def test_airflows_api_shows_no_secret(spied: Spied, looked_for):
    shop, found = spied.shop, []
    for run in spied.runs.values():
        path = f"/dags/{run.dag_id}/dagRuns/{run.dag_run_id}"
        for what in ("/taskInstances", "/taskInstances/~/xcomEntries"):
            told = shop.airflow.get(path + what)
            assert told["total_entries"] or what.endswith("xcomEntries")
            found += hits(path + what, json.dumps(told).encode(), looked_for)
        for task in shop.airflow.tasks(run.dag_id, run.dag_run_id):
            log = "\n".join(shop.airflow.log(task)) if task.try_number else ""
            found += hits(f"the log of {task.task_id}", log.encode(), looked_for)
    events = json.dumps(shop.airflow.get("/assets/events")).encode()
    found += hits("events", events, looked_for)
    assert not found, "\n".join(found)


def test_commands_print_no_secret(spied: Spied, looked_for):
    assert "spy.raised" in spied.printed["render"]
    found = [hits(name, text.encode(), looked_for) for name, text in spied.printed.items()]
    assert found == [[], []]


def test_no_process_has_a_secret_in_its_command_line(spied: Spied, looked_for):
    assert any(b"dag_processor" in line for line in spied.command_lines)
    assert [hit for line in spied.command_lines for hit in hits("argv", line, looked_for)] == []


def test_run_in_the_foreground_shows_and_keeps_no_secret(
    spied: Spied, database: Database, portal: str, looked_for, monkeypatch
):
    variables = {
        f"AIRFLOW_CONN_{name}": json.dumps(made)
        for name, made in connections(database.connection, portal).items()
    }
    stored = {"conn_type": "generic", "password": secret("stored_password")}
    variables["AIRFLOW_CONN_PLANTED_STORED"] = json.dumps(stored)
    for name, value in {**variables, **environment()}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(spied.shop.project / "code"))
    done = spied.shop.factory("run", "spy.raised")
    assert done.returncode == 1
    assert "RuntimeError" in done.stdout or "***" in done.stdout
    home = spied.shop.runtime.home
    found = hits("the terminal", f"{done.stdout}{done.stderr}".encode(), looked_for)
    for path in (*home.logs.iterdir(), home.lineage):
        found += hits(path.name, path.read_bytes(), looked_for)
    assert not found, "\n".join(found)


def test_needles_are_found_where_they_stand():
    """The tests above would find what leaks."""
    from base64 import b64encode
    from urllib.parse import quote

    [one] = {needle.place for needle in needles(["http_password"])}
    for text in (
        secret(one),
        quote(secret(one)),
        *(b64encode(f"{login}:{secret(one)}".encode()).decode() for login in ("a", "ab", "abc")),
    ):
        assert hits("text", text.encode(), needles([one])) != [], text
    assert hits("text", stem("other").encode(), needles([one])) == []
