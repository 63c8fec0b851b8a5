"""`factory validate`: all problems of the team files, without starting anything."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.base.garbage import without_garbage_collection
from factory.cli.options import ProjectOption

if TYPE_CHECKING:
    from factory.team.problems import Problem


class Output(StrEnum):
    """How problems are shown."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Team files to look at; all of configs/ when left out."),
    ] = None,
    project: ProjectOption = Path(),
    output: Annotated[
        Output,
        typer.Option(
            "--output",
            "-o",
            help="For people, for programs, for annotations of GitHub Actions, or for tools that read SARIF.",
        ),
    ] = Output.TEXT,
    environment: Annotated[
        str | None,
        typer.Option(
            help="Look at this environment only; at all that are mentioned when left out."
        ),
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")] = False,
) -> None:
    """Check team files: every problem with its line, and what to write instead.

    Links between teams are checked too, so the other files are read as well; only problems of the
    named files are shown. `factory explain F020` says more about a code.

    Exits with 0 when there is no problem, with 1 when there is one (or, with --strict, a warning), or
    when an extra is missing that the project's storage needs, and with 2 when the command is wrong.
    """
    from factory.cli.main import without_pydantic_plugins
    from factory.cli.problem_output import show

    with without_pydantic_plugins(), without_garbage_collection():
        found, count, is_linked = _check(project / "configs", files or [], environment)
    fails = any(strict or not problem.is_warning for problem in found)
    show(output.value, found, count, is_linked=is_linked)
    if fails:
        raise typer.Exit(1)
    _check_storage(project)


def _check(
    configs: Path, files: list[Path], environment: str | None
) -> tuple[list["Problem"], int, bool]:
    """The problems, how many files were looked at, and whether the links between all of them were."""
    from factory.catalog import check_project, questions_of_one
    from factory.team.checking import check_team
    from factory.team.problems import in_order

    active = os.environ.get("FACTORY_ENVIRONMENT") or None
    chosen = _expanded(files)
    inside = {path for path in chosen if path.parent == configs.resolve()}
    found = [problem for path in chosen for problem in _not_read(path, inside)]
    unread = {problem.file for problem in found}
    if not chosen or inside - unread:
        problems = check_project(configs, environment=environment, active=active)
        found += [
            problem
            for problem in problems
            if not chosen or _team_file(problem) in {*inside, configs.resolve()}
        ]
    outside = [path for path in chosen if path not in inside and path not in unread]
    for path in sorted(outside):
        found += check_team(path, environment=environment, further=questions_of_one)
    return in_order(found), len(chosen) or _number_of_files(configs), not outside


def _team_file(problem: "Problem") -> Path:
    return (problem.named_in or problem.file).resolve()


def _expanded(files: list[Path]) -> list[Path]:
    """The files, with those of a folder in its place."""
    from factory.team.problems import ReadFailed
    from factory.team.reader import team_paths

    found: list[Path] = []
    for path in files:
        try:
            below = team_paths(path) if path.is_dir() else []
        except ReadFailed:
            below = []
        found += below or [path]
    return list(dict.fromkeys(path.resolve() if path.exists() else path for path in found))


def _not_read(path: Path, inside: set[Path]) -> "list[Problem]":
    """The problem that a named file is none that Airflow reads."""
    from factory.team.problems import ReadFailed
    from factory.team.reader import DEFAULTS_FILE
    from factory.team.source_text import read_text, unreadable

    if path.is_dir():
        return [unreadable(path, "there is no team file in this folder")]
    try:
        read_text(path)
    except ReadFailed as failed:
        # Inside, its problems are found with those of the others.
        return [] if path in inside and path.suffix == ".yaml" else list(failed.problems)
    if path.name != DEFAULTS_FILE and path.name.startswith(("_", ".")):
        message = "files whose names start with `_` or `.` are not read as team files"
        return [unreadable(path, message, f"rename it to {path.name.lstrip('_.')}")]
    if path.suffix not in (".yaml", ".yml"):
        return [unreadable(path, "team files end in .yaml; this one is not read")]
    return []


def _number_of_files(configs: Path) -> int:
    from factory.team.problems import ReadFailed
    from factory.team.reader import team_paths

    try:
        return len(team_paths(configs))
    except ReadFailed:
        return 0


def _check_storage(project: Path) -> None:
    from factory.cli.storage import missing_extra

    if missing := missing_extra(project):
        typer.echo(f"error: {missing}", err=True)
        raise typer.Exit(1)
