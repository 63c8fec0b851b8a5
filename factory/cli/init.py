"""`factory init`: a project of one's own, with a team file that is proposed from data."""

import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.text import Text

from factory.base.errors import FactoryError
from factory.base.section import NAME
from factory.cli.console import console, failed, failures_explained, plain_table

if TYPE_CHECKING:
    from factory.starter_project.from_data import TeamProposal


def check_name(value: str | None) -> str | None:
    """The check of an argument that names a team, a dataset or a model."""
    if value is not None and not NAME.fullmatch(value):
        raise typer.BadParameter(
            f"{value!r} is not a name: use lower-case letters, digits and underscores, starting with a letter"
        )
    return value


def init(
    folder: Annotated[
        Path, typer.Argument(help="The project's folder; made if it is not there.", file_okay=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Data of yours that the first team publishes: CSV, JSON, Parquet or Excel. It is copied.",
            metavar="FILE",
            dir_okay=False,
            exists=True,
            show_default="",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="The column that a model is to predict.", metavar="COLUMN", show_default=""
        ),
    ] = None,
    team: Annotated[
        str | None,
        typer.Option(
            help="The first team's name; as the file if left out.",
            callback=check_name,
            show_default="",
        ),
    ] = None,
) -> None:
    """Write a new project, with a team file that is proposed from data of yours.

    The data are looked at as `factory inspect` does, and the proposal is tried on all rows. No file is overwritten.
    What was assumed is said, and what has to be decided is asked where it stands in the team file.

    Exits with 1 when the data cannot be read or the column cannot be predicted; then nothing is written.
    """
    if target is not None and data is None:
        raise typer.BadParameter("--target names a column of data: write --from FILE too")
    with failures_explained():
        if data is None:
            _init_without_data(folder, team)
        else:
            _init_with_data(folder, data, target, team)


def _init_without_data(folder: Path, team: str | None) -> None:
    from factory.starter_project.project_files import common_files, refuse_files
    from factory.starter_project.sections import team_text

    texts: dict[str, str | bytes] = {
        **common_files(folder.resolve().name, f"{team}.{team}" if team else "TEAM.DATASET")
    }
    if team is not None:
        refuse_files(folder, (f"configs/{team}.yaml",), "name another team: --team")
        texts[f"configs/{team}.yaml"] = team_text(team)
    _write(folder, texts, {}, {})
    if team:
        _say_next(folder, f"factory run {team}.{team}", f"once there is data/{team}.csv")
    else:
        _say_next(folder, "factory new team NAME", "adds a first team")


def _init_with_data(folder: Path, data: Path, target: str | None, team: str | None) -> None:
    from factory.starter_project.from_data import propose_team
    from factory.starter_project.project_files import common_files, refuse_files
    from factory.team.problems import ReadFailed

    with tempfile.TemporaryDirectory(prefix="factory-init-") as scratch:
        with console.status(f"Looking at {data} …"):
            try:
                proposal = propose_team(data, target, team, Path(scratch))
            except ReadFailed as problem:
                raise failed(
                    f"{data}: the team file that is proposed is not valid:\n{problem}"
                ) from None
            except FactoryError as error:
                # Of the copy that was looked at.
                raise failed(str(error).replace(f"{scratch}/data/", "")) from None
        refuse_files(folder, (proposal.team_file,), "name another team: --team")
        own_copy = folder / proposal.data
        if not (own_copy.exists() and own_copy.samefile(data)):
            refuse_files(folder, (proposal.data,), "move it away, or name it by --from")
        runs = f"{proposal.team}.{proposal.model or proposal.dataset}"
        texts = {**common_files(folder.resolve().name, runs), **proposal.texts}
        copies = {} if own_copy.exists() else {proposal.data: data}
        _write(folder, texts, copies, _about(proposal))
    _say_assumed(proposal)
    _say_doubts(folder, proposal)
    if proposal.question is not None:
        _say_question(folder, proposal)
        return
    what = "publishes it"
    if proposal.model:
        what = "trains and tests it" if proposal.is_small else "trains, tests and promotes it"
    _say_next(folder, f"factory run {runs}", what)


def _about(proposal: "TeamProposal") -> dict[str, str]:
    """What is in the files, by path."""
    team, model = proposal.team, proposal.model
    models = f" and the model {team}.{model}" if model else ""
    about = {
        proposal.team_file: f"the dataset {team}.{proposal.dataset}{models}",
        proposal.data: f"{proposal.rows:,} rows",
    }
    tests = "rows of the data: put invented ones in their place if they are of people"
    return about | {path: tests for path in proposal.texts if path.endswith("input.csv")}


def _write(
    folder: Path,
    texts: Mapping[str, str | bytes],
    copies: Mapping[str, Path],
    about: Mapping[str, str],
) -> None:
    """Write the files, and say which."""
    from factory.starter_project.project_files import write_files

    written, kept = write_files(folder, texts, copies)
    known = {
        "configs/_defaults.yaml": "what holds for every team",
        "dags/teams.py": "Airflow's DAG file of all teams",
        "dags/config_errors.py": "shows problems among Airflow's import errors",
        ".github/workflows/factory.yaml": "checks each pull request",
        **about,
    }
    table = plain_table(f"written below {folder}", "")
    for path in sorted(written):
        table.add_row(Text(path), known.get(path, ""))
    for path in kept:
        table.add_row(Text(path), "[yellow]was there already, and stays as it is[/]")
    console.print(table)


def _say_assumed(proposal: "TeamProposal") -> None:
    if not proposal.assumed:
        return
    console.print()
    table = plain_table("assumed", "")
    for key, text in proposal.assumed.items():
        table.add_row(Text(key), Text(text))
    console.print(table)


def _say_doubts(folder: Path, proposal: "TeamProposal") -> None:
    if not proposal.doubts:
        return
    console.print()
    table = plain_table("look at", "")
    for line, text in proposal.doubts:
        table.add_row(Text(f"{folder / proposal.team_file}:{line}"), Text(text))
    console.print(table)


def _say_question(folder: Path, proposal: "TeamProposal") -> None:
    question = proposal.question
    assert question is not None  # noqa: S101 - asked by the caller
    console.print()
    place = f"{folder / proposal.team_file}:{proposal.question_line}"
    console.print(
        f"[bold yellow]To decide:[/] {escape(f'{place}: {question.text}')}",
        soft_wrap=True,
        highlight=False,
    )
    _say_next(folder, "factory validate", "says what is left to decide")


def _say_next(folder: Path, command: str, what: str) -> None:
    here = folder.resolve() == Path.cwd()
    first = "" if here else f"cd {shlex.quote(str(folder))} && "
    console.print(
        f"\nNext: [bold]{escape(first + command)}[/]  {what}", soft_wrap=True, highlight=False
    )
