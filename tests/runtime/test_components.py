"""Which components a project wants, and which of them are healthy."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from factory.runtime.components import COMPONENTS, SERVING, components_of, healthy_components
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.ports import HOST, Ports
from tests.harness.servers import answering

TEAM = """\
version: 1
team: lab
owner: lab@example.org
datasets: {{marks: {{source: {{type: csv, path: data/m.csv}}}}}}
models:
  mark:
    task: classification
    train_on: marks
    target: mark
    search: {{strategy: list, trials: [{{estimator: sklearn.linear_model.LogisticRegression}}]}}
    objective: {{metric: accuracy}}
    {deploy}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    return tmp_path


def write(project: Path, deploy: str, rest: str = "") -> None:
    (project / "configs" / "lab.yaml").write_text(TEAM.format(deploy=deploy) + rest)


@pytest.mark.parametrize(
    ("deploy", "wanted"),
    [
        ("", False),
        ("deploy: {type: process}", True),
        ("deploy: {type: process, url: 'http://models.example.org'}", False),
        ("deploy: {type: procses}", False),
    ],
)
def test_a_model_that_is_deployed_here_wants_a_server(project, deploy, wanted):
    write(project, deploy)
    expected = (*COMPONENTS, SERVING) if wanted else COMPONENTS
    assert components_of(project, None) == expected
    runtime = EmbeddedRuntime(project)
    assert (runtime._wanted, runtime.serves) == (expected, wanted)


def test_the_environment_decides(project):
    write(project, "", "environments: {prod: {models: {mark: {deploy: {type: process}}}}}\n")
    assert SERVING in components_of(project, "prod")
    assert SERVING not in components_of(project, "dev")
    assert EmbeddedRuntime(project, environment={"FACTORY_ENVIRONMENT": "prod"}).serves


def test_a_project_without_team_files_wants_none(tmp_path):
    assert components_of(tmp_path, None) == COMPONENTS


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
    with answering(HTTPServer((HOST, 0), _Answers)) as server:
        yield server.server_port


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
