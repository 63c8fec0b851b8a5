"""A command that is kept running."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def restart(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Keeps a command running that writes down its starts, and waits."""
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


def test_what_dies_is_started_again_and_ends_with_what_restarts_it(tmp_path, restart):
    starts, parent = tmp_path / "starts", psutil.Process(restart.pid)

    def started(times: int) -> list[psutil.Process]:
        return parent.children() if starts.is_file() and len(starts.read_text()) == times else []

    (first,) = until(lambda: started(1))
    first.kill()
    (second,) = until(lambda: started(2))
    assert second.pid != first.pid
    assert "It ended with signal 9, and is started again in 1 s" in (tmp_path / "log").read_text()
    restart.send_signal(signal.SIGTERM)
    assert restart.wait(timeout=20) == 0
    assert not second.is_running()
