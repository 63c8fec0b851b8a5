"""What the components are told, where they listen, and who may use a home."""

import json
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from factory.runtime.environment import MARKER, environment
from factory.runtime.errors import AlreadyRunningError, PortTakenError
from factory.runtime.health import healthy_components
from factory.runtime.home import Home, Secrets
from factory.runtime.lock import HomeLock
from factory.runtime.ports import HOST, Ports


def _environment(project: Path, home: Path | None = None, **inherited: str) -> dict[str, str]:
    return environment(
        home=Home(home or project / ".factory"),
        project=project,
        ports=Ports(1, 2),
        secrets=Secrets("fernet", "jwt", "api"),
        marker="run:home",
        inherited=inherited,
        extra={"FACTORY_ENVIRONMENT": "prod"},
    )


def test_the_callers_preference_wins_over_ours(tmp_path: Path) -> None:
    key = "AIRFLOW__CORE__PARALLELISM"
    assert _environment(tmp_path, **{key: "17"})[key] == "17"


def test_what_the_runtime_needs_wins_over_the_callers_environment(tmp_path: Path) -> None:
    found = _environment(tmp_path, AIRFLOW_HOME="/elsewhere", MLFLOW_TRACKING_URI="http://far")
    assert found["AIRFLOW_HOME"] == str(tmp_path / ".factory/airflow")
    assert found["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:2"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1/execution/"
    assert found["FACTORY_ENVIRONMENT"] == "prod"
    assert found[MARKER] == "run:home"


def test_artifacts_lie_below_the_home_unless_they_are_in_s3(tmp_path: Path) -> None:
    found = _environment(tmp_path)
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == str(tmp_path / ".factory/mlflow/artifacts")
    found = _environment(tmp_path, FACTORY_ARTIFACTS="s3://lake/artifacts")
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://lake/artifacts"


def test_what_leads_to_s3_reaches_all_components_and_mlflow(tmp_path: Path) -> None:
    aws = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_PROFILE": "profile",
    }
    found = _environment(tmp_path, **aws)
    assert {name: found[name] for name in aws} == aws
    assert found["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:9"
    own = _environment(tmp_path, MLFLOW_S3_ENDPOINT_URL="http://127.0.0.1:8", **aws)
    assert own["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:8"


def test_telemetry_is_off(tmp_path: Path) -> None:
    found = _environment(tmp_path, MLFLOW_DISABLE_TELEMETRY="false")
    assert found["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] == "false"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_loopback_addresses_never_go_through_a_proxy(tmp_path: Path) -> None:
    found = _environment(tmp_path, http_proxy="http://proxy", no_proxy="internal.example")
    assert found["no_proxy"] == found["NO_PROXY"] == "internal.example,127.0.0.1,localhost"


def test_a_home_of_its_own_has_a_lake_of_its_own(tmp_path: Path) -> None:
    assert "FACTORY_STORAGE" not in _environment(tmp_path)
    found = _environment(tmp_path, tmp_path / "other")
    assert found["FACTORY_STORAGE"] == (tmp_path / "other/lake").as_uri()
    assert found["FACTORY_WORKSPACE"] == str(tmp_path / "other/workspace")


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.secrets()
    assert home.secrets() == first
    assert Home(tmp_path).secrets().jwt_secret == first.jwt_secret != Secrets.random().jwt_secret
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert first.jwt_secret not in repr(first)


def test_the_databases_let_readers_and_writers_work_side_by_side(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    for database in (home.airflow_database, home.mlflow_database):
        connection = sqlite3.connect(database)
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        connection.close()


@pytest.mark.parametrize(("taken", "option"), [("airflow", "--port"), ("mlflow", "--mlflow-port")])
def test_a_taken_port_is_named_with_the_option_that_sets_another(taken: str, option: str) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        free = Ports.free()
        ports = Ports(**{"airflow": free.airflow, "mlflow": free.mlflow, taken: port})
        with pytest.raises(PortTakenError, match=rf"port {port} .* `{option} \d+`") as raised:
            ports.check()
        assert raised.value.port == port
    ports.check()


def test_one_port_for_both_servers_is_refused() -> None:
    port = Ports.free().airflow
    with pytest.raises(PortTakenError, match="--mlflow-port"):
        Ports(port, port).check()


def test_a_held_lock_names_the_holders_addresses(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path / "lock"), HomeLock(tmp_path / "lock")
    first.acquire()
    first.announce(Ports(1, 2))
    with pytest.raises(AlreadyRunningError, match=r"Airflow http://127.0.0.1:1, MLflow http://"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


class _Answers(BaseHTTPRequestHandler):
    heartbeat = ""

    def do_GET(self) -> None:
        beat = {"status": "healthy"}
        body = {
            "scheduler": beat | {"latest_scheduler_heartbeat": self.heartbeat},
            "triggerer": {"status": "unhealthy", "latest_triggerer_heartbeat": None},
            "dag_processor": None,
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def answers() -> Iterator[int]:
    server = HTTPServer((HOST, 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("age", "scheduler"), [(60, set()), (-1, {"scheduler"})])
def test_a_heartbeat_of_an_earlier_run_is_not_health(
    answers: int, age: float, scheduler: set[str]
) -> None:
    now = time.time()
    _Answers.heartbeat = datetime.fromtimestamp(now - age, UTC).isoformat()
    healthy = healthy_components(Ports(answers, Ports.free().mlflow), since=now)
    assert healthy == {"api-server"} | scheduler


def test_nobody_is_healthy_where_nobody_answers() -> None:
    assert healthy_components(Ports.free(), since=0) == set()
