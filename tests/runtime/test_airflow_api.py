"""The client of Airflow's API where a real Airflow cannot be made to answer on demand."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from factory.runtime.airflow_api import AirflowClient, AirflowRefusedError
from tests.harness.servers import answering


@contextmanager
def server(answers: list[tuple[int, dict]]) -> Iterator[tuple[str, list[str]]]:
    """An API that gives these answers, one a request, and hands out tokens; the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/auth/token":
                status, body = 201, {"access_token": "a token"}
            else:
                asked.append(self.path)
                status, body = answers.pop(0)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as http:
        yield f"http://127.0.0.1:{http.server_port}", asked


NO_EVENTS = {"asset_events": [], "total_entries": 0}


def test_events_are_asked_for_again_while_airflow_cannot_tell_of_a_queued_run():
    waits: list[float] = []
    with (
        server([(500, {}), (500, {}), (200, NO_EVENTS)]) as (url, asked),
        AirflowClient(url, pause=waits.append) as client,
    ):
        assert client.asset_events() == []
    assert len(asked) == 3
    assert len(waits) == 2


def test_other_refusals_are_not_asked_for_again():
    with (
        server([(403, {"detail": "not you"})]) as (url, asked),
        AirflowClient(url, pause=pytest.fail) as client,
        pytest.raises(AirflowRefusedError, match="403"),
    ):
        client.asset_events()
    assert len(asked) == 1
