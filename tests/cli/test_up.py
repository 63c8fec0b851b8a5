"""`factory up` as a process: how it ends, and that nothing outlives it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil
import pytest

from factory.base.processes import end
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.components import COMPONENTS, healthy_components
from factory.runtime.home import Home
from factory.runtime.ports import HOST, Ports
from factory.runtime.processes import members
from tests.harness import processes
from tests.harness.airflow import LONG

pytestmark = pytest.mark.end_to_end

FACTORY = Path(sys.executable).with_name("factory")
CHAIN = Path(__file__).parents[1] / "runtime" / "chain.py"

PATIENT = """\
import time
from airflow.sdk import dag, get_current_context, task

@dag(schedule=None, is_paused_upon_creation=False)
def patient():
    @task(retries=0)
    def wait():
        time.sleep(get_current_context()["dag_run"].conf["seconds"])

    wait()

patient()
"""


class Up:
    """A running `factory up` and its output."""

    def __init__(self, project: Path, ignored: Collection[signal.Signals] = ()) -> None:
        ports = Ports.free()
        self.home = Home((project / ".factory").resolve())
        self.output = project / "output.txt"
        with self.output.open("wb") as output:
            self.process = processes.start(
                [
                    *(FACTORY, "up", "--project", project, "--port", str(ports.airflow)),
                    *("--mlflow-port", str(ports.mlflow)),
                ],
                ignored=ignored,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.ports = ports
        self.address = ports.airflow_url
        self.airflow = AirflowClient(self.address, patience=60)

    def wait_for(self, text: str, seconds: float = LONG) -> None:
        wait_until(lambda: text in self.text or self.process.poll() is not None, seconds)
        assert text in self.text, self.text

    def is_well(self) -> bool:
        """Whether all components answer, with heartbeats of their last start."""
        since = max(
            process.create_time()
            for process in members(self.home.folder)
            if process.ppid() == self.process.pid
        )
        return healthy_components(self.ports, since=since) == set(COMPONENTS)

    def workers(self, does: str) -> list[psutil.Process]:
        """The executor's processes that do something, or nothing (`<idle>`)."""
        titles = {process: " ".join(process.cmdline()) for process in members(self.home.folder)}
        return [
            process
            for process, title in titles.items()
            if title.startswith("airflow worker") and does in title
        ]

    def worker(self, does: str) -> psutil.Process | None:
        """The executor's process that does something; its task's process has its title at first."""
        busy = self.workers(does)
        return next((each for each in busy if each.ppid() not in {one.pid for one in busy}), None)

    @property
    def text(self) -> str:
        return self.output.read_text()


def component(up: Up, name: str) -> psutil.Process | None:
    """The process that a component was started as, if there is one now."""
    return next(
        (
            process
            for process in members(up.home.folder, component=name)
            if process.ppid() == up.process.pid
        ),
        None,
    )


def hit(up: Up, name: str, number: signal.Signals) -> int:
    """Send a signal to a component; its process's id."""
    process = component(up, name)
    process.send_signal(number)
    return process.pid


def wait_until_well(up: Up, name: str, before: int) -> None:
    """Wait until a component was started again, and all are healthy."""

    def started() -> bool:
        process = component(up, name)
        return process is not None and process.pid != before

    wait_until(started)
    wait_until(up.is_well)


def wait_until(condition: Callable[[], object], seconds: float = LONG) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("up") / "project"
    (folder / "dags").mkdir(parents=True)
    shutil.copy(CHAIN, folder / "dags")
    return folder


@pytest.fixture
def start(project: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def up(ignored: Collection[signal.Signals] = ()) -> Up:
        started.append(Up(project, ignored))
        return started[-1]

    yield up
    for each in started:
        each.process.kill()
        each.process.wait()
        end(members(each.home.folder), grace=0)


def test_killed_it_leaves_nothing_and_the_next_one_starts(start: Callable[..., Up]) -> None:
    first = start()
    first.wait_for("Ctrl-C stops everything")
    assert first.address in first.text
    assert len(members(first.home.folder)) >= 8
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not members(first.home.folder))

    second = start()
    second.wait_for("Ctrl-C stops everything")
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(LONG) == 0
    assert not members(second.home.folder)


def test_the_leftovers_of_a_run_without_a_watchdog_are_cleared_away(
    start: Callable[..., Up],
) -> None:
    first = start()
    first.wait_for("triggerer: starting")
    watchdogs = [
        child
        for child in psutil.Process(first.process.pid).children()
        if "factory.runtime.watchdog" in child.cmdline()
    ]
    for process in [*watchdogs, first.process]:
        process.kill()
    first.process.wait()
    leftovers = members(first.home.folder)
    assert len(leftovers) >= 5
    stale = first.home.airflow / "airflow-scheduler.pid"
    stale.write_text("1")

    second = start()
    second.wait_for("triggerer: starting")
    assert not [process for process in leftovers if process.is_running()]
    assert not stale.exists()
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(LONG) == 128 + signal.SIGINT
    assert not members(second.home.folder)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        # That these stop a process as SIGINT does, tests/runtime/test_signals.py says in a second.
        pytest.param(signal.SIGTERM, marks=pytest.mark.nightly),
        pytest.param(signal.SIGHUP, marks=pytest.mark.nightly),
    ],
)
def test_a_signal_while_it_starts_leaves_nothing(
    start: Callable[..., Up], number: signal.Signals
) -> None:
    up = start()
    up.wait_for("triggerer: starting")
    up.process.send_signal(number)
    assert up.process.wait(LONG) == 128 + number
    assert not members(up.home.folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_background_it_survives_a_hang_up_and_stops_when_asked_to(
    start: Callable[..., Up], number: signal.Signals
) -> None:
    up = start(ignored=(signal.SIGINT, signal.SIGHUP))
    up.wait_for("triggerer: starting")
    up.process.send_signal(signal.SIGHUP)
    up.process.send_signal(number)
    assert up.process.wait(LONG) == 128 + number
    assert not members(up.home.folder)


def test_ctrl_c_twice_is_quick_and_leaves_nothing(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("triggerer: starting")
    begin = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    up.process.send_signal(signal.SIGINT)
    up.process.wait(LONG)
    assert time.monotonic() - begin < 5
    assert not members(up.home.folder)


def test_a_component_that_dies_at_the_start_is_named_with_the_end_of_its_log(
    start: Callable[..., Up],
) -> None:
    up = start()
    up.wait_for("triggerer: starting")
    (scheduler,) = (
        process
        for process in members(up.home.folder)
        if "factory.runtime.scheduler" in process.cmdline()
    )
    (up.home.logs / "scheduler.log").write_text("the last words\n")
    scheduler.kill()
    assert up.process.wait(LONG) == 1
    assert "error: scheduler ended with signal 9" in up.text
    assert "the last words" in up.text
    assert not members(up.home.folder)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that stays up while its parts die."""
    folder = tmp_path_factory.mktemp("healthy") / "project"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / "patient.py").write_text(PATIENT)
    up = Up(folder)
    up.wait_for("Ctrl-C stops everything")
    yield up
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(LONG) == 0
    assert not members(up.home.folder)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_that_dies_later_is_started_again_and_said(healthy: Up, name: str) -> None:
    killed = hit(healthy, name, signal.SIGKILL)
    healthy.wait_for(f"{name} ended with signal 9; it is started again in 0.5 s")
    wait_until_well(healthy, name, killed)


def test_a_component_that_stands_still_is_started_again(healthy: Up) -> None:
    stopped = hit(healthy, "dag-processor", signal.SIGSTOP)
    healthy.wait_for(f"process {stopped} was stopped for 8 s; it is ended.")
    wait_until_well(healthy, "dag-processor", stopped)


def test_tasks_run_after_the_death_of_every_idle_worker(healthy: Up) -> None:
    for worker in healthy.workers("<idle>"):
        worker.kill()
    run = healthy.airflow.trigger("patient", conf={"seconds": 0})
    assert healthy.airflow.wait_for_run("patient", run.dag_run_id, seconds=LONG).state == "success"


def test_the_death_of_a_busy_worker_is_noticed_before_its_heartbeat_is_missed(healthy: Up) -> None:
    run = healthy.airflow.trigger("patient", conf={"seconds": 600}, run_id="long")
    worker = healthy.airflow.wait_until(
        lambda: healthy.worker("patient wait long"), "a busy worker", seconds=LONG
    )
    children = healthy.airflow.wait_until(worker.children, "its task", seconds=LONG)
    worker.kill()
    # A heartbeat is missed after 300 s.
    ended = healthy.airflow.wait_for_run("patient", run.dag_run_id, seconds=120)
    assert ended.state == "failed"
    wait_until(lambda: not any(child.is_running() for child in children))


def test_the_tasks_of_a_scheduler_that_was_killed_start_again_with_the_next(healthy: Up) -> None:
    run = healthy.airflow.trigger("patient", conf={"seconds": 8}, run_id="short")
    healthy.airflow.wait_until(
        lambda: healthy.worker("patient wait short"), "a busy worker", seconds=LONG
    )
    hit(healthy, "scheduler", signal.SIGKILL)
    ended = healthy.airflow.wait_for_run("patient", run.dag_run_id, seconds=LONG)
    assert ended.state == "success"
    (task,) = healthy.airflow.tasks("patient", run.dag_run_id)
    assert task.try_number == 2


def test_a_second_one_says_where_the_first_answers(start: Callable[..., Up]) -> None:
    first = start()
    first.wait_for("mlflow: starting")
    second = subprocess.run(
        [FACTORY, "up", "--project", first.output.parent],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert second.returncode == 1
    assert f"Airflow {first.address}" in second.stderr
    assert f"process {first.process.pid}" in second.stderr
    assert first.process.poll() is None


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = subprocess.run(
            [FACTORY, "up", "--project", tmp_path],
            env={**os.environ, "FACTORY_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )
    assert found.returncode == 1
    assert re.search(rf"port {port} on 127.0.0.1 is taken.*--port \d+", found.stderr)
    assert "starting" not in found.stdout


def test_a_folder_that_is_no_project_is_said(tmp_path: Path) -> None:
    found = subprocess.run(
        [FACTORY, "up", "--project", tmp_path],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert found.returncode == 1
    assert "has no folder `dags`" in found.stderr
    assert not (tmp_path / ".factory").exists()
