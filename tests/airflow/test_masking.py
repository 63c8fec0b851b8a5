"""What a connection holds is masked as soon as it is read, and in every channel that leaves a task."""

import json
import sys
from base64 import b64encode

import pytest
from airflow.sdk.log import redact

from factory.airflow import masking
from factory.airflow.connections import QueryError, http_address, run_statements, unshown_queries
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
