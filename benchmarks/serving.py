"""`make bench-serving`: how long a prediction takes, `factory serve` beside `mlflow models serve`.

Both serve the same registered version, in one process each, and are asked in turn by the same
callers, so that a slow minute of the machine hits both alike. Both must predict the same. What each
does for an answer differs: ours checks every value and adds probabilities, MLflow's predicts alone.
Figures go to the terminal and to .factory/bench-serving.json.
"""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from factory.runtime.ports import HOST, Ports

NAME = "bench.wine"
ROUNDS = 6
SECONDS_TO_START = 180


@dataclass(frozen=True)
class Case:
    """How the services are asked."""

    key: str
    label: str
    rows: int
    clients: int
    requests: int
    """A round, of all clients together."""


CASES = (
    Case("one_row", "1 row, 1 caller", rows=1, clients=1, requests=150),
    Case("four_callers", "1 row, 4 callers", rows=1, clients=4, requests=300),
    Case("hundred_rows", "100 rows, 1 caller", rows=100, clients=1, requests=100),
)


@dataclass(frozen=True)
class Contestant:
    """A service that runs."""

    name: str
    port: int
    path: str
    key: str
    """Under which rows are sent."""

    def ask(self, rows: Sequence[object], requests: int) -> list[float]:
        """Seconds that each of some requests took, one after the other on one connection."""
        body = json.dumps({self.key: rows}).encode()
        line = http.client.HTTPConnection(HOST, self.port, timeout=60)
        took = []
        for _ in range(requests):
            began = time.perf_counter()
            line.request("POST", self.path, body, {"Content-Type": "application/json"})
            response = line.getresponse()
            content = response.read()
            took.append(time.perf_counter() - began)
            if response.status != 200:
                raise RuntimeError(f"{self.name} answers {response.status}: {content!r}")
        line.close()
        return took

    def predictions(self, rows: Sequence[object]) -> list[object]:
        """What it predicts."""
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}{self.path}",
            json.dumps({self.key: rows}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            found: list[object] = json.load(response)["predictions"]
        return found


def main() -> None:
    """Start everything, measure, print, write."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as name, ExitStack() as running:
        folder = Path(name)
        with console.status("MLflow, a model, and the two services …"):
            tracking_uri = running.enter_context(_mlflow(folder))
            rows = _register(tracking_uri)
            contestants = running.enter_context(_services(folder, tracking_uri))
        _check_equal(contestants, rows)
        figures = _measure(contestants, rows, console)
    target = Path(".factory/bench-serving.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    console.print(_table(figures))
    console.print(f"Written to {target}.")


@contextmanager
def _process(command: list[str], log: Path, health: str, **variables: str) -> Iterator[None]:
    """A server that answers at `health`; its whole process group is stopped afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **variables},
        )
    try:
        _await(process, log, health)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(process: subprocess.Popen[bytes], log: Path, health: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except OSError:
            pass
        try:
            process.wait(timeout=0.25)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"{health} does not answer:\n{log.read_text()}")


@contextmanager
def _mlflow(folder: Path) -> Iterator[str]:
    port = Ports.free().mlflow
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"),
        *("--artifacts-destination", (folder / "artifacts").as_uri()),
    ]
    address = f"http://{HOST}:{port}"
    log = folder / "mlflow.log"
    with _process(command, log, f"{address}/health", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"):
        yield address


def _register(tracking_uri: str) -> list[dict[str, object]]:
    """Train and register a model, make it the champion; rows to ask it about."""
    import mlflow
    from sklearn.datasets import load_wine

    from factory.models import switching
    from factory.models.tracking import Tracking
    from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
    from factory.trainers.trainer import LoggedModel

    mlflow.set_tracking_uri(tracking_uri)
    features = load_wine(as_frame=True).data
    classes = load_wine(as_frame=True).target.map("class {}".format).to_numpy()
    trainer = ScikitLearnTrainer("classification")
    model = trainer.fit("sklearn.linear_model.LogisticRegression", {}, features, classes, 0).model
    tracking = Tracking(tracking_uri)
    run = tracking.client.create_run(tracking.ensure_experiment(NAME)).info.run_id
    logged = trainer.log_model(model, LoggedModel(run, features, (), {}))
    mlflow.register_model(logged, NAME, tags={"task": "classification"})
    switching.promote(NAME, 1, instead_of=None, by="bench", why="The only one.", tracking=tracking)
    found: list[dict[str, object]] = features.head(100).to_dict(orient="records")
    return found


@contextmanager
def _services(folder: Path, tracking_uri: str) -> Iterator[tuple[Contestant, Contestant]]:
    free = Ports.free()
    ours, theirs = free.airflow, free.mlflow
    variables = {
        "MLFLOW_TRACKING_URI": tracking_uri,
        # The same for both; `factory serve` would set it by itself.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    serve = [sys.executable, "-m", "factory", "serve", NAME, "--port", str(ours)]
    models = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", f"models:/{NAME}/1"),
        *("--env-manager", "local", "--host", HOST, "--port", str(theirs)),
    ]
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with (
        _process(serve, folder / "ours.log", f"http://{HOST}:{ours}/healthz/ready", **variables),
        _process(models, folder / "theirs.log", f"http://{HOST}:{theirs}/health", **variables),
    ):
        path = f"/models/{NAME.replace('.', '/')}/predict"
        yield (
            Contestant("factory serve", ours, path, "rows"),
            Contestant("mlflow models serve", theirs, "/invocations", "dataframe_records"),
        )


def _check_equal(contestants: tuple[Contestant, Contestant], rows: Sequence[object]) -> None:
    ours, theirs = (each.predictions(rows) for each in contestants)
    if ours != theirs:
        raise RuntimeError("the two services do not predict the same")


def _measure(
    contestants: tuple[Contestant, Contestant], rows: Sequence[object], console: Console
) -> dict[str, float]:
    samples: dict[tuple[str, str], list[float]] = {}
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Measuring", total=ROUNDS * len(CASES) * len(contestants))
        for number in range(ROUNDS + 1):
            for case in CASES:
                # Whoever is first in one round is second in the next.
                for contestant in contestants[:: 1 if number % 2 else -1]:
                    took = _round(contestant, case, rows[: case.rows])
                    if number:  # The first round warms both up.
                        samples.setdefault((contestant.name, case.key), []).extend(took)
                        progress.advance(bar)
    figures = {}
    for (name, key), values in samples.items():
        owner = "ours" if name == contestants[0].name else "mlflow"
        percentiles = statistics.quantiles(values, n=100)
        figures[f"{key}_p50_ms_{owner}"] = round(percentiles[49] * 1000, 2)
        figures[f"{key}_p99_ms_{owner}"] = round(percentiles[98] * 1000, 2)
    return figures


def _round(contestant: Contestant, case: Case, rows: Sequence[object]) -> list[float]:
    each = case.requests // case.clients
    with ThreadPoolExecutor(case.clients) as pool:
        asked = [pool.submit(contestant.ask, rows, each) for _ in range(case.clients)]
        return [seconds for one in asked for seconds in one.result()]


def _table(figures: dict[str, float]) -> Table:
    table = Table(title="Milliseconds from question to answer, both with the same model")
    for column in (
        "",
        "factory serve p50",
        "p99",
        "mlflow models serve p50",
        "p99",
        "p50, ours is",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for case in CASES:
        ours, theirs = (
            [figures[f"{case.key}_{share}_ms_{owner}"] for share in ("p50", "p99")]
            for owner in ("ours", "mlflow")
        )
        figures_shown = [f"{value:.1f}" for value in (*ours, *theirs)]
        table.add_row(case.label, *figures_shown, f"{ours[0] / theirs[0]:.2f} x")
    return table


if __name__ == "__main__":
    main()
