"""What `factory serve` says while MLflow does not answer."""

import logging
import os

import pytest

from factory.cli.serve import _prepare

LIBRARIES = ("urllib3", "alembic")


@pytest.fixture
def prepared(monkeypatch):
    """A process as `factory serve` prepares it."""
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    # Importing the registry's client sets some of them too.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    monkeypatch.setattr(os, "environ", own)
    _prepare()
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_tries_of_a_library_are_not_in_the_log(prepared, caplog):
    retries = logging.getLogger("urllib3.connectionpool")
    retries.warning("Retrying (Retry(total=4, …)) after connection broken by NewConnectionError")
    assert caplog.records == []
    retries.error("the pool is broken")
    assert len(caplog.records) == 1


def test_values_of_an_operator_win(monkeypatch, prepared):
    monkeypatch.setitem(os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    _prepare()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
