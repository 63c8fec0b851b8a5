"""The target `process`: against a server that says what a test wants, and a real `factory serve`."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.deploy.http import NoAnswerError
from factory.deploy.targets.process import ProcessTarget
from factory.deploy.targets.target import Deployed, PredictionRequest
from factory.models import switching
from tests.deploy.placed import Placed, placed
from tests.harness.servers import answering
from tests.models.records import record
from tests.serving.service import registered, serving

RELEASE = record("lab.mark", 2)


class Server(ThreadingHTTPServer):
    """Answers one request after the other with what it was given, the last one for ever."""

    answers: list[tuple[int, Any]]
    asked: int = 0


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        first, *rest = self.server.answers
        self.server.answers = rest or [first]
        self.send_response(first[0])
        self.end_headers()
        self.wfile.write(first[1] if isinstance(first[1], bytes) else json.dumps(first[1]).encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with answering(Server(("127.0.0.1", 0), _Handler)) as made:
        yield made


def section(server: Server | None = None, timeout: str = "5s") -> ProcessTarget:
    url = f"http://127.0.0.1:{server.server_port}" if server else None
    return ProcessTarget.model_validate({"type": "process", "url": url, "timeout": timeout})


@pytest.fixture
def target(server) -> Placed:
    return placed(section(server))


def test_without_an_address_both_places_are_named(monkeypatch):
    monkeypatch.delenv("FACTORY_SERVING_URL", raising=False)
    with pytest.raises(TerminalError, match=r"`url` under `deploy`, or set FACTORY_SERVING_URL"):
        placed(section()).running("lab.mark")


def test_a_server_of_the_workers_network_is_not_asked_unless_the_platform_names_it(server):
    server.answers = [(200, {"version": 1})]
    asked = PredictionRequest(b'{"rows": []}', "application/json")
    release = Deployed(model="lab.mark", version=1, address="http://127.0.0.1")
    refused = placed(section(server), internal_hosts=("other",))
    for ask in (
        lambda: refused.running("lab.mark"),
        lambda: refused.deploy(RELEASE, None),
        lambda: refused.predict(release, asked),
        lambda: refused.restore(RELEASE, None),
    ):
        with pytest.raises(TerminalError, match="internal_hosts"):
            ask()
    assert server.asked == 0
    assert placed(section(server), internal_hosts=("127.0.0.1",)).running("lab.mark")


@pytest.mark.parametrize(
    "url", ["http://a.example.org/#", "http://a.example.org/?x=", "file:///etc/passwd"]
)
def test_an_address_that_cuts_off_what_comes_after_it_is_none_of_a_server(url):
    with pytest.raises(ValidationError, match="no address of a server"):
        ProcessTarget.model_validate({"type": "process", "url": url})


def test_the_variable_names_the_server_unless_the_section_does(monkeypatch, server):
    server.answers = [(200, {"version": 1})]
    monkeypatch.setenv("FACTORY_SERVING_URL", f"http://127.0.0.1:{server.server_port}/")
    found = placed(section()).running("lab.mark")
    assert found is not None
    assert found.address == f"http://127.0.0.1:{server.server_port}/models/lab/mark"


@pytest.mark.parametrize("answer", [(404, {"detail": "no"}), (200, {"version": None})])
def test_a_model_that_has_never_been_in_production_does_not_run(target, server, answer):
    server.answers = [answer]
    assert target.running("lab.mark") is None


def test_deploying_waits_until_the_server_answers_with_the_version(target, server):
    server.answers = [(404, {}), (503, {}), (200, {"version": 1}), (200, {"version": 2})]
    deployed = target.deploy(RELEASE, None)
    assert (deployed.version, server.asked) == (2, 4)


def test_a_version_that_is_refused_for_good_is_not_waited_for(target, server):
    refused = {"version": 2, "reason": "it does not load", "final": True}
    server.answers = [(200, {"version": 1, "refused": refused})]
    with pytest.raises(TerminalError, match=r"refuses version 2 of lab\.mark: it does not load"):
        target.deploy(RELEASE, None)
    assert server.asked == 1


def test_a_version_that_is_refused_for_now_is_waited_for(target, server):
    refused = {"version": 2, "reason": "it could not be read", "final": False}
    server.answers = [(200, {"version": 1, "refused": refused}), (200, {"version": 2})]
    assert target.deploy(RELEASE, None).version == 2


def test_a_server_that_stays_behind_is_given_up_with_what_to_check(server):
    server.answers = [(200, {"version": 1})]
    with pytest.raises(NoAnswerError, match=r"answers with version 1 .* follows the registry at"):
        placed(section(server, "1s")).deploy(RELEASE, None)


@pytest.mark.parametrize("content", [b"<html>", [], {"other": 1}])
def test_another_server_is_told_apart(target, server, content):
    server.answers = [(200, content)]
    with pytest.raises(TerminalError, match="is no `factory serve`"):
        target.running("lab.mark")


def test_a_real_server_is_waited_for_asked_and_gone_back_with(tmp_path, mlflow_server, tracking):
    name = "deploying.weight"
    first, second = (registered(mlflow_server, name, alpha) for alpha in (1.0, 100.0))
    by = {"by": "tests", "why": "It is the next one.", "tracking": tracking}
    switching.promote(name, first, instead_of=None, **by)
    with serving(tmp_path, mlflow_server, name) as service:
        url = {"type": "process", "url": service.address, "timeout": "30s"}
        target = placed(ProcessTarget.model_validate(url), tracking)
        before = target.running(name)
        assert before is not None
        assert before.version == first

        switching.promote(name, second, instead_of=first, **by)
        release = record(name, second, task="regression")
        deployed = target.deploy(release, target.make(release, tmp_path))
        assert deployed.version == second

        rows = service.get(f"/models/{name.replace('.', '/')}")[1]["example"]
        body = json.dumps({"rows": rows}).encode()
        answer = target.predict(deployed, PredictionRequest(body, "application/json"))
        assert (answer.version, len(answer.values)) == (second, len(rows))
        with pytest.raises(TerminalError, match="refuses what it was asked, with 422"):
            target.predict(deployed, PredictionRequest(b'{"rows": []}', "application/json"))

        switching.rollback(name, **by)
        target.restore(release, before)
        assert service.version(name) == first
