"""New DAGs arrive paused: `factory up` names each of them once, or lets it run."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from factory.cli.up import _say_paused
from factory.runtime import paused_dags
from factory.runtime.paused_dags import PausedDags
from tests.harness.servers import answering

TRAIN, ROWS = "sea.species.train", "sea.catches"


class Airflow:
    """An API that knows DAGs, of which some are paused."""

    def __init__(self) -> None:
        self.paused = {TRAIN: True, ROWS: False}
        self.looks = threading.Semaphore(0)

    def look(self, times: int) -> None:
        """Wait until it was asked so many times more, and was told what became of that."""
        for _ in range(times):
            assert self.looks.acquire(timeout=60)


@contextmanager
def running() -> Iterator[tuple[Airflow, str]]:
    airflow = Airflow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/auth/token":
                return self.answer({"access_token": "a token"}, 201)
            dags = [
                {"dag_id": name, "is_paused": paused, "is_stale": False, "has_import_errors": False, "file_token": "x"}
                for name, paused in airflow.paused.items()
            ]  # fmt: skip
            airflow.looks.release()
            return self.answer({"dags": dags, "total_entries": len(dags)})

        def do_PATCH(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            airflow.paused[self.path.rpartition("/")[2]] = asked["is_paused"]
            self.answer({})

        def answer(self, body: dict, status: int = 200) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as http:
        yield airflow, f"http://127.0.0.1:{http.server_port}"


def watched(url: str, airflow: Airflow, *, unpause: bool) -> list[tuple[list[str], bool]]:
    """What is said over some looks, between which a further DAG arrives."""
    said: list[tuple[list[str], bool]] = []

    def say(news: Sequence[str], *, now_run: bool) -> None:
        said.append((list(news), now_run))

    thread = PausedDags(url, say=say, unpause=unpause)
    thread.start()
    airflow.look(2)
    airflow.paused["sea.late"] = True
    # The second look from here on begins after what the first one found was said.
    airflow.look(3)
    thread.stop()
    thread.join(60)
    return said


def test_each_paused_dag_is_named_once(monkeypatch):
    monkeypatch.setattr(paused_dags, "_LOOKS", 0.01)
    with running() as (airflow, url):
        assert watched(url, airflow, unpause=False) == [([TRAIN], False), (["sea.late"], False)]
        assert airflow.paused == {TRAIN: True, ROWS: False, "sea.late": True}


def test_all_are_let_run_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(paused_dags, "_LOOKS", 0.01)
    with running() as (airflow, url):
        assert watched(url, airflow, unpause=True) == [([TRAIN], True), (["sea.late"], True)]
        assert not any(airflow.paused.values())


def test_it_says_what_paused_means_and_which_command_changes_it(capsys):
    _say_paused([f"sea.d{number}" for number in range(10)], now_run=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "sea.d7 and 2 more. They do not run, whatever datasets tell meanwhile" in said
    assert (
        "`factory unpause sea` lets a team's DAGs run, `factory up --unpause` those of all" in said
    )
