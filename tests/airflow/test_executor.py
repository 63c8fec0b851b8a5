"""What Airflow's scheduler learns from the executor when one of its workers dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from airflow.executors.base_executor import BaseExecutor

from factory.airflow import executor as module
from factory.airflow.executor import WatchedLocalExecutor


@dataclass
class Workload:
    """Stands for a task: what a worker does is written here, and inherited by the fork."""

    key: str
    does: str
    success_state: str = "success"
    failure_state: str = "failed"
    running_state: None = None

    @property
    def display_name(self) -> str:
        return self.key


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedLocalExecutor]:
    """Two workers; a workload writes its process's id, and then does what it is told."""

    def run(workload: Workload, **_: object) -> int:
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)  # as Airflow's tasks do
            (tmp_path / f"{workload.key}.tmp").write_text(f"{os.getppid()} {os.getpid()}")
            (tmp_path / f"{workload.key}.tmp").rename(tmp_path / workload.key)
            if workload.does == "wait":
                signal.pause()
            os._exit(0)
        os.waitpid(child, 0)
        if workload.does == "raise":
            raise ValueError("not today")
        return 0

    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(run))
    monkeypatch.setattr(module, "_end_other_schedulers", lambda _job: None)
    monkeypatch.setattr(module, "get_execution_api_server_url", lambda _conf: "")
    monkeypatch.setattr("airflow.executors.base_executor.state_class_for_key", lambda _key: States)
    found = WatchedLocalExecutor(parallelism=2)
    found.start()
    yield found
    for worker in found._workers:
        worker.process.kill()
        worker.process.join()


class States:
    FAILED = "failed"


def hand_in(executor: WatchedLocalExecutor, *workloads: Workload) -> None:
    executor.running.update(workload.key for workload in workloads)
    executor._process_workloads(workloads)


def processes(tmp_path: Path, key: str) -> tuple[int, int]:
    """The worker and the task that run a workload, as soon as they do."""
    wait_for((tmp_path / key).is_file)
    worker, task = (tmp_path / key).read_text().split()
    return int(worker), int(task)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(executor: WatchedLocalExecutor, count: int) -> dict[str, str]:
    """What the scheduler has been told, as soon as it was told so much."""

    def told() -> bool:
        executor.sync()
        return len(executor.event_buffer) >= count

    wait_for(told)
    return {key: state for key, (state, _) in executor.event_buffer.items()}


def test_more_workloads_than_workers_are_all_run(executor) -> None:
    hand_in(executor, *(Workload(f"w{number}", "end") for number in range(5)))
    assert states(executor, 5) == dict.fromkeys(("w0", "w1", "w2", "w3", "w4"), "success")
    assert not executor.running


def test_a_workload_that_raises_has_failed_and_its_worker_goes_on(executor) -> None:
    hand_in(executor, Workload("bad", "raise"))
    workers = [worker.process.pid for worker in executor._workers]
    assert states(executor, 1) == {"bad": "failed"}
    assert [worker.process.pid for worker in executor._workers] == workers


def test_the_death_of_a_busy_worker_fails_its_workload_and_ends_what_it_started(
    executor, tmp_path
) -> None:
    hand_in(executor, Workload("long", "wait"), Workload("next", "end"), Workload("last", "end"))
    worker, task = processes(tmp_path, "long")
    os.kill(worker, signal.SIGKILL)
    assert states(executor, 3) == {"long": "failed", "next": "success", "last": "success"}
    assert executor.event_buffer["long"][1] == (
        f"the worker process {worker} was killed by signal 9"
    )
    wait_for(lambda: not psutil.pid_exists(task))
    assert not executor.running


def test_workloads_run_on_after_the_death_of_every_idle_worker(executor) -> None:
    before = [worker.process for worker in executor._workers]
    for process in before:
        process.kill()
        process.join()
    hand_in(executor, *(Workload(f"w{number}", "end") for number in range(4)))
    assert states(executor, 4) == dict.fromkeys(("w0", "w1", "w2", "w3"), "success")


def test_workers_end_with_the_scheduler(executor, tmp_path) -> None:
    workers = list(executor._workers)
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        worker.process.join(timeout=20)
        assert worker.process.exitcode == 0


def test_the_end_waits_for_what_runs_and_tells_how_it_ended(executor) -> None:
    hand_in(executor, Workload("one", "end"), Workload("two", "raise"))
    executor.end()
    assert {key: state for key, (state, _) in executor.event_buffer.items()} == {
        "one": "success",
        "two": "failed",
    }


def test_a_look_at_workers_that_are_all_there_freezes_no_memory(executor, monkeypatch) -> None:
    frozen = []
    monkeypatch.setattr("factory.airflow.executor.gc.freeze", lambda: frozen.append("now"))
    executor.sync()
    assert not frozen
    executor._workers[0].process.kill()
    executor._workers[0].process.join()
    executor.sync()
    assert frozen == ["now"]
