"""Whom the service answers: hosts, tokens, and connections that bring no request."""

import http.client
import selectors
import socket
import time
from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.serving.limits import ServingLimits
from factory.serving.tokens import TokenFile
from tests.serving.service import Service, serving

OLD, NEW = "an-old-token-of-32-characters-aaa", "a-new-token-of-32-characters-bbbb"
LIMITS = ServingLimits()


def get(service: Service, path: str, **headers: str) -> int:
    where = service.address.removeprefix("http://")
    line = http.client.HTTPConnection(where, timeout=10)
    line.putrequest("GET", path, skip_host="host" in {name.lower() for name in headers})
    for name, value in headers.items():
        line.putheader(name, value)
    line.endheaders()
    try:
        return line.getresponse().status
    finally:
        line.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory, mlflow_server):
    with serving(tmp_path_factory.mktemp("serving"), mlflow_server, ready=False) as found:
        yield found


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 400),
        ("evil.example:8000", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
    ],
)
def test_on_the_loopback_interface_only_its_own_names_are_answered(service, host, status) -> None:
    assert get(service, "/models", Host=host) == status


def test_further_names_can_be_allowed(tmp_path, mlflow_server) -> None:
    options = ("--allowed-host", "models.example.org", "--allowed-host", "*.internal")
    with serving(tmp_path, mlflow_server, options=options, ready=False) as service:
        found = [
            get(service, "/models", Host=host)
            for host in ("models.example.org", "a.internal", "localhost", "example.org")
        ]
    assert found == [200, 200, 200, 400]


def test_callers_bring_a_token_and_tokens_change_without_a_restart(tmp_path, mlflow_server) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text(f"# of the dashboard\n{OLD}  # until May\n")
    options = ("--token-file", str(file))
    with serving(tmp_path, mlflow_server, options=options, ready=False) as service:
        assert get(service, "/models") == 401
        assert get(service, "/metrics") == 401
        assert get(service, "/models", Authorization=f"Basic {OLD}") == 401
        assert get(service, "/models", Authorization=f"Bearer {NEW}") == 401
        assert get(service, "/models", Authorization=f"Bearer {OLD}") == 200
        assert get(service, "/healthz/live") == 200
        file.write_text(f"{OLD}\n{NEW}\n")
        assert get(service, "/models", Authorization=f"Bearer {NEW}") == 200
        assert get(service, "/models", Authorization=f"Bearer {OLD}") == 200
        file.write_text(f"{NEW}\n")
        assert get(service, "/models", Authorization=f"Bearer {OLD}") == 401
        file.write_text("")
        assert get(service, "/models", Authorization=f"Bearer {NEW}") == 200
        assert OLD not in (log := service.log.read_text())
        assert NEW not in log
        assert "holds no token: write one a line; the tokens from before" in log


def test_connections_without_a_request_keep_nobody_waiting_and_are_closed(service) -> None:
    host, port = service.address.removeprefix("http://").split(":")
    began = time.monotonic()
    idle = []
    for number in range(600):
        line = socket.create_connection((host, int(port)))
        if number % 2:
            line.sendall(b"GET /models HTTP/1.1\r\nHost: localhost\r\n")
        idle.append(line)
    for _ in range(20):
        asked = time.monotonic()
        assert get(service, "/models") == 200
        assert time.monotonic() - asked < 1
    # One caller may have so many, and the oldest went first.
    assert len(still_open(idle, 2)) <= LIMITS.most_unfinished
    left = LIMITS.head_seconds + 5 - (time.monotonic() - began)
    assert still_open(idle, left) == []
    for line in idle:
        line.close()


def still_open(lines: list[socket.socket], seconds: float) -> list[socket.socket]:
    """Those that the other side has not closed after so many seconds, or sooner if all are."""
    waiting = set(lines)
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ)
        deadline = time.monotonic() + seconds
        while waiting and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                line = key.fileobj
                try:
                    closed = not line.recv(4096)
                except ConnectionResetError:
                    closed = True
                if closed:
                    selector.unregister(line)
                    waiting.discard(line)
    return list(waiting)


def test_a_slow_body_is_not_a_missing_head(service) -> None:
    host, port = service.address.removeprefix("http://").split(":")
    line = http.client.HTTPConnection(host, int(port), timeout=30)
    line.request("GET", "/models")
    assert line.getresponse().read()
    # The same connection serves the next request.
    line.request("GET", "/healthz/live")
    assert line.getresponse().status == 200
    line.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no token"),
        ("# nothing\n", "holds no token"),
        ("short\n", "token 1 has fewer than 16 characters"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_without_usable_tokens_is_refused(tmp_path: Path, content, said) -> None:
    file = tmp_path / "tokens.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TerminalError, match=said) as caught:
        TokenFile(file)
    assert "short" not in str(caught.value)


def test_a_missing_file_of_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="cannot be read"):
        TokenFile(tmp_path / "none.txt")


def test_a_file_that_vanishes_leaves_its_tokens_in_force(tmp_path: Path) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text(f"{OLD}\n")
    tokens = TokenFile(file)
    file.unlink()
    assert tokens.accepts(OLD)
    assert not tokens.accepts(NEW)
    assert not tokens.accepts("")
