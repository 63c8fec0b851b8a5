"""What dies or stands still is started again, and given up where that does not help."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from factory.base.processes import end
from factory.runtime import supervisor as module
from factory.runtime.errors import ComponentDiedError
from factory.runtime.processes import Component, Mark, members
from factory.runtime.supervisor import DEATHS, Supervisor
from factory.runtime.variables import MARKER

RUN = "run"
WAITS = "import signal; signal.pause()"
PARENT = f"import os, signal\nif os.fork() == 0: os.setsid()\n{WAITS}"


class Watched:
    """One component, `small`, and what a supervisor says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = WAITS
        self.components: dict[str, Component] = {}
        self.said: list[str] = []
        self._heard = threading.Condition()

    def begin(self, code: str = WAITS) -> Supervisor:
        self.code = code
        self.start("small")
        self.supervisor = Supervisor(
            self.components,
            start_again=self.start,
            members=lambda name: members(self.folder, run=RUN, component=name),
            is_ours=lambda process: process.pid == self.process.pid,
            on_event=self.hear,
        )
        self.supervisor.start()
        return self.supervisor

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.components["small"].process

    def start(self, name: str) -> None:
        self.components[name] = Component.launch(
            name,
            [sys.executable, "-c", self.code],
            folder=self.folder,
            log=self.folder / "log",
            environment={**os.environ, MARKER: str(Mark(RUN, name, self.folder))},
        )
        self.hear(f"start {self.process.pid}")

    def hear(self, sentence: str) -> None:
        with self._heard:
            self.said.append(sentence)
            self._heard.notify_all()

    def wait_for(self, condition: Callable[[], object], seconds: float = 20) -> None:
        with self._heard:
            assert self._heard.wait_for(condition, timeout=seconds), self.said

    def starts(self) -> int:
        return sum(sentence.startswith("start ") for sentence in self.said)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    yield found
    found.supervisor.stop()
    end(members(tmp_path), grace=0)
    for component in found.components.values():
        component.process.kill()  # a process that has just begun shows no mark yet
        component.process.wait()
    end(members(tmp_path), grace=0)  # what it has started in its last moment


def test_a_component_that_is_killed_is_started_again_and_said(watched: Watched) -> None:
    watched.begin()
    first = watched.process
    first.kill()
    watched.wait_for(lambda: watched.starts() == 2)
    assert watched.process.pid != first.pid
    assert (
        f"small ended with signal 9; it is started again in 0.5 s. Its log: {watched.folder}/log"
        in watched.said
    )


def test_what_a_dead_component_left_running_is_ended_before_the_next_start(
    watched: Watched,
) -> None:
    watched.begin(PARENT)
    for _ in range(200):
        if children := psutil.Process(watched.process.pid).children():
            break
        threading.Event().wait(0.05)
    watched.process.kill()
    watched.wait_for(lambda: watched.starts() == 2)
    assert not children[0].is_running()


def test_five_deaths_in_a_row_are_the_end_with_the_end_of_the_log(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 0.02)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    supervisor = watched.begin("print('no disk left'); raise SystemExit(3)")
    supervisor.join(timeout=30)
    assert watched.starts() == DEATHS
    assert isinstance(supervisor.failure, ComponentDiedError)
    assert "small ended with exit code 3" in str(supervisor.failure)
    assert "no disk left" in str(supervisor.failure)
    assert watched.said[-1] == ("small ended with exit code 3, 5 times in a row: this ends here.")


def test_deaths_after_steady_running_are_not_in_a_row(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 0.02)
    monkeypatch.setattr(module, "STEADY", 0.0)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    supervisor = watched.begin("raise SystemExit(3)")
    watched.wait_for(lambda: watched.starts() > DEATHS + 1)
    assert supervisor.failure is None


def test_a_process_that_stays_stopped_is_ended_and_started_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STANDSTILL", 1.0)
    watched.begin()
    first = watched.process
    first.send_signal(signal.SIGSTOP)
    watched.wait_for(lambda: watched.starts() == 2)
    assert f"process {first.pid} was stopped for 1 s; it is ended." in watched.said


def test_nothing_is_started_after_the_supervisor_was_stopped(watched: Watched) -> None:
    watched.begin().stop()
    watched.process.kill()
    watched.process.wait()
    assert not watched.supervisor.is_alive()
    assert watched.starts() == 1


def test_a_terminal_that_was_closed_ends_nothing(watched: Watched) -> None:
    hear = watched.hear

    def closed(sentence: str) -> None:
        hear(sentence)
        raise BrokenPipeError

    watched.begin()
    watched.supervisor._on_event = closed
    watched.process.kill()
    watched.wait_for(lambda: watched.starts() == 2)
    assert watched.supervisor.failure is None
