"""A project of two teams in a folder of its own, and a real Airflow that runs it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_models import AssetEvent, DagRun
from factory.runtime.embedded import EmbeddedRuntime
from tests.end_to_end.sink import Sink, running_sink

REPOSITORY = Path(__file__).parents[2]

SEA = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    source: {type: csv, path: data/catches.csv}
    checks:
      - {check: not_null, columns: [species]}
      - {check: row_count, min: 50}
    share_with: [lab]
"""

LAB = """\
version: 1
team: lab
owner: lab@example.org
models:
  species:
    task: classification
    train_on: sea.catches
    target: species
    search:
      strategy: grid
      candidates:
        - {estimator: sklearn.linear_model.LogisticRegression, params: {C: [0.1, 1.0, 10.0]}}
        - {estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 2}}
    objective: {metric: f1_macro}
"""

PRODUCER = "sea.catches"
CONSUMER = "lab.species.train"
TRIALS = 4
LONG = 240.0
"""Seconds that a run may take on a machine that is busy with other things too."""


def call_factory(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the command `factory` for a project, as a person in another terminal does."""
    foreign = ("MLFLOW_TRACKING", "FACTORY_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return subprocess.run(
        [sys.executable, "-m", "factory", *arguments, "--project", str(project)],
        env={**inherited, "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """Where webhooks go."""
    with running_sink() as running:
        yield running


@dataclass
class Installation:
    """A running project, and what a test does with it."""

    project: Path
    runtime: EmbeddedRuntime
    airflow: AirflowClient

    def write_rows(self, **changes: object) -> None:
        """Write the source file: iris, with some cells changed, as `column=(row, value)`."""
        frame = load_iris(as_frame=True).frame.rename(columns=lambda name: name.split(" (")[0])
        frame["species"] = frame.pop("target").map({0: "cod", 1: "hake", 2: "ling"})
        for column, (row, value) in changes.items():
            frame.loc[row, column.replace("_", " ")] = value
        frame.columns = [name.replace(" ", "_") for name in frame.columns]
        (self.project / "data").mkdir(exist_ok=True)
        frame.to_csv(self.project / "data" / "catches.csv", index=False)

    def produce(self, **conf: object) -> DagRun:
        """Run the producer to its end."""
        run = self.airflow.trigger(PRODUCER, conf=conf)
        return self.airflow.wait_for_run(PRODUCER, run.dag_run_id, seconds=LONG)

    def events(self) -> list[AssetEvent]:
        """Everything that the producer has emitted."""
        return self.airflow.asset_events(dag_id=PRODUCER)

    def training_after(self, event: AssetEvent) -> DagRun:
        """The training run that an event has started, at its end."""

        def started() -> DagRun | None:
            (found,) = [one for one in self.events() if one.id == event.id]
            runs = [run for run in found.created_dagruns if run.dag_id == CONSUMER]
            return self.airflow.run(CONSUMER, runs[0].run_id) if runs else None

        run = self.airflow.wait_until(started, f"a run of {CONSUMER}", seconds=60)
        return self.airflow.wait_for_run(CONSUMER, run.dag_run_id, seconds=LONG)

    def factory(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the command `factory` in this project."""
        return call_factory(self.project, *arguments)

    def log_of(self, run: DagRun, task_id: str) -> str:
        """The log of a task of a run."""
        (task,) = [
            task
            for task in self.airflow.tasks(run.dag_id, run.dag_run_id)
            if task.task_id == task_id
        ]
        return "\n".join(self.airflow.log(task))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Airflow and MLflow on ports of their own, both DAGs parsed and unpaused."""
    project = tmp_path_factory.mktemp("installation")
    shutil.copytree(
        REPOSITORY / "dags", project / "dags", ignore=shutil.ignore_patterns("__pycache__")
    )
    (project / "configs").mkdir()
    (project / "configs" / "_defaults.yaml").write_text("version: 1\npython_packages: [sklearn]\n")
    (project / "configs" / "sea.yaml").write_text(SEA)
    (project / "configs" / "lab.yaml").write_text(LAB)
    # A DAG that is not the same at each parse would make a new DAG version each time.
    strict = {"AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error"}
    with EmbeddedRuntime(project, environment=strict) as runtime, runtime.airflow as airflow:
        installed = Installation(project, runtime, airflow)
        installed.write_rows()

        def parsed() -> bool:
            return {PRODUCER, CONSUMER} <= {dag.dag_id for dag in airflow.dags()}

        airflow.wait_until(parsed, "both teams' DAGs", seconds=60)
        for dag_id in (CONSUMER, PRODUCER):
            airflow.unpause(dag_id)
        yield installed


@dataclass
class Chain:
    """A producer's run, the event that it emitted and the training run that this started."""

    producer: DagRun
    event: AssetEvent
    training: DagRun


@pytest.fixture(scope="module")
def first(installation: Installation) -> Chain:
    """The first publication and what follows from it."""
    producer = installation.produce()
    (event,) = installation.events()
    return Chain(producer, event, installation.training_after(event))
