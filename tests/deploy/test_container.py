"""The target `container`, with a program that stands in for Docker and a server for the container."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from factory.base.errors import TerminalError
from factory.base.processes import CommandError
from factory.deploy.targets.container import NotReadyError
from factory.deploy.targets.target import Built, PredictionRequest
from tests.deploy.placed import placed, target_of
from tests.harness.programs import stand_in
from tests.harness.servers import answering, free_port
from tests.models.records import record

NAME = "ecology-species"
ENGINE = """
import pathlib
state = pathlib.Path(__file__).with_name("state.json")
found = json.loads(state.read_text()) if state.exists() else {"containers": {}, "images": [], "bad": []}
verb, rest = sys.argv[1], sys.argv[2:]
if verb == "ps":
    print("\\n".join(n for n in found["containers"] if "name=^" + n + "$" in rest))
elif verb == "images":
    print("\\n".join("x" for i in found["images"] if "reference=" + i in rest))
elif verb == "pull":
    if "gone" in rest[0]:
        sys.exit("manifest unknown")
    found["images"].append(rest[0])
elif verb == "container":
    print(json.dumps([found["containers"][rest[1]]]))
elif verb == "rm":
    del found["containers"][rest[-1]]
elif verb == "run":
    labels = dict(rest[i + 1].split("=", 1) for i, w in enumerate(rest) if w == "--label")
    bad = rest[-1] in found["bad"]
    found["containers"][rest[rest.index("--name") + 1]] = {
        "Config": {"Image": rest[-1], "Labels": labels},
        "State": {"Running": not bad, "ExitCode": 1 if bad else 0},
        "RestartCount": 0,
    }
elif verb == "logs":
    print("release.json cannot be read", file=sys.stderr)
state.write_text(json.dumps(found))
"""


class Container(BaseHTTPRequestHandler):
    """What answers on the published port."""

    ready = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200 if self.server.ready else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Content-Type"], body))
        answer = json.dumps({"model": "ecology.species", "version": 3, "predictions": ["Adelie"]})
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def server(port):
    with answering(ThreadingHTTPServer(("127.0.0.1", port), Container)) as running:
        running.ready, running.asked = True, []
        yield running


@pytest.fixture
def docker(tmp_path, monkeypatch):
    program = stand_in(tmp_path / "bin", "docker", ENGINE)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return program


@pytest.fixture
def target(docker, port):
    return make(port)


def make(port, **changes):
    section = target_of(
        {
            "type": "container",
            "image": {"repository": "registry.example.org/ecology/species"},
            "port": port,
            "timeout": "2s",
            **changes,
        }
    )
    return placed(section)


def release(version):
    return record("ecology.species", version)


def image(version, mark=""):
    return f"registry.example.org/ecology/species{mark}@sha256:{version:064x}"


def built(version, mark=""):
    return Built(reference=image(version, mark))


def spoil(docker, *images):
    state = docker.notes.with_name("state.json")
    found = json.loads(state.read_text()) if state.exists() else {"containers": {}, "images": []}
    state.write_text(json.dumps({**found, "bad": list(images)}))


def test_a_container_is_started_without_privileges_and_asked_over_its_port(
    docker, server, target, port
):
    assert target.running("ecology.species") is None
    deployed = target.deploy(release(3), built(3))
    assert target.running("ecology.species") == deployed
    (started,) = [call["args"] for call in docker.calls if call["args"][0] == "run"]
    assert started[-1] == image(3)
    for option in ("--read-only", "--cap-drop", "no-new-privileges", f"127.0.0.1:{port}:8080"):
        assert option in started
    answer = target.predict(deployed, PredictionRequest(b"image", "image/png"))
    assert server.asked == [("/invocations", "image/png", b"image")]
    assert (answer.values, answer.version) == (("Adelie",), 3)


def test_the_same_image_again_starts_nothing(docker, server, target):
    target.deploy(release(3), built(3))
    target.deploy(release(3), built(3))
    assert docker.words.count("run") == 1


def test_the_image_is_fetched_before_the_one_before_is_stopped(docker, server, target):
    target.deploy(release(3), built(3))
    with pytest.raises(CommandError, match="manifest unknown"):
        target.deploy(release(4), built(4, "/gone"))
    assert target.running("ecology.species").version == 3
    target.deploy(release(5), built(5))
    words = docker.words
    assert words.index("rm") > len(words) - 1 - words[::-1].index("pull")


def test_a_container_that_ends_by_itself_is_terminal_and_its_log_is_shown(
    docker, server, target, caplog
):
    spoil(docker, image(3))
    with (
        caplog.at_level("INFO"),
        pytest.raises(TerminalError, match="ended by itself, with status 1"),
    ):
        target.deploy(release(3), built(3))
    assert "release.json cannot be read" in caplog.text


def test_a_container_that_does_not_answer_is_awaited_and_then_tried_again(docker, target):
    with pytest.raises(NotReadyError, match="does not answer"):
        target.deploy(release(3), built(3))


def test_a_container_that_is_not_ready_is_no_success(docker, server, target):
    server.ready = False
    with pytest.raises(NotReadyError, match="/ping answers with 503"):
        target.deploy(release(3), built(3))


def test_restore_starts_what_ran_before(docker, server, target):
    target.deploy(release(3), built(3))
    before = target.running("ecology.species")
    spoil(docker, image(4))
    with pytest.raises(TerminalError):
        target.deploy(release(4), built(4))
    for _ in range(2):
        target.restore(release(4), before)
    assert target.running("ecology.species") == before


def test_restore_removes_what_was_begun_where_nothing_ran(docker, server, target):
    target.deploy(release(1), built(1))
    for _ in range(2):
        target.restore(release(1), None)
    assert target.running("ecology.species") is None


def test_restore_that_fails_says_what_a_person_must_do(docker, server, target):
    target.deploy(release(3), built(3))
    before = target.running("ecology.species")
    target.deploy(release(4), built(4))
    spoil(docker, image(3))
    with pytest.raises(TerminalError, match=r"start it by hand \(docker run"):
        target.restore(release(4), before)


def test_another_ones_container_is_left_alone(docker, server, target):
    theirs = {"Config": {"Image": "nginx", "Labels": {}}, "State": {"Running": True}}
    state = docker.notes.with_name("state.json")
    state.write_text(json.dumps({"containers": {NAME: theirs}, "images": [], "bad": []}))
    with pytest.raises(TerminalError, match="was not started for"):
        target.running("ecology.species")
    with pytest.raises(TerminalError, match="was not started for"):
        target.deploy(release(1), built(1))
    assert "rm" not in docker.words


def test_limits_are_handed_to_the_engine(docker, server, port):
    make(port, memory="2g", cpus=1.5).deploy(release(3), built(3))
    (started,) = [call["args"] for call in docker.calls if call["args"][0] == "run"]
    assert started[started.index("--memory") + 1] == "2g"
    assert started[started.index("--cpus") + 1] == "1.5"
