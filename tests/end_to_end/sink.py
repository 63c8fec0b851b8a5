"""A real HTTP server that keeps what is posted to it: where webhooks go."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from factory.runtime.ports import HOST

Message = dict[str, Any]


@dataclass
class Sink:
    """The server's address, and what has come, in its order."""

    url: str
    posts: "Queue[Message]" = field(default_factory=Queue)
    """The JSON of each, with its `path`, and the `login` that came with it."""


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A server on a free port of the loopback interface."""
    posts: Queue[Message] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posts.put({"path": self.path, "login": self.headers["Authorization"], **body})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Sink(f"http://{HOST}:{server.server_port}", posts)
    finally:
        server.shutdown()
        server.server_close()
