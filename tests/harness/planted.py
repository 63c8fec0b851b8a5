"""Secrets, each in another place where a project may keep one, and where they must not be found again."""

import json
import sqlite3
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import psutil

from factory.runtime.ports import HOST

PLACES = (
    *("sql_password", "sql_option", "http_password", "http_login", "http_header", "http_bearer"),
    *(
        "extra_token",
        "extra_unnamed",
        "stored_password",
        "hook_path",
        "hook_query",
        "hook_password",
    ),
    *("mail_password", "signing_key", "variable", "serving_token"),
)
"""Where secrets are planted."""


def stem(place: str) -> str:
    """Letters that stand for a place's secret, whatever happens to its other characters."""
    return f"planted{place.replace('_', '')}secret"


def secret(place: str, *, plain: bool = False) -> str:
    """The secret of a place: with characters that addresses, JSON and SQL write in their own ways, unless plain."""
    return f"{stem(place)}0123456789" if plain else f"p+{stem(place)}%/'\"&0"


def connections(database: dict[str, str], portal: str) -> dict[str, dict[str, Any]]:
    """Airflow connections with secrets.

    Args:
        database: The connection of a PostgreSQL that asks for no password.
        portal: The address of an HTTP server.
    """
    option = f"-c planted.option={secret('sql_option', plain=True)}"
    headers = {
        "X-Planted": secret("http_header", plain=True),
        "X-Grant": f"Bearer {secret('http_bearer', plain=True)}",
    }
    path = f"/hook/{secret('hook_path', plain=True)}?key={secret('hook_query', plain=True)}"
    return {
        "PLANTED_SQL": {
            **database,
            "password": secret("sql_password"),
            "extra": {"options": option},
        },
        "PLANTED_DOWN": {
            **database,
            "host": HOST,
            "port": 1,
            "password": secret("sql_password"),
        },
        "PLANTED_HTTP": {
            "conn_type": "http",
            "host": portal,
            "login": "reader",
            "password": secret("http_password"),
            "extra": {
                "headers": headers,
                "api_token": secret("extra_token"),
                "whatever": secret("extra_unnamed"),
            },
        },
        "PLANTED_TOKEN": {"conn_type": "http", "host": portal, "login": secret("http_login")},
        "PLANTED_HOOK": {
            "conn_type": "http",
            "host": f"{portal}{path}",
            "login": "bot",
            "password": secret("hook_password"),
        },
        "PLANTED_MAIL": {
            "conn_type": "smtp",
            "host": HOST,
            "port": 1,
            "login": "postman",
            "password": secret("mail_password"),
            "extra": {"disable_tls": True, "disable_ssl": True, "from_email": "f@example.org"},
        },
    }


def environment() -> dict[str, str]:
    """Environment variables with secrets."""
    return {
        "FACTORY_SIGNING_KEY": secret("signing_key") * 2,
        "PLANTED_API_KEY": secret("variable"),
    }


@contextmanager
def running_portal() -> Iterator[str]:
    """The address of an HTTP server that has rows, and repeats in its errors what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/rows.csv":
                self._answer(200, "OK", b"n\n1\n2\n")
            else:
                sent = "; ".join(f"{name}: {value}" for name, value in self.headers.items())
                self._answer(404, f"nothing for {sent}", b"")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(500, f"{self.path} refuses {self.headers['Authorization']}", b"")

        def _answer(self, status: int, reason: str, body: bytes) -> None:
            self.send_response(status, reason)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Needle:
    """What is looked for: a place's secret, as text or within Base64."""

    place: str
    found_by: bytes


def needles(places: Iterable[str] = PLACES) -> list[Needle]:
    """What must not be found."""
    return [
        Needle(place, each) for place in places for each in (stem(place).encode(), *_base64(place))
    ]


def _base64(place: str) -> Iterator[bytes]:
    """The middle of what Base64 makes of the secret's letters, wherever these begin."""
    for before in range(3):
        yield b64encode(b"\0" * before + stem(place).encode())[4:-4]


def hits(what: str, content: bytes, looked_for: Iterable[Needle]) -> list[str]:
    """Where a content holds a secret, in words that do not repeat it."""
    return [
        f"{what} holds the secret of {one.place} (…{content[at - 60 : at].decode(errors='replace')!r})"
        for one in looked_for
        if (at := content.find(one.found_by)) >= 0
    ]


def tables(database: Path, without: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    """The content of each table of an SQLite database."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        names = [
            name
            for (name,) in connection.execute("select name from sqlite_master where type='table'")
        ]
        for name in names:
            if name not in without:
                rows = connection.execute(f'select * from "{name}"').fetchall()
                yield name, repr(rows).encode() + json.dumps(rows, default=_as_text).encode()


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


@dataclass
class CommandLines:
    """The command lines of all processes of this machine, looked at again and again; a context manager."""

    seen: set[bytes] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            for process in psutil.process_iter():
                try:
                    self.seen.add("\0".join(process.cmdline()).encode())
                except psutil.Error:
                    continue
