"""`factory reproduce`: the same model again, from what is recorded of it."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.base.files import TEMPORARY
from factory.cli.console import console
from factory.cli.options import ProjectOption
from factory.cli.project import asked_of, lake_of, registry_of

if TYPE_CHECKING:
    from factory.provenance.reproduction import Reproduction

VersionArgument = Annotated[
    str,
    typer.Argument(
        help="A version of a model; the champion if no number is written.",
        metavar="TEAM.MODEL[@VERSION]",
    ),
]


def reproduce(
    name: VersionArgument,
    project: ProjectOption = Path(),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Train a version again from what is recorded of it, and compare what both say, byte for byte.

    The section, the trial and the snapshots of then are taken, whatever the team's file and the datasets are
    now; code that the section names is that which is installed now. Nothing is registered. Exits with 1 if
    the two say something else of a test row.
    """
    asked = asked_of(name)
    with registry_of(project) as tracking, lake_of(project, asked.team) as lake:
        from factory.provenance.reproduction import reproduce as step
        from factory.provenance.version import meant_version

        version = meant_version(asked.name, asked.number, None, tracking=tracking)
        with (
            console.status("Training …"),
            tempfile.TemporaryDirectory(prefix=TEMPORARY) as workspace,
        ):
            found = step(
                version,
                lake=lake,
                tracking=tracking,
                project=project.resolve(),
                workspace=Path(workspace),
            )
    if as_json:
        typer.echo(json.dumps({**found.as_json(), "is_equal": found.is_equal}, indent=2))
    else:
        _show(found)
    if not found.is_equal:
        raise typer.Exit(1)


def _show(found: "Reproduction") -> None:
    what = f"{found.model} version {found.version}, trained again ({found.trial})"
    if found.is_equal:
        console.print(
            f"[green]equal:[/] {what}: both say the same of all {found.rows:,} test rows, byte for byte.",
            highlight=False,
        )
    else:
        console.print(
            f"[red]different:[/] {what}: it says something else of {found.different:,} of {found.rows:,} "
            "test rows.",
            highlight=False,
        )
        for one in found.shown:
            console.print(f"  row {one.row}: then {one.then}, now {one.now}", highlight=False)
    if found.same_training_rows is not None:
        same = "the same" if found.same_training_rows else "[red]other[/]"
        console.print(f"Both learned from {same} rows.", highlight=False)
    if found.packages:
        console.print(f"[yellow]Other packages here:[/] {found.packages}", highlight=False)
    console.print(f"SHA-256 of what is said: {found.sha256_then} then", highlight=False)
    console.print(f"                         {found.sha256_now} now", highlight=False)
