"""What a connection holds is masked as soon as it is read, and in every channel that leaves a task."""

import json
import os
import subprocess
import sys
from base64 import b64encode

import pytest
from airflow.sdk.log import redact

from factory.airflow import masking
from factory.airflow.connections import QueryError, http_address, run_statements, unshown_queries
from factory.airflow.run_failures import describe
from factory.airflow.tasks.resources import _described
from factory.base.errors import TerminalError


@pytest.fixture
def add(monkeypatch):
    """Adds a connection."""

    def added(name, **values):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(values))
        return name

    return added


def test_password_and_extra_are_masked_in_the_ways_in_which_they_are_written(add):
    headers = {"X-Key": "masked-header", "Accept": "application/json"}
    name = add("one", conn_type="http", login="me", password="mask/ed1", extra={"headers": headers})
    masking.connection(name)
    login = b64encode(b"me:mask/ed1").decode()
    for text in ("mask/ed1", "mask%2Fed1", "masked-header"):
        assert redact(f"<{text}>") == "<***>"
    assert login[4:12] not in redact(f"Basic {login}")
    assert redact("application/json") == "application/json"


def test_login_without_a_password_is_a_token_and_with_one_a_name(add):
    masking.connection(add("two", conn_type="http", login="masked-login"))
    masking.connection(add("three", conn_type="http", login="shown-login", password="masked-2"))
    assert redact("masked-login shown-login masked-2") == "*** shown-login ***"


def test_tokens_in_an_address_are_masked(add):
    token = "masked-token-of-a-hook"
    name = add("four", conn_type="http", host=f"https://chat.example.org/hooks/{token}")
    assert http_address(name)[0].endswith(token)
    assert masking.shown(f"POST /hooks/{token}") == "POST /hooks/***"


def test_environment_is_masked(monkeypatch):
    monkeypatch.setenv("FACTORY_SIGNING_KEY", "masked-signing-key")
    masking.mask_environment()
    assert redact("by masked-signing-key") == "by ***"


def test_openlineage_hides_what_was_masked_after_airflow_started():
    pytest.importorskip("airflow.providers.openlineage.plugins.listener")
    from airflow.providers.openlineage.plugins.listener import get_openlineage_listener

    redacter = get_openlineage_listener().adapter._redacter
    masking.mask(["masked-for-openlineage"])
    assert redacter.redact("masked-for-openlineage") == "masked-for-openlineage"
    masking.renew_openlineage()
    renewed = get_openlineage_listener().adapter._redacter
    assert renewed.redact("masked-for-openlineage") == "***"


def test_openlineage_hides_what_queries_hold():
    pytest.importorskip("airflow.providers.openlineage.plugins.listener")
    from airflow.providers.openlineage.plugins.listener import get_openlineage_listener
    from openlineage.client.facet_v2 import sql_job

    masking.mask(["masked-in-a-query"])
    masking.renew_openlineage()
    facet = sql_job.SQLJobFacet(query="select 'masked-in-a-query'")
    found = get_openlineage_listener().adapter._redacter.redact({"sql": facet})
    assert found["sql"].query == "select '***'"


def test_error_is_masked_before_it_is_cut():
    masking.mask(["masked-at-the-end"])
    text = describe(ValueError("x" * 1_980 + "masked-at-the-end"))
    assert "masked" not in text


OUTPUT = """\
import subprocess, sys
from factory.airflow.masking import mask, masked_output

mask(["masked-in-output"])
with masked_output():
    print("printed masked-in-output")
    print("error masked-in-output", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-c", "print(input())"], input="child masked-in-output", text=True)
print("after")
"""


@pytest.mark.slow
def test_output_of_a_process_and_its_children_is_masked_to_the_last_line():
    done = subprocess.run(
        [sys.executable, "-c", OUTPUT], capture_output=True, text=True, check=True, timeout=100
    )
    lines = [line for line in done.stdout.splitlines() if "***" in line or line == "after"]
    assert sorted(lines) == ["after", "child ***", "error ***", "printed ***"]
    assert lines[-1] == "after"


COMPONENT = """\
import logging
import airflow.settings
import structlog
from airflow.logging_config import configure_logging

configure_logging()
from factory.airflow.masking import mask
from factory.airflow.plugin import FactoryPlugin

before = structlog.get_logger("before")
before.info("x")
FactoryPlugin.on_load()
mask(["masked-in-a-log"])
mask(["masked'in\\"a-log"])
before.info("one masked-in-a-log", detail=[{"text": repr(["masked'in\\"a-log", "'"])}])
logging.getLogger("airflow.x").error("two %s", "masked-in-a-log")
try:
    raise ValueError("masked-in-a-log")
except ValueError:
    logging.getLogger("airflow.x").exception("three")
    structlog.get_logger("after").exception("four")
"""


@pytest.mark.slow
def test_log_of_a_component_is_masked(tmp_path):
    variables = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPONENT],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        env=variables,
    )
    said = done.stdout + done.stderr
    assert all(word in said for word in ("one ***", "two ***", "three", "four"))
    # Tracebacks show the line of code.
    said = said.replace('"masked-in-a-log"', "")
    assert "masked-in-a-log" not in said
    assert "a-log" not in said


def test_without_openlineage_there_is_nothing_to_renew(monkeypatch):
    monkeypatch.delitem(sys.modules, masking._OPENLINEAGE, raising=False)
    masking.renew_openlineage()


@pytest.mark.parametrize(
    "created",
    [{"name": "a", "password": "b"}, {"dsn": "db://a:b@c/d"}, {"text": "x masked-by-name"}],
)
def test_resource_that_is_described_with_a_secret_is_refused(created):
    masking.mask(["masked-by-name"])
    with pytest.raises(TerminalError, match=r"resource db: code\.make returned a secret") as caught:
        _described("db", "code.make", created)
    assert "masked-by-name" not in str(caught.value)


def test_a_database_says_what_is_wrong_without_the_query(add, tmp_path, caplog):
    name = add("five", conn_type="sqlite", host=str(tmp_path / "a.db"))
    with pytest.raises(QueryError, match="connection 'five': no such table: nowhere") as caught:
        run_statements(name, "select 'filled in' from nowhere")
    assert "filled in" not in str(caught.value) + caplog.text
    assert caught.value.__suppress_context__


def test_errors_that_are_no_databases_pass():
    with pytest.raises(KeyError, match="a"), unshown_queries("six"):
        raise KeyError("a")
