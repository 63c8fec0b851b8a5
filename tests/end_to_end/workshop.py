"""A project made of given files, on an Airflow of its own."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_models import DagRun
from factory.runtime.embedded import EmbeddedRuntime
from tests.end_to_end.conftest import LONG, REPOSITORY


@dataclass
class Workshop:
    """The running project, and what a test does with it."""

    project: Path
    runtime: EmbeddedRuntime
    airflow: AirflowClient

    def run(self, dag_id: str) -> DagRun:
        """Run a DAG to its end."""
        run = self.airflow.trigger(dag_id)
        return self.airflow.wait_for_run(dag_id, run.dag_run_id, seconds=LONG)

    def states(self, run: DagRun) -> dict[str, str | None]:
        """The states of a run's tasks, of mapped ones the last instance's."""
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        return {task.task_id: task.state for task in tasks}


@contextmanager
def workshop(
    project: Path, files: Mapping[str, str], *, code: Path, environment: Mapping[str, str]
) -> Iterator[Workshop]:
    """Start a project; all its DAGs are parsed and unpaused.

    Args:
        project: An empty folder.
        files: Its files by path, the teams' among them.
        code: A module that team files may name: it is put into the project's folder `code`.
        environment: For all of Airflow's processes.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "dags", project / "dags", ignore=ignored)
    (project / "code").mkdir()
    shutil.copy(code, project / "code")
    for name, text in files.items():
        (project / name).parent.mkdir(exist_ok=True, parents=True)
        (project / name).write_text(text)
    settings = {
        "AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error",
        "PYTHONPATH": str(project / "code"),
        **environment,
    }
    with EmbeddedRuntime(project, environment=settings) as runtime, runtime.airflow as airflow:
        airflow.wait_until(airflow.dags, "the project's DAGs", seconds=60)
        assert airflow.import_errors() == []
        for dag in airflow.dags():
            airflow.unpause(dag.dag_id)
        yield Workshop(project, runtime, airflow)
