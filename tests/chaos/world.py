"""The project that is hit, `factory up` around it, and the states that its source has had."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from factory.cli.watch import promised_dags
from factory.lake.storage import address as storage
from factory.lake.table import Lake
from factory.models.tracking import Tracking
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.components import COMPONENTS, SERVING, healthy_components
from factory.runtime.home import Home
from factory.runtime.ports import Ports
from factory.runtime.processes import members
from tests.harness import processes
from tests.harness.project import make_project

DEFAULTS = """\
version: 1
storage: .factory/lake
workspace: .factory/workspace
data_folders: [data]
python_packages: [sklearn]
defaults: {retries: 3, retry_delay: 1s}
models:
  split: {test: 0.2, validation: 0.2, seed: 7}
  search: {parallel_trials: 2, max_trials: 10}
"""

TEAM = """\
version: 1
team: chaos
owner: chaos@example.org
datasets:
  readings:
    source: {type: csv, path: data/readings.csv}
    checks:
      - {check: not_null, columns: [id, height]}
      - {check: unique, columns: [id]}
  heights:
    source: {type: dataset, dataset: readings}
    transforms:
      - {type: sql, query: "select gauge, max(height) as height from source group by gauge"}
models:
  height:
    task: regression
    train_on: readings
    target: height
    features: [gauge, rain, hour]
    search:
      strategy: grid
      candidates:
        - estimator: sklearn.linear_model.Ridge
          params: {alpha: [0.1, 1.0, 10.0]}
    objective: {metric: root_mean_squared_error}
    promotion: {beat_champion: false}
    predict: {input: readings, keep: [id]}
    monitor: {drift: {min_columns: 1}}
    deploy: {type: process}
"""

READINGS, HEIGHTS, PREDICTIONS = (
    "chaos.readings",
    "chaos.heights",
    "chaos.height_predictions",
)
MODEL = "chaos.height"
TRAIN = f"{MODEL}.train"
PARTS = (*COMPONENTS, SERVING)
FACTORY = Path(sys.executable).with_name("factory")

_STARTED = 300.0
_SWEPT = 30.0


@dataclass
class World:
    """A project of its own with a running `factory up`."""

    folder: Path
    random: random.Random
    """Decides what rows come; what is hit has a generator of its own."""
    ports: Ports = field(default_factory=Ports.free)
    states: list[pd.DataFrame] = field(default_factory=list)
    """The rows that the source has had, in order."""

    def __post_init__(self) -> None:
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = (
            "false"  # for this process, which reads models
        )
        self.project = make_project(
            self.folder, {"configs/_defaults.yaml": DEFAULTS, "configs/chaos.yaml": TEAM}
        )
        self.home = Home.of(self.project)
        self.output = self.project / "up.log"
        self.airflow = AirflowClient(self.ports.airflow_url, patience=_STARTED)
        self.tracking = Tracking(self.ports.mlflow_url)
        self.lake = Lake(storage.resolve(".factory/lake", self.project))

    def dag_ids(self) -> frozenset[str]:
        """The project's DAGs."""
        return promised_dags(self.project)

    # Rows

    def change_rows(self) -> None:
        """Put another state of the rows where the source reads them: some changed, some more."""
        rng = self.random
        rows = self.states[-1].copy() if self.states else pd.DataFrame()
        if len(rows):
            changed = rng.sample(range(len(rows)), 5)
            rows.loc[changed, "height"] = [round(rng.gauss(2, 0.5), 3) for _ in changed]
        first = len(rows)
        new = [
            {
                "id": number,
                "gauge": rng.choice(["north", "south", "weir"]),
                "rain": round(rng.uniform(0, 30), 1),
                "hour": rng.randrange(24),
            }
            for number in range(first, first + (20 if first else 300))
        ]
        added = pd.DataFrame(new)
        noise = [rng.gauss(0, 0.1) for _ in range(len(added))]
        added["height"] = (1 + added["rain"] / 20 + noise).round(3)
        state = pd.concat([rows, added], ignore_index=True)
        path = self.project / "data" / "readings.csv"
        part = path.with_suffix(".part")
        state.to_csv(part, index=False)
        part.replace(path)
        self.states.append(state)

    # Processes

    def start(self) -> None:
        """Start `factory up`, and wait until all is healthy."""
        begun = self.output.stat().st_size if self.output.exists() else 0
        options = {"--port": self.ports.airflow, "--mlflow-port": self.ports.mlflow}
        options["--serving-port"] = self.ports.serving
        arguments = [str(each) for option in options.items() for each in option]
        with self.output.open("ab") as output:
            self.process = processes.start(
                [FACTORY, "up", "--project", self.project, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        def ready() -> bool:
            said = self.output.read_text()[begun:]
            if self.process.poll() is not None:
                raise RuntimeError(f"factory up did not start:\n{said}")
            return "Ctrl-C stops everything" in said

        wait_until(ready, "factory up", _STARTED)

    def start_again(self) -> None:
        """What a service manager does when `factory up` was killed."""
        self.process.wait()
        wait_until(lambda: not members(self.home.folder), "the watchdog", _SWEPT)
        self.start()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start `factory up`, and stop it on leaving, also when this process is asked to end."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            self.start()
            yield
        finally:
            self.airflow.close()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)
            if left := members(self.home.folder):
                raise AssertionError(f"factory up has left {left}")

    def component(self, name: str) -> psutil.Process | None:
        """The process that a component was started as; None while it is not there."""
        return next(
            (
                process
                for process in psutil.Process(self.process.pid).children()
                if process.is_running() and self._is(process, name)
            ),
            None,
        )

    def _is(self, process: psutil.Process, name: str) -> bool:
        return process in members(self.home.folder, component=name) or (
            name == "watchdog" and "factory.runtime.watchdog" in process.cmdline()
        )

    def workers(self) -> dict[psutil.Process, str]:
        """The executor's processes, and what each does: `<idle>`, or of a task its DAG, name, run, try and index."""
        found = {}
        scheduler = self.component("scheduler")
        for process in scheduler.children() if scheduler else ():
            title = " ".join(process.cmdline())
            if title.startswith("airflow worker"):
                found[process] = title.partition(": ")[2].strip()
        return found

    def busy(self) -> list[str]:
        """What workers do; a run's teardown goes on after the run has ended."""
        return [does for does in self.workers().values() if does != "<idle>"]

    def is_healthy(self) -> bool:
        """Whether every component runs and answers."""
        found = [self.component(name) for name in PARTS]
        if None in found:
            return False
        since = max(process.create_time() for process in found if process)
        return healthy_components(self.ports, since=since, serving=True) == set(PARTS)


def wait_until(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Ask until there is an answer other than None or False."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)
