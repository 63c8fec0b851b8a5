"""`factory explain`: a dataset or a model in words, or a code of `factory validate`."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.cli.called import as_called
from factory.cli.options import ProjectOption

if TYPE_CHECKING:
    from factory.catalog.explanation import Explanation

_WIDEST = 110
"""Columns of a terminal, beyond which a line and its place are too far apart."""


class ExplainOutput(StrEnum):
    """How a dataset or a model is shown."""

    TEXT = "text"
    JSON = "json"


def explain(
    what: Annotated[
        str,
        typer.Argument(
            help="A dataset or a model, or a code such as F020; all codes are listed when left out.",
            metavar="TEAM.NAME|CODE",
        ),
    ] = "",
    project: ProjectOption = Path(),
    output: Annotated[
        ExplainOutput, typer.Option("--output", "-o", help="For people, or for programs.")
    ] = ExplainOutput.TEXT,
) -> None:
    """Say in words what a dataset or a model is, or what a code of `factory validate` means.

    Behind each sentence stands the file and the line that says so, or "by default".

    Exits with 0, with 1 if no team whose file can be read has something of the name, and with 2 if there
    is no such code.
    """
    if "." not in what:
        _explain_code(what)
        return
    from factory.catalog import read_all
    from factory.catalog.explanation import explain as in_words
    from factory.cli.console import failures_explained
    from factory.cli.main import without_pydantic_plugins
    from factory.team.environment import active_environment

    home = project.resolve()
    with without_pydantic_plugins(), failures_explained():
        catalog = read_all(home / "configs", active_environment()).catalog
        found = in_words(catalog, what, home)
    if output is ExplainOutput.JSON:
        typer.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _show(found)


def _show(found: "Explanation") -> None:
    from itertools import groupby

    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from factory.cli.console import console

    console.print(Text.assemble((found.name, "bold"), f", a {found.kind}"))
    places = max(len(line.place) for line in found.lines)
    for heading, lines in groupby(found.lines, key=lambda line: line.about):
        console.print(Text(f"\n{heading}", style="bold"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.width = min(console.width, _WIDEST)
        table.add_column(overflow="fold", ratio=1)
        table.add_column(no_wrap=True, style="dim", min_width=places)
        for line in lines:
            table.add_row(Padding(Text(line.text), (0, 0, 0, 2)), line.place)
        console.print(table)


def _explain_code(code: str) -> None:
    from factory.team.codes import table

    known = table()
    if not code:
        for one in known.values():
            typer.echo(f"{one.id}  {one.title}")
        return
    found = known.get(code.upper()) or next((c for c in known.values() if c.name == code), None)
    if found is None:
        typer.echo(
            as_called(f"error: there is no code {code!r}: `factory explain` lists all"), err=True
        )
        raise typer.Exit(2)
    typer.echo(found.text, nl=False)
