"""`factory unpause`: DAGs that Airflow has paused may run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from factory.cli.airflow_access import NO_AIRFLOW, AirflowOption, airflow_address, airflow_client
from factory.cli.console import console, failed, failures_explained
from factory.cli.options import ProjectOption
from factory.cli.project import dag_of, healthy_team


def unpause(
    names: Annotated[
        list[str],
        typer.Argument(help="A team, or one of its datasets, models or DAGs.", metavar="NAME..."),
    ],
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
) -> None:
    """Let the DAGs of a team run, or a single one: Airflow pauses each DAG that it has not met before.

    What a dataset or a model told while its readers were paused starts none of them afterwards; `factory
    replay` tells it again.
    """
    wanted = dag_ids_of(names, project)
    address = airflow_address(project, airflow_url)
    if address is None:
        raise failed(f"nothing was unpaused: {NO_AIRFLOW}")
    with failures_explained(), airflow_client(address) as airflow:
        paused = {dag.dag_id: dag.is_paused for dag in airflow.dags()}
        unknown = [dag_id for dag_id in wanted if dag_id not in paused]
        for dag_id in wanted:
            if paused.get(dag_id):
                airflow.unpause(dag_id)
                console.print(f"[green]unpaused:[/] {dag_id}", highlight=False)
            elif dag_id in paused:
                console.print(f"[dim]ran already:[/] {dag_id}", highlight=False)
    if unknown:
        raise failed(
            f"Airflow at {address} does not know {', '.join(unknown)} yet: `factory validate` says "
            "whether the team's file has problems"
        )


def dag_ids_of(names: Iterable[str], project: Path) -> list[str]:
    """The DAGs that names mean: all of a team's, or the one of a dataset or a model.

    A model's name means its training alone.

    Raises:
        typer.Exit: There is no such team, or it has nothing of this name.
    """
    from factory.catalog import read_all
    from factory.documents.compile import dag_ids
    from factory.team.environment import active_environment

    configs = project.resolve() / "configs"
    read = read_all(configs, active_environment())
    found: dict[str, None] = {}
    for name in names:
        file = healthy_team(read, configs, name.partition(".")[0])
        found |= dict.fromkeys([dag_of(file, name)] if "." in name else dag_ids(file.team))
    return list(found)
