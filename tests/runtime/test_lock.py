"""Who may use a home, and where its runtime answers, as other commands find out."""

import subprocess
import sys
from pathlib import Path

import pytest

from factory.runtime.errors import AlreadyRunningError, EmbeddedRuntimeError
from factory.runtime.home import Home
from factory.runtime.lock import Addresses, HomeLock, addresses_of
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
    assert addresses_of(tmp_path) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    assert addresses_of(tmp_path) == Addresses("http://127.0.0.1:18080", "http://127.0.0.1:15000")
    holder.kill()
    holder.wait()
    # What it wrote is still there, and it is not there any more.
    assert "18080" in lock.read_text()
    assert addresses_of(tmp_path) is None


def test_asking_takes_no_lock_from_whoever_starts_then(tmp_path):
    lock = HomeLock(Home(tmp_path / ".factory").lock)
    lock.acquire()
    lock.announce(Ports(18080, 15000))
    lock.release()
    assert addresses_of(tmp_path) is None
    lock.acquire()
    lock.release()


def test_a_held_lock_names_the_holders_addresses(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path / "lock"), HomeLock(tmp_path / "lock")
    first.acquire()
    first.announce(Ports(1, 2))
    with pytest.raises(AlreadyRunningError, match=r"Airflow http://127.0.0.1:1, MLflow http://"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_held_lock_names_the_command_that_holds_it(tmp_path, monkeypatch) -> None:
    lock = HomeLock(tmp_path / "lock")
    lock.acquire()
    monkeypatch.setattr(sys, "argv", ["/venv/bin/factory", "serve", "--token-file", "secret"])
    lock.announce(Ports(1, 2), airflow=False)
    with pytest.raises(AlreadyRunningError) as refused:
        HomeLock(tmp_path / "lock").acquire()
    lock.release()
    said = str(refused.value)
    assert said.startswith(f"`factory serve` already runs in {tmp_path} (process ")
    assert ": MLflow http://127.0.0.1:2. Stop it first" in said


def test_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / ".factory").write_text("a file where the folder would be")
    with pytest.raises(
        EmbeddedRuntimeError, match=r"runtime.json cannot be written \(.*Let this user"
    ):
        HomeLock(Home(tmp_path / ".factory").lock).acquire()
