"""What holds for all tests: their environment, their classes, and fixtures of every room."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from tests.harness.classes import CLASSES, class_of, class_of_file, missing_extras

# Before anything imports MLflow or Airflow; Airflow would write its settings into the home folder.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["AIRFLOW_HOME"] = str(
    Path(__file__).parents[1]
    / ".factory"
    / "tests"
    / os.environ.get("PYTEST_XDIST_WORKER", "airflow")
)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
os.environ["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] = "false"

# After the variables above; these are fixtures of every test.
from tests.s3 import each_storage, s3, s3_server  # noqa: F401

# A shell's background job and `nohup` ignore these signals. What the tests start would inherit that, and
# `factory up` would rightly go on when a test stops it.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

TESTS = Path(__file__).parent
WITHOUT = missing_extras()

_SECONDS_TO_START = 120
_SECONDS_END_TO_END = 900


def pytest_report_header() -> list[str]:
    left_out = f"extras: not installed ({', '.join(WITHOUT)}); their tests are left out"
    return [left_out] if WITHOUT else []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which no test is asked for, and those whose imports would fail."""
    if not collection_path.name.startswith("test_"):
        return None
    needs = CLASSES.index(class_of_file(PurePosixPath(collection_path.relative_to(TESTS))))
    asked = [CLASSES.index(name) for name in config.option.markexpr.split() if name in CLASSES]
    has = CLASSES.index("core") if WITHOUT else len(CLASSES)
    return needs > min(has, max(asked, default=has)) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its class; those that take longest come first, a file's tests together."""
    weights: dict[str, int] = {}
    for item in items:
        path = PurePosixPath(item.path.relative_to(TESTS))
        fixtures = getattr(item, "fixturenames", ())
        name = class_of(path, fixtures, {mark.name for mark in item.iter_markers()})
        item.add_marker(name)
        if name == "extras" and WITHOUT:
            item.add_marker(pytest.mark.skip(reason="needs the extras: make install-extras"))
        if path.parts[0] == "end_to_end":
            item.add_marker("end_to_end")
        if item.get_closest_marker("end_to_end") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SECONDS_END_TO_END))
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(path)))
        weight = CLASSES.index(name) + 10 * bool(item.get_closest_marker("end_to_end"))
        weights[str(path)] = max(weights.get(str(path), 0), weight)
    items.sort(key=lambda item: -weights[str(item.path.relative_to(TESTS))])


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on SQLite, on a port of its own, for the whole session."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """An MLflow server whose data lie in a folder; its address."""
    port = _free_port()
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
