"""Team files name servers that anybody can reach, and internal ones only where the platform says so."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from factory.base import hosts
from factory.base.hosts import InternalHostError, check_host
from factory.data.download import DownloadError, Login, download
from tests.harness.servers import answering
from tests.team.folder import Folder, make_folder

INTERNAL = [
    "127.0.0.1",
    "127.1.2.3",
    "localhost",
    "LOCALHOST.",
    "x.localhost",
    "[::1]",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "fe80::1%eth0",
    "10.0.0.1",
    "172.18.0.3",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "224.0.0.1",
    "fec0::1",
    "::127.0.0.1",
    "::ffff:0:10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::",
]


@pytest.mark.parametrize("host", INTERNAL)
def test_internal_addresses_are_refused(host):
    with pytest.raises(InternalHostError, match=r"internal_hosts: \[.*\]` in _defaults\.yaml"):
        check_host(host, ())


@pytest.mark.parametrize("host", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"])
def test_addresses_on_the_internet_may_be_asked(host):
    check_host(host, ())


@pytest.mark.parametrize("allowed", [("portal.internal",), ("Portal.Internal",), ("*",)])
def test_an_internal_host_that_the_platform_names_may_be_asked(monkeypatch, allowed):
    answer = [(2, 1, 6, "", ("10.1.2.3", 0))]
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *_, **__: answer)
    check_host("portal.internal", allowed)
    with pytest.raises(InternalHostError, match=r"internal_hosts: \[portal\.internal\]"):
        check_host("portal.internal", ())


def test_a_name_with_one_internal_address_among_others_is_refused(monkeypatch):
    answer = [(2, 1, 6, "", ("1.1.1.1", 0)), (2, 1, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(InternalHostError):
        check_host("rebound.example", ())


class Tokens(BaseHTTPRequestHandler):
    """A server that gives away what it should not, or leads elsewhere."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/token")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"token\nsecret\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Tokens,), {"asked": []})
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as found:
        yield found


def get(server, path, tmp_path, **how):
    url = f"http://localhost:{server.server_port}{path}"
    download(url, tmp_path / "file", max_bytes=1000, login=Login(), patience=0.01, **how)


def test_the_workers_own_machine_is_not_asked(server, tmp_path):
    with pytest.raises(DownloadError, match="localhost is on the worker's own machine or network"):
        get(server, "/token", tmp_path)
    assert server.RequestHandlerClass.asked == []
    assert not (tmp_path / "file").exists()


def test_a_redirect_leads_to_no_other_internal_host_than_those_named(server, tmp_path):
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 is on the worker's own machine"):
        get(server, "/away", tmp_path, internal_hosts=("localhost",))
    assert server.RequestHandlerClass.asked == ["/away"]
    get(server, "/away", tmp_path, internal_hosts=("localhost", "127.0.0.1"))
    assert (tmp_path / "file").read_bytes() == b"token\nsecret\n"


def test_a_name_that_leads_elsewhere_a_moment_later_gives_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr("factory.data.download.check_host", lookup_that_is_fooled)
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 is on the worker's own machine"):
        get(server, "/token", tmp_path)
    assert server.RequestHandlerClass.asked == []
    assert not (tmp_path / "file").exists()


def lookup_that_is_fooled(host, allowed):
    if host != "localhost":
        check_host(host, allowed)


@pytest.fixture
def folder(tmp_path) -> Folder:
    return make_folder(tmp_path)


SECTIONS = {
    "a file": "source: {{type: http, url: '{url}'}}",
    "images": "source: {{type: images, url: '{url}'}}",
    "a webhook": "notify: {{on_failure: [{{type: webhook, url: '{url}'}}]}}",
}
HEAD = "version: 1\nteam: marine\nowner: marine@example.org\n"


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/auth/token",
        "http://localhost:5000/",
        "http://[::1]/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_an_internal_address_is_a_problem_with_its_line(folder, section, url):
    source = "" if "source" in section else "\n    source: {type: csv, path: data/fish.csv}"
    folder.write("marine", f"{HEAD}datasets:\n  fish:\n    {section.format(url=url)}{source}\n")
    [found] = folder.problems()
    assert found.startswith("marine.yaml:6:")
    assert "on the worker's own machine or network" in found
    folder.write("_defaults", "internal_hosts: ['*']\n")
    assert folder.read()


def test_what_the_platform_lays_under_team_files_obeys_the_same_rule(folder):
    notify = "notify: {on_failure: [{type: webhook, url: 'http://10.0.0.7/alerts'}]}\n"
    folder.write(
        "marine", f"{HEAD}datasets:\n  fish: {{source: {{type: csv, path: data/f.csv}}}}\n"
    )
    folder.write("_defaults", notify)
    [found] = folder.problems()
    assert found.startswith("_defaults.yaml:1:")
    assert "internal_hosts: [10.0.0.7]" in found
    folder.write("_defaults", f"{notify}internal_hosts: [10.0.0.7]\n")
    assert folder.read()
