"""A real `factory serve` in a process of its own, models to serve, and a road to MLflow that can be cut."""

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pyarrow as pa
import skops.io
from mlflow import MlflowClient
from mlflow.entities import Run

from factory.models import logged_model
from factory.models.files import digest, downloaded, read_example
from factory.models.record import RECORD
from factory.models.tracking import Tracking
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from factory.trainers.trainer import LoggedModel
from factory.training.model import Model
from tests.harness.airflow import LONG
from tests.harness.servers import free_port
from tests.training.models import diabetes, model, one_trial, penguins
from tests.training.training import Training


@dataclass
class Service:
    """A service that runs, and how to talk to it."""

    address: str
    process: subprocess.Popen
    log: Path

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON (or text) of a page."""
        return _fetch(urllib.request.Request(self.address + path))

    def ask(self, name: str, rows: Any) -> tuple[int, Any]:
        """Status and JSON of the answer to rows."""
        return self.post(name, json.dumps({"rows": rows}).encode())

    def post(self, name: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON of the answer to a body."""
        url = f"{self.address}/models/{name.replace('.', '/')}/predict"
        return _fetch(urllib.request.Request(url, body, {"Content-Type": kind}, method="POST"))

    def version(self, name: str) -> int | None:
        """The version that answers."""
        return self.get(f"/models/{name.replace('.', '/')}")[1].get("version")

    def until(self, fact: Callable[[], Any], seconds: float = LONG) -> Any:
        """What `fact` returns as soon as that is true."""
        deadline = time.monotonic() + seconds
        while not (found := fact()):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not true after {seconds} s; the log:\n{self.log.read_text()}"
                )
            # Waits without asking too often, and ends early if the service has.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.1)
        return found

    def metric(self, line: str) -> float:
        """The value of one line of /metrics."""
        found = [
            each.rpartition(" ")[2]
            for each in self.get("/metrics")[1].splitlines()
            if each.startswith(line + " ")
        ]
        return float(found[0]) if found else 0.0


@contextmanager
def serving(
    folder: Path, tracking_uri: str, *names: str, options: tuple[str, ...] = (), ready: bool = True
) -> Iterator[Service]:
    """A service of these models, ready to answer."""
    port = free_port()
    log = folder / "serve.log"
    command = [sys.executable, "-m", "factory", "serve", *names, "--port", str(port), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri},
        )
    service = Service(f"http://127.0.0.1:{port}", process, log)
    page = "/healthz/ready" if ready else "/healthz/live"

    def answers() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"the service ended:\n{log.read_text()}")
        try:
            return service.get(page)[0] == 200
        except OSError:
            return False

    try:
        service.until(answers)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=LONG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fetch(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=LONG) as response:
            status, body, kind = response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        status, body, kind = error.code, error.read(), error.headers
    text = body.decode()
    return status, json.loads(text) if "json" in kind.get("content-type", "") else text


def trained(
    folder: Path,
    uri: str,
    name: str,
    *,
    run: int = 1,
    rows: pa.Table | None = None,
    config: Model | None = None,
) -> int:
    """Train a model as its DAG would; the version that is registered."""
    config = config or model(search=one_trial("sklearn.linear_model.LogisticRegression", C=run))
    return (
        Training(
            penguins() if rows is None else rows,
            config,
            folder / f"{name}-{run}",
            uri,
            run_id=f"manual__{run}",
            name=name,
        )
        .all()
        .record.version
    )


def registered(uri: str, name: str, alpha: float) -> int:
    """A regression, fitted and registered without all that a training run does; its version."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri, uri)
    trainer = ScikitLearnTrainer("regression")
    features = diabetes().to_pandas()
    target = features.pop("target").to_numpy()
    fitted = trainer.fit("sklearn.linear_model.Ridge", {"alpha": alpha}, features, target, 0)
    run = client.create_run(Tracking(uri).ensure_experiment(name))
    logged = trainer.log_model(fitted.model, LoggedModel(entry(uri, name, run), features, ()))
    return int(mlflow.register_model(logged, name, tags={"task": "regression"}).version)


def entry(uri: str, name: str, run: Run) -> str:
    """The id of a model that is yet to be stored."""
    return logged_model.begin(
        Tracking(uri), run.info.experiment_id, run.info.run_id, model=name, params={}
    )


def broken(uri: str, name: str, number: int, breakage: Callable[[Any], bytes | None]) -> int:
    """A version like another one, but broken; its number.

    Args:
        uri: The MLflow server.
        name: The model.
        number: The version that is fine.
        breakage: Changes the pipeline, or returns the bytes that take its place.
    """
    mlflow.set_tracking_uri(uri)
    fine = f"models:/{name}/{number}"
    client = MlflowClient(uri, uri)
    version = client.get_model_version(name, str(number))
    trainer = ScikitLearnTrainer(version.tags["task"])
    with downloaded(fine) as files:
        pipeline, features = trainer.load_logged(files, ()), read_example(files)
    run = client.get_run(version.run_id)
    logged = trainer.log_model(pipeline, LoggedModel(entry(uri, name, run), features, ()))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.skops"
        if content := breakage(pipeline):
            file.write_bytes(content)
        else:
            skops.io.dump(pipeline, file)
        client.log_model_artifact(logged.rpartition("/")[2], str(file))
    with downloaded(logged) as files:
        # Of the other version's record, nothing is true of this one but what its tags say too.
        tags = {**version.tags, "sha256": digest(files)}
        tags.pop(RECORD, None)
    return int(mlflow.register_model(logged, name, tags=tags).version)


def poisoned(pipeline: Any) -> None:
    """Let a tree lead out of its memory, for `broken`."""
    tree = pipeline[-1].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes["left_child"][0] = 2_000_000_000
    tree.__setstate__({**state, "nodes": nodes})


def circular(pipeline: Any) -> None:
    """Let a tree lead in a circle, for `broken`."""
    tree = pipeline[-1].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    inner = nodes["left_child"] != -1
    nodes["left_child"][inner] = 0
    nodes["right_child"][inner] = 0
    tree.__setstate__({**state, "nodes": nodes})


class Road(socketserver.ThreadingTCPServer):
    """A way to a server on this machine that can be cut and mended."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str, port: int = 0) -> None:
        self.target = int(target.rpartition(":")[2])
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Relay)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Close it, and every connection on it."""
        self.shutdown()
        self.server_close()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mended(self) -> "Road":
        """The same way, open again."""
        return Road(f":{self.target}", self.server_address[1])


class _Relay(socketserver.BaseRequestHandler):
    server: Road

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as there:
            here = self.request
            self.server._open |= {here, there}
            back = threading.Thread(target=_pump, args=(there, here), daemon=True)
            back.start()
            _pump(here, there)
            back.join()
            self.server._open -= {here, there}


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
