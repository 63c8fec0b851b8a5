"""What a person names on the command line: a team, a dataset, a model, a DAG."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from factory.base.texts import did_you_mean
from factory.cli.console import errors

if TYPE_CHECKING:
    from factory.catalog import Project
    from factory.team.reader import PlatformFile, TeamFile


def platform_of(project: Path) -> "PlatformFile":
    """The platform's `_defaults.yaml` in force; what cannot be loaded of its plug-ins is shown.

    Raises:
        typer.Exit: It has problems that leave nothing to go by; they are shown.
    """
    from factory.team.environment import active_environment
    from factory.team.problems import ReadFailed
    from factory.team.reader import read_platform

    try:
        platform = read_platform(project.resolve() / "configs", active_environment())
    except ReadFailed as failure:
        for problem in failure.problems:
            errors.print(str(problem), soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit(1) from None
    for problem in platform.problems:
        errors.print(str(problem), soft_wrap=True, highlight=False, markup=False)
    return platform


def healthy_team(project: "Project", configs: Path, name: str) -> "TeamFile":
    """The team of this name.

    Raises:
        typer.Exit: It has problems, which are shown, or there is no such team.
    """
    if name in project.teams:
        return project.teams[name]
    found = [problem for problem in project.problems if problem.file.stem == name]
    if not found:
        names = sorted({problem.file.stem for problem in project.problems} | set(project.teams))
        near = did_you_mean(name, names, otherwise=f"there are {', '.join(names)}")
        raise failed(f"{configs} has no team {name!r}: {near}")
    for problem in found:
        errors.print(str(problem), soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1)


def dag_of(file: "TeamFile", name: str) -> str:
    """The id of the DAG that is meant: a DAG's id, or the name of a dataset or a model.

    A model's name means its training; that of the dataset with its predictions, its prediction.

    Raises:
        typer.Exit: The team has nothing of this name.
    """
    from factory.documents.compile import dag_ids, producer_id
    from factory.documents.training import training_id

    ids = dag_ids(file.team)
    meant = {f"{file.name}.{model}": training_id(file.name, model) for model in file.team.models}
    for model, section in file.team.models.items():
        if section.predict is not None:
            output = section.predict.output_of(model)
            meant[f"{file.name}.{output}"] = producer_id(file.team, output)
    if name in ids:
        return name
    if name in meant:
        return meant[name]
    known = [*ids, *meant]
    near = did_you_mean(name, known, otherwise=f"team {file.name} has {', '.join(ids)}")
    raise failed(f"there is no {name!r}: {near}")


def failed(message: str) -> typer.Exit:
    """Say what is wrong; the exception that leaves with 1."""
    errors.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
    return typer.Exit(1)
