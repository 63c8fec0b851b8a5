"""Whether there is a server of models, and that it is kept running."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from factory.runtime import serving
from factory.runtime.embedded import COMPONENTS, EmbeddedRuntime
from factory.runtime.errors import PortTakenError
from factory.runtime.ports import Ports

TEAM = """\
version: 1
team: lab
owner: lab@example.org
datasets: {{marks: {{source: {{type: csv, path: m.csv}}}}}}
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
    assert serving.is_wanted(project, None) is wanted
    expected = (*COMPONENTS, "serving") if wanted else COMPONENTS
    runtime = EmbeddedRuntime(project)
    assert (runtime._wanted, runtime.serves) == (expected, wanted)


def test_the_environment_decides(project):
    write(project, "", "environments: {prod: {models: {mark: {deploy: {type: process}}}}}\n")
    assert serving.is_wanted(project, "prod")
    assert not serving.is_wanted(project, "dev")
    assert EmbeddedRuntime(project, environment={"FACTORY_ENVIRONMENT": "prod"}).serves


def test_a_project_without_team_files_wants_none(tmp_path):
    assert not serving.is_wanted(tmp_path, None)


def test_its_port_is_checked_only_if_there_is_a_server():
    port = Ports.free().airflow
    ports = Ports(port, Ports.free().mlflow, port)
    ports.check()
    with pytest.raises(PortTakenError, match=r"`--serving-port \d+` or FACTORY_SERVING_PORT="):
        ports.check(serving=True)


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A keeper of a command that writes down its starts, and waits."""
    code = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\nimport signal; signal.pause()"
    command = [sys.executable, "-m", "factory.runtime.restart", sys.executable, "-c", code]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait()


def until(condition) -> object:
    for _ in range(400):
        if found := condition():
            return found
        psutil.wait_procs([psutil.Process()], timeout=0.05)
    raise AssertionError("not in time")


def test_what_dies_is_started_again_and_ends_with_its_keeper(tmp_path, keep):
    starts, keeper = tmp_path / "starts", psutil.Process(keep.pid)

    def started(times: int) -> list[psutil.Process]:
        return keeper.children() if starts.is_file() and len(starts.read_text()) == times else []

    (first,) = until(lambda: started(1))
    first.kill()
    (second,) = until(lambda: started(2))
    assert second.pid != first.pid
    assert "It ended with signal 9, and is started again in 1 s" in (tmp_path / "log").read_text()
    keep.send_signal(signal.SIGTERM)
    assert keep.wait(timeout=20) == 0
    assert not second.is_running()
