"""A project on a real Airflow and MLflow, and what tests ask them."""

import os
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from factory.cli.watch import promised_dags
from factory.lake.storage import address as storage
from factory.lake.table import Lake
from factory.models import registry
from factory.models.tracking import Tracking
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_records import AssetEvent, DagRun, TaskInstance
from factory.runtime.embedded import EmbeddedRuntime
from tests.harness.project import call_factory, write

LONG = 240.0
"""Seconds that a run may take on a machine that is busy with other things too."""


@dataclass
class Installation:
    """A running project. A test module may derive a class that knows its team's names."""

    project: Path
    runtime: EmbeddedRuntime

    @classmethod
    def of(cls, running: "Installation") -> Self:
        """The same installation, with what this class adds."""
        return cls(running.project, running.runtime)

    @property
    def airflow(self) -> AirflowClient:
        return self.runtime.airflow

    @property
    def tracking(self) -> Tracking:
        return Tracking(self.runtime.ports.mlflow_url)

    @property
    def lake(self) -> Lake:
        return Lake(storage.resolve(".factory/lake", self.project))

    def factory(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call the command `factory` in this project."""
        return call_factory(self.project, *arguments, environment=environment)

    # Teams

    def add(self, files: Mapping[str, str]) -> None:
        """Write files, team files among them; returns when their DAGs are parsed, and awake."""
        write(self.project, files)
        self.wake({Path(name).stem for name in files if name.startswith("configs/")})

    def wake(self, teams: Collection[str]) -> None:
        """Unpause the DAGs of teams as soon as they are parsed."""
        wanted = {each for each in promised_dags(self.project) if each.partition(".")[0] in teams}

        def parsed() -> bool:
            return wanted <= {dag.dag_id for dag in self.airflow.dags()}

        self.airflow.wait_until(parsed, f"the DAGs of {sorted(teams)}", seconds=90)
        for dag_id in sorted(wanted):
            self.airflow.unpause(dag_id)

    # Runs

    def run(self, dag_id: str, **conf: object) -> DagRun:
        """Run a DAG to its end."""
        return self.end_of(self.airflow.trigger(dag_id, conf=conf))

    def end_of(self, run: DagRun) -> DagRun:
        """A run at its end."""
        return self.airflow.wait_for_run(run.dag_id, run.dag_run_id, seconds=LONG)

    def begun_by(self, event: AssetEvent, dag_id: str) -> DagRun:
        """The run of a DAG that an event has started, as soon as there is one."""

        def begun() -> DagRun | None:
            (found,) = [one for one in self.airflow.asset_events() if one.id == event.id]
            runs = [run for run in found.created_dagruns if run.dag_id == dag_id]
            return self.airflow.run(dag_id, runs[0].run_id) if runs else None

        return self.airflow.wait_until(begun, f"a run of {dag_id}", seconds=LONG)

    def started_by(self, event: AssetEvent, dag_id: str) -> DagRun:
        """The run of a DAG that an event has started, at its end."""
        return self.end_of(self.begun_by(event, dag_id))

    def event_of(self, run: DagRun) -> AssetEvent:
        """The one event that a run emitted."""
        (event,) = self.airflow.asset_events(dag_id=run.dag_id, run_id=run.dag_run_id)
        return event

    def events(self, name: str) -> list[AssetEvent]:
        """The events of a dataset or a model, oldest first."""
        return [event for event in self.airflow.asset_events() if event.name == name]

    # Tasks

    def tasks(self, run: DagRun, task_id: str) -> list[TaskInstance]:
        """The instances of a task in a run: one, unless it is mapped."""
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        return [task for task in tasks if task.task_id == task_id]

    def task(self, run: DagRun, task_id: str) -> TaskInstance:
        """A task of a run that is not mapped."""
        (task,) = self.tasks(run, task_id)
        return task

    def states(self, run: DagRun) -> dict[str, str | None]:
        """The states of a run's tasks, of mapped ones the last instance's."""
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        return {task.task_id: task.state for task in tasks}

    def result(self, run: DagRun, task_id: str) -> Any:
        """What a task of a run returned."""
        return self.airflow.xcom(run.dag_id, run.dag_run_id, task_id)

    def log_of(self, run: DagRun, task_id: str) -> str:
        """The log of a task of a run."""
        return "\n".join(self.airflow.log(self.task(run, task_id)))

    # Models

    def aliases(self, model: str) -> dict[str, int]:
        """The versions that bear an alias, such as `champion`."""
        found = self.tracking.client.get_registered_model(model).aliases
        return {alias: int(number) for alias, number in found.items()}

    def version(self, model: str, number: int) -> registry.Version:
        """A version of a model as the registry has it."""
        return registry.version(model, number, tracking=self.tracking)


@contextmanager
def running(
    project: Path,
    environment: Mapping[str, str] | None = None,
    *,
    components: tuple[str, ...] | None = None,
) -> Iterator[Installation]:
    """Start Airflow and MLflow for a project, on ports of their own.

    Args:
        project: See `make_project`.
        environment: For all of their processes.
        components: As of `EmbeddedRuntime`.
    """
    settings = {
        # A DAG that is not the same at each parse would make a new DAG version each time.
        "AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error",
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(project / "code"), os.environ.get("PYTHONPATH")])
        ),
        **(environment or {}),
    }
    with EmbeddedRuntime(project, environment=settings, components=components) as runtime:
        yield Installation(project, runtime)
