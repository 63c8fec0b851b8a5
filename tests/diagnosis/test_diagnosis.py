"""What `factory doctor` finds, with each of the things that it looks at broken."""

import json
import os
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from factory.catalog import read_all
from factory.cli.main import app
from factory.diagnosis import (
    airflow_server,
    machine,
    mlflow_server,
    parsing,
    storage,
    telemetry,
    versions,
)
from factory.diagnosis.finding import Diagnosis, Examined
from factory.documents.installation import Installation
from factory.runtime.airflow_api import AirflowClient
from tests.harness.servers import answering, free_port

TEAM = """\
version: 1
team: harbour
owner: harbour@example.org
defaults: {pool: cranes}
datasets:
  landings: {source: {type: sql, connection: warehouse, query: select 1 as n}}
"""
HEALTHY = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "dag_processor")}
ANSWERS = {
    "/auth/token": {"access_token": "a token"},
    "/api/v2/monitor/health": HEALTHY,
    "/api/v2/version": {"version": "3.3.2"},
    "/api/v2/connections/warehouse": {"connection_id": "warehouse"},
    "/api/v2/pools/cranes": {"name": "cranes", "slots": 4},
}

Found = dict[str, Diagnosis]


def found(diagnoses: Iterator[Diagnosis]) -> Found:
    return {one.subject: one for one in diagnoses}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("FACTORY_", "MLFLOW_", "AIRFLOW_CONN_", "DO_NOT")):
            monkeypatch.delenv(name)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "harbour.yaml").write_text(TEAM)
    return tmp_path


@pytest.fixture
def examined(project: Path) -> Examined:
    read = read_all(project / "configs", None)
    assert read.problems == ()
    installation = Installation.of(read.platform, project)
    return Examined(project, read, installation, nullcontext, None, None, is_embedded=False)


@pytest.fixture
def served() -> Iterator[tuple[str, dict]]:
    """A server that answers with what is in a mapping, by path: JSON, text, a status, or what a function of the
    header `Authorization` gives."""
    answers: dict[str, object] = dict(ANSWERS)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path, 404)
            if callable(answer):
                answer = answer(self.headers.get("Authorization"))
            is_status = isinstance(answer, int)
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(answer if is_status else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as http:
        yield f"http://127.0.0.1:{http.server_port}", answers


@pytest.fixture
def with_airflow(examined, served) -> Iterator[Callable[..., Examined]]:
    with AirflowClient(served[0]) as client:

        def change(*, is_embedded: bool = True, **answers: object) -> Examined:
            for path, answer in answers.items():
                served[1][f"/api/v2/{path.replace('__', '/')}"] = answer
            return replace(examined, airflow=client, is_embedded=is_embedded)

        yield change


# Versions


def test_packages_within_the_bounds_of_the_factory_are_fine(examined):
    diagnoses = [*versions.check_python(examined), *versions.check_packages(examined)]
    assert {one.level for one in diagnoses} == {"ok"}
    assert {"Python", "apache-airflow", "dag-factory", "mlflow"} <= set(found(iter(diagnoses)))


def test_a_package_out_of_bounds_or_missing_is_wrong(examined, monkeypatch):
    def version(package: str) -> str:
        if package == "duckdb":
            raise PackageNotFoundError
        return "0.9" if package == "dag-factory" else real(package)

    real = versions.version
    monkeypatch.setattr(versions, "version", version)
    diagnoses = found(versions.check_packages(examined))
    assert diagnoses["dag-factory"].level == "wrong"
    assert diagnoses["dag-factory"].found == "0.9, wanted ==1.1.0"
    assert diagnoses["duckdb"].found.startswith("is not installed")


def test_an_old_python_is_wrong(examined, monkeypatch):
    monkeypatch.setattr(versions.platform, "python_version", lambda: "3.9.1")
    [one] = versions.check_python(examined)
    assert (one.level, one.found) == ("wrong", "3.9.1, wanted >=3.11.4")


# Telemetry


@pytest.mark.parametrize(
    ("check", "variable", "off"),
    [
        (telemetry.check_dag_factory, "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY", "False"),
        (telemetry.check_mlflow, "MLFLOW_DISABLE_TELEMETRY", "true"),
    ],
)
def test_telemetry_that_nobody_has_switched_off_is_a_warning(
    examined, monkeypatch, check, variable, off
):
    monkeypatch.delenv(variable, raising=False)
    [one] = check(examined)
    assert (one.level, f"set {variable}=" in one.advice) == ("warning", True)
    for name, value in ((variable, off), ("DO_NOT_TRACK", "1")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert [one.level for one in check(examined)] == ["ok"]
    assert [one.level for one in check(replace(examined, is_embedded=True))] == ["ok"]


# MLflow


def test_an_mlflow_that_answers_in_the_version_of_tasks_is_fine(examined, served):
    served[1]["/version"] = mlflow_server.version("mlflow")
    [one] = mlflow_server.check_server(replace(examined, mlflow=served[0]))
    assert one.level == "ok"


def test_an_mlflow_of_another_version_is_a_warning(examined, served):
    served[1]["/version"] = "2.1.0"
    [one] = mlflow_server.check_server(replace(examined, mlflow=served[0]))
    assert (one.level, one.found.startswith("2.1.0 answers")) == ("warning", True)


def test_an_mlflow_that_does_not_answer_is_wrong_and_its_password_is_not_shown(examined, served):
    nowhere = f"http://anna:secret-word@127.0.0.1:{free_port()}"
    [one] = mlflow_server.check_server(replace(examined, mlflow=nowhere))
    assert (one.level, one.found) == ("wrong", "does not answer: ConnectError")
    served[1]["/version"] = mlflow_server.version("mlflow")
    named = served[0].replace("//", "//anna:secret-word@")
    [one] = mlflow_server.check_server(replace(examined, mlflow=named))
    assert "secret-word" not in f"{one.found} {one.advice}"


def test_an_mlflow_with_log_in_is_asked_with_the_users_name_or_token(examined, served, monkeypatch):
    known = f"Basic {b64encode(b'airflow:secret-word').decode()}", "Bearer secret-token"
    served[1]["/version"] = lambda who: mlflow_server.version("mlflow") if who in known else 401
    with_log_in = replace(examined, mlflow=served[0])
    [one] = mlflow_server.check_server(with_log_in)
    assert (one.level, "HTTP 401" in one.found) == ("wrong", True)
    assert "MLFLOW_TRACKING_USERNAME" in one.advice
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret-token")
    assert [one.level for one in mlflow_server.check_server(with_log_in)] == ["ok"]
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "airflow")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret-word")
    assert [one.level for one in mlflow_server.check_server(with_log_in)] == ["ok"]


def test_no_mlflow_is_a_warning(examined):
    assert [one.level for one in mlflow_server.check_server(examined)] == ["warning"]


# Storage, clock and disk


def test_storage_is_written_and_nothing_stays(examined):
    assert {one.level for one in storage.check_storage(examined)} == {"ok"}
    assert list((examined.project / ".factory" / "lake").iterdir()) == []


def test_storage_that_cannot_be_written_is_wrong(examined):
    lake = examined.project / ".factory" / "lake"
    lake.parent.mkdir()
    lake.write_text("a file where a folder belongs")
    [one] = storage.check_storage(examined)
    assert (one.level, "cannot be written" in one.found) == ("wrong", True)


@pytest.mark.parametrize(("ahead", "word"), [(3600, "ahead of"), (-3600, "behind")])
def test_a_clock_that_differs_from_that_of_the_storage_is_wrong(examined, monkeypatch, ahead, word):
    real = storage.time.time
    monkeypatch.setattr(storage.time, "time", lambda: real() + ahead)
    clock = found(storage.check_storage(examined))["clock"]
    assert clock.level == "wrong"
    assert clock.found in (f"{n} s {word} that of the storage" for n in (3599, 3600, 3601))


@pytest.mark.parametrize(("gib", "level"), [(0.5, "wrong"), (3, "warning"), (50, "ok")])
def test_a_disk_without_room_is_told(examined, monkeypatch, gib, level):
    usage = SimpleNamespace(free=int(gib * 1024**3))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    diagnoses = found(machine.check_disk(examined))
    assert {name: one.level for name, one in diagnoses.items()} == {
        "disk of the lake": level,
        "disk of the workspace": level,
    }


# Airflow


def levels(diagnoses: Iterator[Diagnosis]) -> list[str]:
    return [one.level for one in diagnoses]


def test_an_airflow_with_all_that_team_files_name_is_fine(with_airflow):
    examined = with_airflow()
    assert levels(airflow_server.check_server(examined)) == ["ok"]
    assert levels(airflow_server.check_connections(examined)) == ["ok"]
    assert levels(airflow_server.check_pools(examined)) == ["ok"]


def test_without_an_airflow_one_warning_says_what_was_not_looked_at(examined):
    assert levels(airflow_server.check_server(examined)) == ["warning"]
    assert levels(airflow_server.check_connections(examined)) == []
    assert levels(airflow_server.check_pools(examined)) == []


def test_an_airflow_that_does_not_answer_is_wrong(examined):
    with AirflowClient(f"http://127.0.0.1:{free_port()}") as client:
        dead = replace(examined, airflow=client)
        assert levels(airflow_server.check_server(dead)) == ["wrong"]
        assert levels(airflow_server.check_pools(dead)) == ["warning"]


def test_a_part_of_airflow_that_is_not_at_work_is_wrong(with_airflow):
    ill = {**HEALTHY, "scheduler": {"status": "unhealthy"}}
    [one] = airflow_server.check_server(with_airflow(monitor__health=ill))
    assert (one.level, one.found) == ("wrong", "3.3.2 answers; not at work: scheduler")


def test_a_connection_that_airflow_lacks_is_wrong_where_nothing_else_can_have_it(
    with_airflow, monkeypatch
):
    [one] = airflow_server.check_connections(with_airflow(connections__warehouse=404))
    assert (one.level, one.subject) == ("wrong", "connection warehouse")
    assert "harbour names it" in one.found
    [one] = airflow_server.check_connections(
        with_airflow(is_embedded=False, connections__warehouse=404)
    )
    assert (one.level, "secrets backend" in one.advice) == ("warning", True)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://")
    assert levels(airflow_server.check_connections(with_airflow())) == ["ok"]


def test_what_the_user_may_not_see_is_a_warning(with_airflow):
    [one] = airflow_server.check_connections(with_airflow(connections__warehouse=403))
    assert (one.level, one.found) == ("warning", "Airflow refuses to say (403)")


@pytest.mark.parametrize(
    ("answer", "text"), [(404, "is not there"), ({"name": "cranes", "slots": 0}, "has no slots")]
)
def test_a_pool_in_which_no_task_can_start_is_wrong(with_airflow, answer, text):
    [one] = airflow_server.check_pools(with_airflow(pools__cranes=answer))
    assert (one.level, one.found.startswith(text)) == ("wrong", True)


# The time of a parse

LIMITS = {"dagbag_import_timeout": 30.0, "dag_file_processor_timeout": 50.0}


@pytest.mark.parametrize(("seconds", "level"), [(1.0, "ok"), (16.0, "warning"), (31.0, "wrong")])
def test_a_parse_is_held_against_the_lower_limit(seconds, level):
    one = parsing.judged(parsing.Parse(100, 300, seconds, seconds, LIMITS))
    assert one.level == level
    assert "`dagbag_import_timeout` is 30 s" in one.found


def test_how_many_teams_a_parse_would_carry_follows_from_what_teams_alone_cost():
    one = parsing.judged(parsing.Parse(10, 30, 5.1, 0.1, LIMITS))
    assert "enough for about 1,000 such teams" in one.found


def test_without_limits_none_is_named():
    one = parsing.judged(parsing.Parse(1, 1, 500.0, 1.0, dict.fromkeys(LIMITS, 0.0)))
    assert (one.level, "nothing limits it" in one.found) == ("ok", True)


@pytest.mark.slow
def test_team_files_are_parsed_as_airflow_does(examined):
    [one] = parsing.check_parsing(examined)
    assert (one.level, one.found.startswith("1 DAGs of 1 teams in")) == ("ok", True)


@pytest.mark.slow
def test_a_parse_that_fails_is_wrong_and_says_why(examined, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "soon")
    [one] = parsing.check_parsing(examined)
    assert (one.level, "soon" in one.found) == ("wrong", True)


# The command


@pytest.mark.slow
def test_the_command_fails_on_what_is_wrong_and_not_on_warnings(project, monkeypatch):
    call = ["doctor", "--project", str(project)]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert "0 wrong, " in done.output
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    done = CliRunner().invoke(app, [*call, "--json"])
    assert done.exit_code == 1
    wrong = [one["subject"] for one in json.loads(done.stdout) if one["level"] == "wrong"]
    assert wrong == ["MLflow"]
