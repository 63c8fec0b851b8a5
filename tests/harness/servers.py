"""Servers for tests: MLflow, and small ones in threads, each on a port of its own."""

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

_SECONDS_TO_START = 120
_Server = TypeVar("_Server", bound=socketserver.BaseServer)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on SQLite, on a port of its own, for the whole session."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """An MLflow server whose data lie in a folder; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"),
        *("--artifacts-destination", (folder / "artifacts").as_uri()),
    ]
    with log.open("wb") as output:
        # A group of its own: the server leaves its workers running when it is stopped alone.
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
    try:
        _await_health(address, server, log)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _await_health(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(_SECONDS_TO_START * 4):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            pass
        try:
            server.wait(timeout=0.25)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"the MLflow server did not start:\n{log.read_text()}")


@contextmanager
def answering(server: _Server) -> Iterator[_Server]:
    """Let a server answer in a thread while the block runs; it is closed at the end."""
    # It looks twice a second by itself whether it is to end, and as long is waited for the end.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
