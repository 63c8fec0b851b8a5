"""What MLflow has done, and whose answer is lost on the way, is not done a second time."""

import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import mlflow
import pytest

from factory.models import registry
from factory.models.tracking import Tracking, TrackingError
from factory.models.training_run import TrainingRun
from tests.harness.servers import answering
from tests.serving.service import trained

RUN = TrainingRun("lost.model", "lost.model.train", "manual__1", "c0ffee")


class Relay(BaseHTTPRequestHandler):
    """Hands everything on to MLflow; of some calls it keeps the answer to itself."""

    protocol_version = "HTTP/1.1"
    target: str
    swallow: dict[str, int]
    """How many answers to lose, by the end of the path."""
    calls: list[str]

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        line = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        line.request(self.command, self.path, body, headers)
        answer = line.getresponse()
        content = answer.read()
        line.close()
        self.calls.append(f"{self.command} {self.path.partition('?')[0]}")
        for end in self.swallow:
            if self.path.endswith(end) and self.swallow[end]:
                self.swallow[end] -= 1
                self.close_connection = True
                return
        self.send_response(answer.status)
        for name in ("Content-Type",):
            if value := answer.headers.get(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = relay  # noqa: N815 - as the library calls them

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def relay(mlflow_server: str) -> Iterator[type[Relay]]:
    handler = type("OneRelay", (Relay,), {"target": mlflow_server, "swallow": {}, "calls": []})
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        handler.uri = f"http://127.0.0.1:{server.server_port}"
        yield handler


def runs(uri: str, experiment: str) -> list[mlflow.entities.Run]:
    return list(Tracking(uri).client.search_runs([experiment]))


@pytest.mark.parametrize("lost", [1, 2])
def test_a_run_whose_creation_was_not_answered_is_found_again(relay, mlflow_server, lost):
    tracking = Tracking(relay.uri)
    experiment = tracking.ensure_experiment(f"lost.run_{lost}")
    relay.swallow["runs/create"] = lost
    parent = tracking.start_parent(experiment, RUN, [])
    child = tracking.log_child(
        experiment, parent, name="a", tags={"trial": "a"}, params={"C": "1"}, metrics={"auc": 0.5}
    )
    found = {run.info.run_id: run.info.status for run in runs(mlflow_server, experiment)}
    assert found == {parent: "RUNNING", child: "FINISHED"}


def test_a_child_whose_creation_was_not_answered_is_one_finished_run(relay, mlflow_server):
    tracking = Tracking(relay.uri)
    experiment = tracking.ensure_experiment("lost.child")
    parent = tracking.start_parent(experiment, RUN, [])
    relay.swallow["runs/create"] = 1
    child = tracking.log_child(
        experiment, parent, name="a", tags={"trial": "a"}, params={}, metrics={"auc": 0.5}
    )
    found = {run.info.run_id: run.info.status for run in runs(mlflow_server, experiment)}
    assert found == {parent: "RUNNING", child: "FINISHED"}


def test_a_version_whose_registration_was_not_answered_is_registered_once(relay, tmp_path):
    relay.swallow["model-versions/create"] = 1
    number = trained(tmp_path, relay.uri, "lost.version")
    known = registry.versions("lost.version", tracking=Tracking(relay.uri))
    assert [one.number for one in known] == [number] == [1]


def test_what_the_server_refuses_is_not_tried_again(relay):
    tracking = Tracking(relay.uri)
    with pytest.raises(TrackingError, match="refuses"):
        tracking.start_parent("no-such-experiment", RUN, [])
    assert sum(call.endswith("runs/create") for call in relay.calls) <= 1
