"""`factory graph`: who reads whom, drawn or in lines."""

import shutil
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from factory.cli.options import ProjectOption


class GraphOutput(StrEnum):
    """How a graph is written."""

    TREE = "tree"
    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


def graph(
    teams: Annotated[
        list[str] | None,
        typer.Argument(
            help="Teams, with what they read and who reads them; all when left out.",
            metavar="TEAM...",
        ),
    ] = None,
    project: ProjectOption = Path(),
    output: Annotated[
        GraphOutput,
        typer.Option(
            "--output",
            "-o",
            help="Lines, a flowchart for Markdown, for Graphviz, or a picture by it.",
        ),
    ] = GraphOutput.TREE,
) -> None:
    """Show the datasets and models of all teams, and which is made of which.

    Teams whose files have problems are shown as far as they can be read.
    """
    from factory.catalog import read_all
    from factory.catalog.graph import Graph
    from factory.cli.console import failed
    from factory.cli.main import without_pydantic_plugins
    from factory.team.environment import active_environment

    configs = project.resolve() / "configs"
    with without_pydantic_plugins():
        catalog = read_all(configs, active_environment()).catalog
    for team in teams or ():
        if team not in catalog.teams:
            from factory.base.texts import did_you_mean, one_of

            known = sorted(catalog.teams)
            near = did_you_mean(team, known, f"there are {one_of(known) or 'none'}")
            raise failed(f"{configs} has no team {team!r} that can be read: {near}")
    found = Graph.of(catalog, teams or ())
    written: dict[GraphOutput, Callable[[], str]] = {
        GraphOutput.TREE: found.as_tree,
        GraphOutput.MERMAID: found.as_mermaid,
        GraphOutput.DOT: found.as_dot,
        GraphOutput.SVG: lambda: _drawn(found.as_dot()),
    }
    typer.echo(written[output]())


def _drawn(graph: str) -> str:
    """A graph for Graphviz as an SVG.

    Raises:
        typer.Exit: Graphviz is not on this machine.
    """
    from factory.cli.console import failed

    program = shutil.which("dot")
    if program is None:
        raise failed(
            "the picture is drawn by Graphviz, whose program `dot` is not on this machine: `apt-get install graphviz` "
            "brings it; GitHub draws what `--output mermaid` writes"
        )
    drawn = subprocess.run(  # noqa: S603 - no shell
        [program, "-Tsvg"], input=graph, stdout=subprocess.PIPE, text=True, check=True
    )
    return drawn.stdout
