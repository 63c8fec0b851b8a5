"""A stand-in for servers with OpenAI's interface, which counts what it is asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any

from tests.harness.servers import answering

KEY = "sk-planted-key-0123456789abcdef"


class OpenAiServer(ThreadingHTTPServer):
    """Answers with vectors of the texts' lengths; `failures` are answered first, one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failures: list[tuple[int, dict[str, str], str]] = []
        self.size = 3
        self.change: Callable[[dict[str, Any]], Any] = lambda answer: answer
        self.go_on = Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def texts(self) -> list[str]:
        """All texts that were embedded, in their order."""
        return [text for request in self.requests for text in request["input"]]

    def handle_error(self, request: Any, address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: OpenAiServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers.get("Authorization"))
        self.server.go_on.wait(30)
        if self.server.failures:
            status, headers, text = self.server.failures.pop(0)
        else:
            self.server.requests.append(body)
            size = body.get("dimensions", self.server.size)
            rows = [
                {"index": at, "embedding": [float(len(text)), *[1.0] * (size - 1)]}
                for at, text in enumerate(body["input"])
            ]
            answer = {"data": rows[::-1], "usage": {"total_tokens": 10 * len(rows)}}
            status, headers, text = 200, {}, json.dumps(self.server.change(answer))
        content = text.encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def openai_server() -> Iterator[OpenAiServer]:
    with answering(OpenAiServer()) as server:
        yield server
        server.go_on.set()
