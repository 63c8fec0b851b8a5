"""Finding and ending processes, with small processes in Airflow's place."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from factory.base.processes import end
from factory.runtime.processes import Component, Mark, members, sweep, tail
from factory.runtime.variables import MARKER

# Announces itself through its log, then waits for the end.
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
# Its child renames itself and starts a session of its own, as Airflow's processes may.
PARENT = """
import os, time
if os.fork() == 0:
    os.setsid()
    from setproctitle import setproctitle
    setproctitle("renamed")
    print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[[str], Component]]:
    started = []

    def start(code: str, run: str = "run") -> Component:
        component = Component.launch(
            "small",
            [sys.executable, "-c", code],
            folder=tmp_path,
            log=tmp_path / f"{len(started)}.log",
            environment={**os.environ, MARKER: str(Mark(run, "small", tmp_path)), "SPT_NOENV": "1"},
        )
        started.append(component)
        _wait_for(lambda: "ready" in component.tail())
        return component

    yield start
    end(members(tmp_path), grace=0)
    for component in started:
        component.process.wait()


def _wait_for(condition: Callable[[], object]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("what was waited for did not happen within 10 s")


def test_a_renamed_grandchild_in_its_own_session_is_found(
    launch: Callable[[str], Component], tmp_path: Path
) -> None:
    launch(PARENT)
    assert len(members(tmp_path)) == 2
    assert sweep(tmp_path, grace=1) == 2
    assert not members(tmp_path)


def test_only_the_named_run_is_ended(launch: Callable[..., Component], tmp_path: Path) -> None:
    old, new = launch(STUBBORN, "old"), launch(STUBBORN, "new")
    assert sweep(tmp_path, run="old", grace=0) == 1
    assert not psutil.pid_exists(old.process.pid)
    assert new.process.poll() is None


def test_another_home_is_left_alone(launch: Callable[[str], Component], tmp_path: Path) -> None:
    component = launch(STUBBORN)
    assert sweep(tmp_path / "other") == 0
    assert component.process.poll() is None


def test_the_watchdog_ends_everything_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    supervisor = textwrap.dedent(f"""
        import os, subprocess, sys, time
        from pathlib import Path
        from factory.runtime.processes import Component
        home = Path({str(tmp_path)!r})
        watchdog = subprocess.Popen(
            [sys.executable, "-m", "factory.runtime.watchdog", str(home), "run"],
            stdin=subprocess.PIPE, start_new_session=True)
        environment = {{**os.environ, "SPT_NOENV": "1", {MARKER!r}: f"run:small:{{home}}"}}
        Component.launch("small", [sys.executable, "-c", {PARENT!r}], folder=home,
                         log=home / "small.log", environment=environment)
        time.sleep(600)
    """)
    process = subprocess.Popen([sys.executable, "-c", supervisor])
    _wait_for(lambda: len(members(tmp_path)) == 2)
    process.kill()
    process.wait()
    _wait_for(lambda: not members(tmp_path))


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number}" for number in range(100_000)))
    assert tail(log, 2) == "line 99998\nline 99999"
