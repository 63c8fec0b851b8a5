"""Ending processes and what they have started."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from factory.base.processes import end, family, kill

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
# Its child ends, and leaves a child of its own behind.
ORPHANS = """
import os, time
if (child := os.fork()) == 0:
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.waitpid(child, 0)
print("ready", flush=True)
time.sleep(600)
"""

Launch = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def launch() -> Iterator[Launch]:
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        kill(family(process))
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_process_that_ignores_the_request_is_ended_after_the_grace(launch: Launch) -> None:
    process = launch(STUBBORN)
    begin = time.monotonic()
    end(family(process), grace=0.3)
    assert time.monotonic() - begin > 0.3
    assert not psutil.pid_exists(process.pid)


def test_second_request_to_stop_does_not_wait_for_the_grace(launch: Launch) -> None:
    process = launch(STUBBORN)
    end(family(process), grace=600, hurried=lambda: True)
    assert not psutil.pid_exists(process.pid)


def test_family_holds_orphans_and_not_ourselves(launch: Launch) -> None:
    process = launch(ORPHANS)
    found = family(process)
    assert len(found) == 2
    assert os.getpid() not in {one.pid for one in found}
    end(found)
    process.wait()
    assert not any(psutil.pid_exists(one.pid) for one in found)
    assert family(process) == []
