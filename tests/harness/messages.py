"""Real servers that keep what is sent to them: a web server for webhooks, and one for mail."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from aiosmtpd.controller import Controller

from factory.runtime.ports import HOST, Ports
from tests.harness.servers import answering

Message = dict[str, Any]
Box = Queue[Message]


@dataclass
class Webhooks:
    """A web server's address, and what was posted to each of its paths, in order."""

    url: str
    _boxes: dict[str, Box] = field(default_factory=lambda: defaultdict(Queue))

    def box(self, path: str) -> Box:
        """The JSON of each post to a path, with its `path` and the `login` that came with it."""
        return self._boxes[path]


@dataclass
class Mailbox:
    """A mail server's port, and what it was handed for each team, in order."""

    port: int
    _boxes: dict[str, Box] = field(default_factory=lambda: defaultdict(Queue))

    def box(self, team: str) -> Box:
        """The mails whose subject begins with a name of this team's: `to`, `subject` and `html`."""
        return self._boxes[team]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """What aiosmtpd calls for each mail."""
        mail = message_from_bytes(envelope.content, policy=policy.default)
        html = mail.get_body(("html",)).get_content()
        subject = str(mail["subject"])
        team = subject.partition(".")[0]
        self.box(team).put({"to": envelope.rcpt_tos, "subject": subject, "html": html})
        return "250 Message accepted for delivery"


@contextmanager
def running_webhooks() -> Iterator[Webhooks]:
    """A web server on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = {"path": self.path, "login": self.headers["Authorization"], **body}
            webhooks.box(self.path).put(message)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    webhooks = Webhooks(f"http://{HOST}:{server.server_port}")
    with answering(server):
        yield webhooks


@contextmanager
def running_mailbox() -> Iterator[Mailbox]:
    """A mail server on a free port of the loopback interface."""
    mailbox = Mailbox(Ports.free().airflow)
    controller = Controller(mailbox, hostname=HOST, port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
