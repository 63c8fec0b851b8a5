"""docs/tutorial.md from its first command to its last, on a real Airflow."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.servers import free_port
from tests.test_tutorial import PAGE, block

pytestmark = pytest.mark.nightly

STEPS = {step[0]: step for step in re.split(r"^## (?=\d)", PAGE, flags=re.MULTILINE)[1:]}
SERVING, AIRFLOW, MLFLOW = (str(free_port()) for _ in range(3))
FOREIGN = ("MLFLOW_TRACKING", "FACTORY_", "AIRFLOW")


class Reader:
    """Somebody who follows the page, with ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FACTORY_PORT": AIRFLOW,
            "FACTORY_MLFLOW_PORT": MLFLOW,
            "FACTORY_SERVE_PORT": SERVING,
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def commands(self, step: str) -> list[str]:
        """The blocks of a step that are typed."""
        found = re.findall(r"^```sh\n(.*?)^```", STEPS[step], re.DOTALL | re.MULTILINE)
        return [text.replace("localhost:8000", f"localhost:{SERVING}") for text in found]

    def types(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def leaves_running(self, command: str) -> None:
        with (self.folder / "running.log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    command.split(), cwd=self.folder, env=self.environment, stdout=log, stderr=log
                )
            )

    def stops(self) -> None:
        """Ctrl-C for what runs, the last first."""
        while self.running:
            process = self.running.pop()
            process.send_signal(signal.SIGINT)
            process.wait()

    def awaits(self, come: Callable[[], bool], minutes: int = 8) -> None:
        until = time.monotonic() + 60 * minutes
        while not come():
            assert time.monotonic() < until, (self.folder / "running.log").read_text()[-3000:]
            time.sleep(2)

    def newest(self) -> int:
        """The newest version that is in production or has been refused."""
        told = self.types("factory champion orders.late --history")
        return max(map(int, re.findall(r"(?:promotion|refusal) of version (\d+)", told)))


@pytest.fixture
def reader(tmp_path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.stops()


@pytest.mark.timeout(1800)
def test_reader_gets_what_the_page_shows(reader):
    [script] = block("python")
    schedule, promotion = block("yml")
    (reader.folder / "make_orders.py").write_text(script)
    [make] = reader.commands("1")
    reader.types(make)
    start, validate = reader.commands("2")
    reader.types(start.removesuffix("cd shop\n"))
    reader.folder = reader.folder / "shop"
    reader.types(validate)
    [run] = reader.commands("3")
    assert "orders.late version 1" in reader.types(run)

    serve, ask = reader.commands("4")
    reader.leaves_running(serve)
    reader.awaits(lambda: _answers(reader, ask) == 1)
    reader.stops()

    team = reader.folder / "configs" / "orders.yaml"
    team.write_text(team.read_text().replace("datasets:\n  orders:\n", schedule))
    up, serve = reader.commands("5")
    reader.leaves_running(up)
    reader.awaits(lambda: "Ctrl-C stops everything" in (reader.folder / "running.log").read_text())
    reader.leaves_running(serve)

    export, status, why = reader.commands("6")
    reader.types(export)
    reader.awaits(lambda: _answers(reader, ask) == 2)
    assert "orders.late" in reader.types(status)
    assert "2,000 rows" in reader.types(why)

    team.write_text(team.read_text() + promotion)
    export, why_not = reader.commands("7")
    reader.types(export)
    reader.awaits(lambda: reader.newest() == 3)
    assert "misses a threshold" in reader.types(why_not)

    rollback, history = reader.commands("8")
    assert "version 1 is in production" in reader.types(rollback)
    reader.awaits(lambda: _answers(reader, ask) == 1)
    assert "complaints about late parcels" in reader.types(history)


def _answers(reader: Reader, ask: str) -> int | None:
    """The version that answers; None while none does."""
    said = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=False).stdout
    return json.loads(said).get("version") if said.startswith("{") else None
