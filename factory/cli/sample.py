"""`factory run --sample`: a lake, an MLflow and an Airflow that hold nothing but samples."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from factory.cli.console import console, failed
from factory.runtime.home import Home
from factory.runtime.recorded_runs import is_at_work
from factory.team.environment import ARTIFACTS

if TYPE_CHECKING:
    from factory.catalog import Project


def begin_sample(project: Path, rows: int) -> Home:
    """Let this process and those that it starts work on samples; the home of all that they make.

    What earlier samples have made is removed, so that each begins with an empty lake.

    Args:
        project: The project.
        rows: How many rows sources give at most.

    Raises:
        typer.Exit: Another sample is at work.
    """
    from factory.data.sample import VARIABLE, variable

    home = Home.of(project).sample
    if is_at_work(home):
        raise failed(f"--sample: another sample is at work in {home.folder}: wait for its end")
    lake, workspace = home.folder / "lake", home.folder / "workspace"
    for folder in (lake, workspace, home.mlflow_database.parent):
        shutil.rmtree(folder, ignore_errors=True)
    os.environ["FACTORY_STORAGE"] = lake.as_uri()
    os.environ["FACTORY_WORKSPACE"] = str(workspace)
    os.environ[VARIABLE] = variable(rows, lake.as_uri())
    os.environ.pop(ARTIFACTS, None)
    console.print(
        f"A sample: at most {rows:,} rows of each source. Its lake and its MLflow lie in "
        f"{home.folder.relative_to(project)} and begin empty;\nnothing is published elsewhere, and nobody is told.",
        highlight=False,
    )
    return home


def check_sample(read: "Project", dag_ids: Iterable[str]) -> None:
    """Check that DAGs change nothing but what is the sample's own.

    Raises:
        typer.Exit: One of them does.
    """
    for dag_id in dag_ids:
        if reason := _refused(read, dag_id):
            raise failed(f"--sample: {reason}")


def _refused(read: "Project", dag_id: str) -> str | None:
    """Why a DAG cannot run on a sample: it would change what is not the sample's."""
    from factory.documents.deployment import deployment_id

    team, name = dag_id.split(".")[:2]
    config = read.catalog.teams[team].team
    if name in config.dags:
        return f"{dag_id} is written in dag-factory's format: what its tasks change is not known"
    if name in config.models and dag_id == deployment_id(team, name):
        return f"{dag_id} deploys what is in production, of which a sample has nothing"
    dataset = config.datasets.get(name)
    if dataset is not None and dataset.load is not None:
        return (
            f"{dag_id} loads its rows into {dataset.load.table}, which would hold the sample then"
        )
    return None
