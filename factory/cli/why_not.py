"""`factory why-not`: why there is nothing newer."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from factory.base.texts import did_you_mean, shown
from factory.cli.airflow_access import NO_AIRFLOW, AirflowOption, running_airflow
from factory.cli.console import console, failed
from factory.cli.options import ProjectOption
from factory.cli.project import lake_of, model_of, registered_name, registry_of

if TYPE_CHECKING:
    from factory.status.waiting import Waiting


_LONGEST = 4000


def why_not(
    name: Annotated[
        str,
        typer.Argument(
            help="A model or a dataset; the model of an entity is TEAM.MODEL.ENTITY.",
            metavar="TEAM.NAME",
            callback=registered_name,
        ),
    ],
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="All reasons, for other programs.")
    ] = False,
) -> None:
    """Say why there is no newer version of a model, or snapshot of a dataset, and what changes that.

    Whether its DAG is paused, at work, waits for an approval or a slot, or has failed; which datasets it
    waits for; what `retrain_when` says; why the newest version is not in production. Without an Airflow that
    runs, what files, lake and MLflow tell.
    """
    from factory.catalog import read_all
    from factory.catalog.published import published
    from factory.team.environment import active_environment

    read = read_all(project.resolve() / "configs", active_environment())
    team, own = model_of(name).split(".")
    file = read.catalog.teams.get(team)
    if file is None:
        broken = any(problem.file.stem == team for problem in read.problems)
        raise failed(
            f"the file of {team} has problems that leave nothing to go by: factory validate"
            if broken
            else f"there is no team {team!r}: {did_you_mean(team, read.catalog.teams, 'factory status lists all')}"
        )
    is_of_entity = name != f"{team}.{own}"
    datasets = set() if is_of_entity else {one.name for one in published(file)}
    if own not in datasets and own not in file.team.models:
        near = did_you_mean(own, [*datasets, *file.team.models], "factory status lists all")
        raise failed(f"team {team} has neither a dataset nor a model {own!r}: {near}")
    with (
        running_airflow(project, airflow_url) as airflow,
        registry_of(project) as tracking,
        lake_of(project, team) as lake,
    ):
        from factory.status.waiting import Surroundings, why_no_newer_snapshot, why_no_newer_version

        around = Surroundings(read, lake, tracking, airflow, datetime.now(UTC))
        ask = why_no_newer_version if own in file.team.models else why_no_newer_snapshot
        found = ask(name, around)
    if as_json:
        # Not through Rich, which would break lines.
        typer.echo(json.dumps(found.as_json(), indent=2))
        return
    _show(found)


def _show(found: "Waiting") -> None:
    console.print(Text.assemble((found.name, "bold"), f": {found.newest}"))
    for reason in found.reasons:
        console.print()
        console.print(Text(shown(reason.what, _LONGEST)), highlight=False)
        if reason.command:
            # Not folded: it is there to be copied.
            console.print(Text(f"  → {reason.command}", style="cyan"), soft_wrap=True)
    if not found.reasons:
        console.print("\nNothing stands in its way.")
    if found.airflow is None:
        console.print(f"\nNothing is said of runs: {NO_AIRFLOW}.", highlight=False)
