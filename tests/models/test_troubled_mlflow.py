"""An MLflow whose database is locked, or that does not answer in time."""

import json
import socket
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.utils.request_utils import JitteredRetry
from urllib3.exceptions import ConnectTimeoutError

from factory.base.errors import TerminalError
from factory.models.tracking import Tracking, TrackingError
from tests.harness.servers import running_mlflow


@pytest.fixture(autouse=True)
def one_quick_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


@pytest.mark.slow
def test_locked_database_is_named_and_does_no_lasting_harm(tmp_path: Path, monkeypatch):
    with running_mlflow(tmp_path) as address:
        tracking = Tracking(address)
        holder = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
        holder.execute("begin exclusive")
        with pytest.raises(TrackingError, match="keep its database locked") as caught:
            tracking.ensure_experiment("locked.model")
        holder.execute("rollback")
        holder.close()
        assert not isinstance(caught.value, TerminalError), "a retry may mend it"
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
        assert tracking.ensure_experiment("locked.model")


def test_server_that_fails_by_itself_is_told_from_one_that_is_not_there():
    class Locked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            message = "(sqlite3.OperationalError) database is locked"
            body = json.dumps({"error_code": "INTERNAL_ERROR", "message": message}).encode()
            self.send_response(500)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(TrackingError, match=r"fails by itself: something else"):
            Tracking(f"http://127.0.0.1:{server.server_address[1]}").ensure_experiment("a.b")
        server.shutdown()


def test_server_that_was_away_for_long_is_asked_again_soon_after_it_is_back():
    retry = JitteredRetry(total=9, backoff_factor=1, backoff_jitter=1.0)
    for _ in range(9):
        retry = retry.increment("GET", "/", error=ConnectTimeoutError())
    assert retry.get_backoff_time() == 12


def test_server_that_is_too_slow_is_named():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match=rf"{address} does not answer in time"):
            Tracking(address).ensure_experiment("slow.model")
