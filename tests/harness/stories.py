"""A story of `factory demo --scenario`, told once; the tests look at what it has left behind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from factory.cli.console import console
from factory.cli.scenario import tell
from factory.runtime.airflow_records import DagRun
from factory.runtime.signals import StopSignals
from factory.scenarios.story import Story, make_project
from tests.harness.airflow import Installation, running


@dataclass
class Told(Installation):
    """The installation after the last chapter."""

    failed: bool = False
    text: str = ""
    """What was printed."""

    def run_of(self, dag_id: str) -> DagRun:
        """The one run of a DAG."""
        (run,) = self.airflow.runs(dag_id)
        return run

    def result_of(self, dag_id: str, task_id: str) -> Any:
        """What a task of the one run of a DAG returned."""
        return self.result(self.run_of(dag_id), task_id)


@contextmanager
def told(
    project: Path,
    scenario: str,
    story: Story,
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float,
) -> Iterator[Told]:
    """Tell a story on an Airflow of its own.

    Args:
        project: An empty folder.
        scenario: The package of `factory.scenarios` whose team files it takes.
        story: What happens.
        environment: For this process, which reads the team files too, and for Airflow's.
        seconds: What a chapter may take.
    """
    make_project(project, package=f"factory.scenarios.{scenario}")
    story.prepare(project)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        with StopSignals() as signals, running(project) as installation:
            with console.capture() as printed:
                failed = tell(story, installation.runtime, signals, seconds)
            yield Told(project, installation.runtime, failed, printed.get())
