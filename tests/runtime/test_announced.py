"""Where a runtime answers, as other commands find out."""

import subprocess
import sys

from factory.runtime.announced import Announced, announced
from factory.runtime.home import Home
from factory.runtime.lock import HomeLock
from factory.runtime.ports import Ports

HOLDER = """
import sys
from pathlib import Path
from factory.runtime.lock import HomeLock
from factory.runtime.ports import Ports
lock = HomeLock(Path(sys.argv[1]))
lock.acquire()
lock.announce(Ports(18080, 15000))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_runtime_that_runs_is_found_until_it_ends_or_is_killed(tmp_path):
    lock = Home(tmp_path / ".factory").lock
    assert announced(tmp_path) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    assert announced(tmp_path) == Announced("http://127.0.0.1:18080", "http://127.0.0.1:15000")
    holder.kill()
    holder.wait()
    # What it wrote is still there, and it is not there any more.
    assert "18080" in lock.read_text()
    assert announced(tmp_path) is None


def test_asking_takes_no_lock_from_whoever_starts_then(tmp_path):
    lock = HomeLock(Home(tmp_path / ".factory").lock)
    lock.acquire()
    lock.announce(Ports(18080, 15000))
    lock.release()
    assert announced(tmp_path) is None
    lock.acquire()
    lock.release()
