"""A small project, and one running Airflow for all tests that only look or start runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.runtime.embedded import EmbeddedRuntime

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRuntime]:
    project = tmp_path_factory.mktemp("runtime") / "project"
    shutil.copytree(PROJECT, project)
    (project / "configs").mkdir()
    with EmbeddedRuntime(project) as running:
        airflow = running.airflow
        airflow.wait_until(lambda: len(airflow.dags()) == 4, "the four dags", seconds=60)
        yield running
