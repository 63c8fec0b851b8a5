"""The http source against a real server on loopback."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from factory.data.download import DownloadError, Login, ServerUnavailableError, download
from factory.data.folders import DataFolders
from factory.data.sources.files import UnreadableFileError
from factory.data.sources.http import HttpSource
from factory.data.sources.source import IngestContext, NoConnections
from tests.data.rows import lake_in, read
from tests.data.sources.test_excel import workbook
from tests.harness.servers import answering

CSV = b"id,name\n1,a\n2,b\n"


class Server(ThreadingHTTPServer):
    """Answers each path as told, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str, *answers: bytes | int | tuple[int, dict[str, str], bytes]) -> str:
        self.answers[path] = [_full(answer) for answer in answers]
        return f"{self.address}{path}"


def _full(answer):
    if isinstance(answer, int):
        return (answer, {"Content-Length": "0"}, b"")
    if isinstance(answer, bytes):
        return (200, {"Content-Length": str(len(answer))}, answer)
    return answer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answers = self.server.answers.get(self.path.partition("?")[0], [_full(404)])
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    with answering(Server()) as server:
        yield server


@pytest.fixture
def other_server() -> Iterator[Server]:
    with answering(Server()) as server:
        yield server


@pytest.fixture
def read_in(tmp_path):
    host = "127.0.0.1"

    class Logins(NoConnections):
        def http_login(self, connection):
            assert connection == "portal"
            return Login(user="ada", password="geheim", host=host)

    def run(url: str, **options):
        context = IngestContext(
            folders=DataFolders(tmp_path),
            workspace=tmp_path,
            team="a",
            lake=lake_in(tmp_path),
            internal_hosts=("*",),
            connections=Logins(),
        )
        return HttpSource(type="http", url=url, **options).ingest(context)

    return run


def fetch(url, tmp_path, **how):
    how = {"max_bytes": 1000, "login": Login(), "patience": 0.01, **how}
    download(url, tmp_path / "file", **{"internal_hosts": ("*",), **how})
    return (tmp_path / "file").read_bytes()


def test_file_is_read_and_the_download_removed(server, read_in, tmp_path):
    rows = read_in(server.answer("/a.csv", CSV))
    assert read(rows) == [(1, "a"), (2, "b")]
    assert [file.name for file in tmp_path.iterdir()] == ["source.parquet"]


def test_login_of_the_connection_is_sent(server, read_in):
    read_in(server.answer("/a.csv", CSV), connection="portal")
    [(_, sent)] = server.asked
    assert sent["Authorization"].startswith("Basic ")


def test_login_is_not_sent_to_a_server_that_is_none_of_the_connections(server, read_in):
    url = server.answer("/a.csv", CSV).replace("127.0.0.1", "localhost")
    with pytest.raises(
        DownloadError, match=r"is for 127\.0\.0\.1, and what it holds is not sent to"
    ):
        read_in(url, connection="portal")
    assert not server.asked


def test_formats_are_read(server, read_in):
    assert read(read_in(server.answer("/a", b'[{"id": 1}]'), format="json")) == [(1,)]


def test_file_of_another_format_is_explained(server, read_in):
    with pytest.raises(UnreadableFileError, match=r"download\.parquet: "):
        read_in(server.answer("/a.csv", CSV), format="parquet")


def test_passing_failures_are_tried_again(server, tmp_path):
    url = server.answer("/a.csv", 503, 500, CSV)
    assert fetch(url, tmp_path) == CSV
    assert len(server.asked) == 3


def test_lasting_failures_end_after_four_attempts_and_may_be_tried_later(server, tmp_path):
    url = server.answer("/a.csv", 503)
    with pytest.raises(
        ServerUnavailableError, match=r"/a\.csv could not be read in 4 attempts: .*503"
    ):
        fetch(url, tmp_path)
    assert len(server.asked) == 4


def test_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ServerUnavailableError, match=r"127\.0\.0\.1:1/a\.csv could not be read"):
        fetch("http://127.0.0.1:1/a.csv", tmp_path)


def test_answer_that_breaks_off_is_not_taken_for_a_file(server, tmp_path):
    broken = (200, {"Content-Length": "1000"}, CSV)
    assert fetch(server.answer("/a.csv", broken, CSV), tmp_path) == CSV


@pytest.mark.parametrize(("status", "advice"), [(404, "correct `source.url`"), (403, "connection")])
def test_refusals_are_not_tried_again(server, tmp_path, status, advice):
    with pytest.raises(DownloadError, match=f"answered {status}.*{advice}"):
        fetch(server.answer("/a.csv", status), tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"x" * 2000),
        ({"Content-Length": "2000"}, b"x" * 2000),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"x" * 2000, mtime=0)),
    ],
    ids=["no length", "honest length", "unpacks to more"],
)
def test_size_is_limited_while_it_arrives(server, tmp_path, headers, body):
    with pytest.raises(DownloadError, match=r"larger than 1,000 bytes.*source\.max_bytes"):
        fetch(server.answer("/a.csv", (200, headers, body)), tmp_path)


def test_redirects_are_followed_within_a_limit(server, tmp_path):
    server.answer("/real.csv", CSV)
    url = server.answer("/a.csv", (302, {"Location": "/real.csv", "Content-Length": "0"}, b""))
    assert fetch(url, tmp_path) == CSV
    loop = server.answer("/loop", (302, {"Location": "/loop", "Content-Length": "0"}, b""))
    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        fetch(loop, tmp_path)


def test_body_of_a_redirect_is_not_read(server, tmp_path):
    real = server.answer("/real.csv", CSV)
    endless = {"Location": real, "Content-Length": str(10**12)}
    assert fetch(server.answer("/a.csv", (302, endless, b"x" * 1_000_000)), tmp_path) == CSV
    assert len(server.asked) == 2


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_lead_to_the_web_only(server, tmp_path, target):
    url = server.answer("/a.csv", (302, {"Location": target, "Content-Length": "0"}, b""))
    with pytest.raises(DownloadError, match=r"leads to a (file|ftp) address"):
        fetch(url, tmp_path)


LOGIN = Login(headers={"X-Api-Key": "hunter2"}, user="me", password="hunter3")


def test_login_is_sent_to_the_first_server_and_to_no_other(server, other_server, tmp_path):
    elsewhere = other_server.answer("/real.csv", CSV)
    url = server.answer("/a.csv", (302, {"Location": elsewhere, "Content-Length": "0"}, b""))
    assert fetch(url, tmp_path, login=LOGIN) == CSV

    [(_, sent)] = server.asked
    assert sent["X-Api-Key"] == "hunter2"
    assert sent["Authorization"].startswith("Basic ")
    [(_, sent)] = other_server.asked
    assert "X-Api-Key" not in sent
    assert "Authorization" not in sent


@pytest.mark.parametrize("status", [404, 403, 503])
def test_no_secret_reaches_an_error_or_the_log(server, tmp_path, status, caplog):
    caplog.set_level("DEBUG")
    url = server.answer("/a.csv", status).replace("http://", "http://user:hunter4@")
    with pytest.raises((DownloadError, ServerUnavailableError)) as caught:
        fetch(f"{url}?token=hunter5", tmp_path, login=LOGIN)
    assert "hunter" not in f"{caught.value} {caplog.text} {LOGIN!r}"


def test_how_a_csv_file_is_written_is_said_as_for_files(server, read_in):
    rows = read_in(server.answer("/a.csv", b"n;x\n1;1,5\n"), decimal=",")
    assert read(rows) == [(1, 1.5)]


def test_workbooks_and_files_of_fixed_width_are_read(server, read_in):
    content = workbook(["n"], [1], Other=[["m"], ["02139"]])
    rows = read_in(server.answer("/a", content), format="excel", sheet="Other")
    assert read(rows) == [("02139",)]
    address = server.answer("/b", b"1  a\n2  b\n")
    assert read(read_in(address, format="fixed_width", fields={"n": 1, "x": "4-4"})) == [
        (1, "a"), (2, "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"format": "json", "skip": 1},
            "`skip` says how other files are written, and this one is json",
        ),
        ({"format": "excel", "encoding": "utf-8"}, "`encoding` says how other files are written"),
        ({"sheet": "a"}, "`sheet` says how other files are written, and this one is csv"),
        ({"format": "fixed_width"}, "`format: fixed_width` needs `fields`"),
    ],
)
def test_how_it_is_written_belongs_to_its_format(said, message):
    with pytest.raises(ValidationError, match=message):
        HttpSource(type="http", url="https://example.org/a", **said)


def test_texts_of_json_are_read_as_said_and_else_left_alone():
    said = HttpSource(type="http", url="https://example.org/a", format="json", null_values=["NA"])
    plain = HttpSource(type="http", url="https://example.org/a", format="json")

    assert said._reader("a.json").null_values == ("NA",)
    assert plain._reader("a.json").null_values == ()
