"""`factory new`: one more team, or one more dataset or model of a team, from a short template."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from factory.cli.console import console, failed, failures_explained
from factory.cli.init import check_name
from factory.cli.options import ProjectOption


class New(StrEnum):
    """What can be added."""

    TEAM = "team"
    DATASET = "dataset"
    MODEL = "model"


def new(
    what: Annotated[New, typer.Argument(help="A team, or a dataset or a model of one.")],
    name: Annotated[str, typer.Argument(help="Its name.", callback=check_name)],
    project: ProjectOption = Path(),
    team: Annotated[
        str | None,
        typer.Option(
            help="Whose dataset or model it is; the project's only team if left out.",
            callback=check_name,
            show_default="",
        ),
    ] = None,
    train_on: Annotated[
        str | None,
        typer.Option(
            help="The dataset that a model learns from; the team's first one if left out.",
            metavar="[TEAM.]DATASET",
            show_default="",
        ),
    ] = None,
) -> None:
    """Add a team to a project, or a dataset or a model to a team.

    A section is written at the end of `datasets` or `models`; all else in the file, comments included, stays as it
    is. Names that are there already are refused.
    """
    from factory.starter_project.sections import add_section, add_team

    configs = project / "configs"
    if not configs.is_dir():
        raise failed(
            f"{project.resolve()} has no folder `configs`: run this in a project's folder, or name it with "
            "--project; `factory init FOLDER` makes a project"
        )
    with failures_explained():
        if what is New.TEAM:
            file, line = add_team(configs, name), 1
        else:
            file = configs / f"{team or _only_team(configs)}.yaml"
            part: Literal["datasets", "models"] = "datasets" if what is New.DATASET else "models"
            line = add_section(file, part, name, train_on)
    console.print(f"{file}:{line}: a {what} {name}", soft_wrap=True, highlight=False)
    console.print("Next: [bold]factory validate[/]", soft_wrap=True, highlight=False)


def _only_team(configs: Path) -> str:
    from factory.team.problems import ReadFailed
    from factory.team.reader import team_paths

    try:
        names = [path.stem for path in team_paths(configs)]
    except ReadFailed as problem:
        raise failed(str(problem)) from None
    if len(names) != 1:
        there = f"there are {', '.join(names)}" if names else "there is none: factory new team NAME"
        raise failed(f"name the team: --team; {there}")
    return names[0]
