"""An MLflow whose database is locked, or that does not answer in time."""

import socket
import sqlite3
from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.models.tracking import Tracking, TrackingError
from tests.harness.servers import running_mlflow


@pytest.fixture(autouse=True)
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.slow
def test_locked_database_is_named_and_does_no_lasting_harm(tmp_path: Path):
    with running_mlflow(tmp_path) as address:
        tracking = Tracking(address)
        holder = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
        holder.execute("begin exclusive")
        with pytest.raises(TrackingError, match=r"its database is locked\. Look for") as caught:
            tracking.ensure_experiment("locked.model")
        holder.execute("rollback")
        holder.close()
        assert not isinstance(caught.value, TerminalError), "a retry may mend it"
        assert tracking.ensure_experiment("locked.model")


def test_server_that_is_too_slow_is_named(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match=rf"{address} does not answer"):
            Tracking(address).ensure_experiment("slow.model")
