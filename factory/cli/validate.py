"""`factory validate`: all problems of the team files, without starting anything."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from factory.cli.console import ProjectOption, console, errors
from factory.cli.storage import missing_extra
from factory.team.problems import Problem


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Team files to look at; all of configs/ when left out."),
    ] = None,
    project: ProjectOption = Path(),
) -> None:
    """Check team files: every problem with its line, and what to write instead.

    Links between teams are checked too, so the other files are read as well; only problems of the
    named files are shown. Exits with 1 if there are any, or if an extra is missing that the project's
    storage needs.
    """
    from factory.catalog import check_project
    from factory.team.checking import check_team
    from factory.team.reader import team_paths

    configs = project / "configs"
    chosen = {path.resolve() for path in files or ()}
    inside = {path for path in chosen if path.parent == configs.resolve()}
    problems = [
        problem
        for problem in (check_project(configs) if inside or not chosen else [])
        if not chosen or problem.file.resolve() in inside
    ]
    for path in sorted(chosen - inside):
        problems += check_team(path)
    for problem in problems:
        _show(problem)
    count = len(chosen) or len(team_paths(configs))
    if problems:
        console.print(
            f"[bold red]{_number(len(problems), 'problem')}[/] in {_number(count, 'file')}"
        )
        raise typer.Exit(1)
    if missing := missing_extra(project):
        errors.print(f"[bold red]error:[/] {escape(missing)}", soft_wrap=True, highlight=False)
        raise typer.Exit(1)
    console.print(f"[green]{_number(count, 'team file')}: no problems[/]")


def _show(problem: Problem) -> None:
    console.print(
        f"[bold]{escape(problem.place)}[/]: [red]{escape(problem.message)}[/]",
        soft_wrap=True,
        highlight=False,
    )
    for line in problem.snippet.splitlines():
        console.print(f"    [dim]{escape(line)}[/]", soft_wrap=True, highlight=False)
    if problem.suggestion:
        console.print(
            f"    [green]{escape(problem.suggestion)}[/]", soft_wrap=True, highlight=False
        )
    console.print()


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
