"""`factory restore`, as a person calls it; no Airflow runs."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.cli.main import app
from factory.lake.table import Lake
from tests.harness.servers import answering
from tests.lake.publisher import DATASET, Publisher


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FACTORY_STORAGE", raising=False)
    monkeypatch.delenv("FACTORY_AIRFLOW_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "_defaults.yaml").write_text("version: 1\nstorage: lake\n")
    publish = Publisher(tmp_path)
    for number in range(3):
        publish(f"select {number} as id")
    return tmp_path


def restore(project: Path, *arguments: str):
    return CliRunner().invoke(app, ["restore", *arguments, "--project", str(project)])


def test_restored_version_is_the_newest_and_its_event_is_there_to_be_copied(project):
    done = restore(project, DATASET)
    assert done.exit_code == 0, done.output
    assert "version 3 is the newest, with the 1 rows of version 1." in done.output
    assert "No asset event was emitted: no Airflow runs in this project" in done.stderr
    event = json.loads(done.stderr.splitlines()[-1])
    assert (event["dataset"], event["version"], event["restored"]) == (DATASET, 3, 1)
    lake = Lake((project / "lake").as_uri())
    assert lake.newest(DATASET).content_hash == lake.snapshot(DATASET, 1).content_hash


def test_version_may_be_named(project):
    assert restore(project, DATASET, "--to", "0").exit_code == 0
    assert Lake((project / "lake").as_uri()).scan(DATASET, 3).to_table().to_pydict() == {"id": [0]}


def test_damaged_version_is_passed_over_and_said(project):
    lake = Lake((project / "lake").as_uri())
    [file] = lake.rows(DATASET, 1)
    file.write_bytes(b"x" * file.stat().st_size)
    done = restore(project, DATASET)
    assert f"passed over: {DATASET} version 1 is damaged" in done.output
    assert "of version 0." in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((DATASET, "--to", "9"), "has no version 9: its newest versions are 2, 1, 0"),
        (("marine.whales",), "nothing has been published yet"),
        (("penguins",), "does not name a dataset: write TEAM.DATASET, such as marine.penguins"),
    ],
)
def test_what_cannot_be_restored_is_said_in_one_line(project, arguments, said):
    done = restore(project, *arguments)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output


class LosesTheAnswer(BaseHTTPRequestHandler):
    """An Airflow that takes an event and dies before it says so."""

    def do_GET(self) -> None:
        if self.path == "/auth/token":
            self._send({"access_token": "a token"})
        else:
            asset = {"id": 1, "name": DATASET, "uri": "file:///rows"}
            self._send({"assets": [asset], "total_entries": 1})

    def do_POST(self) -> None:
        self.close_connection = True

    def _send(self, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_event_whose_answer_was_lost_is_not_called_lost(project):
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), LosesTheAnswer)) as http:
        done = restore(project, DATASET, "--airflow-url", f"http://127.0.0.1:{http.server_port}")
    assert done.exit_code == 1
    assert "It is not known whether its asset event was emitted" in done.stderr
    assert (
        "See in Airflow whether what follows the dataset has been started; if not, open"
        in done.stderr
    )
    assert json.loads(done.stderr.splitlines()[-1])["version"] == 3
