"""Webhooks post to servers that anybody can reach, and to internal ones only where the platform says so."""

import httpx
import pytest

from factory.airflow.messages import PostJson, send
from factory.base.hosts import InternalHostError, check_host
from factory.notifiers.message import Message
from tests.harness.messages import running_webhooks

MESSAGE = Message(event="on_dataset", subject="marine.fish has a new snapshot")
REFUSED = "is on the worker's own machine or network, which a team file may not name"


@pytest.fixture
def webhooks():
    with running_webhooks() as found:
        yield found


def to(url):
    return [{"type": "webhook", "url": url}]


def test_the_workers_own_machine_is_told_nothing(webhooks, caplog):
    assert send(MESSAGE, to(f"{webhooks.url}/hook")) == 0
    assert REFUSED in caplog.text
    assert webhooks.box("/hook").empty()


def test_an_internal_host_that_the_platform_names_is_told(webhooks):
    assert send(MESSAGE, to(f"{webhooks.url}/hook"), internal_hosts=["127.0.0.1"]) == 1
    assert webhooks.box("/hook").get(timeout=5)["event"] == "on_dataset"


def test_the_address_of_a_connection_is_the_platforms_and_may_be_internal(webhooks, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_PAGER", f'{{"conn_type": "http", "host": "{webhooks.url}/hook"}}'
    )
    assert send(MESSAGE, [{"type": "webhook", "connection": "pager"}]) == 1
    assert webhooks.box("/hook").get(timeout=5)["event"] == "on_dataset"


def test_a_name_that_leads_elsewhere_a_moment_later_is_sent_nothing(webhooks, monkeypatch):
    def fooled(host, allowed, **how):
        if host != "localhost":
            check_host(host, allowed, **how)

    monkeypatch.setattr("factory.base.hosts.check_host", fooled)
    url = f"{webhooks.url.replace('127.0.0.1', 'localhost')}/hook"
    with pytest.raises(InternalHostError, match=REFUSED):
        PostJson(body=MESSAGE.as_json(), url=url).notify({})
    assert webhooks.box("/hook").empty()


def test_redirects_are_not_followed(monkeypatch):
    def answer(self, request):
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/"}, request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    with pytest.raises(httpx.HTTPStatusError, match="the receiver answered 302"):
        PostJson(body={}, url="http://1.1.1.1/").notify({})
