"""`factory evidence`: all that is known of a version, in one archive."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from factory.cli.console import console
from factory.cli.options import ProjectOption
from factory.cli.project import asked_of, lake_of, registry_of
from factory.cli.reproduce import VersionArgument

if TYPE_CHECKING:
    from factory.provenance.version import VersionOrigin

_WIDTH = 100


def evidence(
    name: VersionArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The archive, which must not be there yet.", metavar="FILE.zip"
        ),
    ],
    project: ProjectOption = Path(),
    *,
    with_data: Annotated[
        bool,
        typer.Option("--with-data", help="Put the rows of the snapshots into it, too, as parquet."),
    ] = False,
) -> None:
    """Put all that is known of a version, with fingerprints of it, into one archive.

    Record, metrics, parameters, snapshots, configuration, the rendered DAG, the git commit, the gate's
    decision, approval, history of promotions, packages, digests of the model's files, how to train it again,
    and a manifest with the SHA-256 of each file. Rows are left out unless they are asked for.
    """
    asked = asked_of(name)
    with registry_of(project) as tracking, lake_of(project, asked.team) as lake:
        from factory.provenance.evidence import write_evidence
        from factory.provenance.version import meant_version, version_origin
        from factory.team.environment import active_environment

        version = meant_version(asked.name, asked.number, None, tracking=tracking)
        origin = version_origin(version, lake=lake, tracking=tracking)
        names = write_evidence(
            version,
            origin,
            output,
            lake=lake,
            tracking=tracking,
            project=project.resolve(),
            environment=active_environment(),
            summary=_summary(origin),
            with_data=with_data,
        )
    console.print(
        f"[green]{output}:[/] {origin.model} version {origin.version}, {len(names)} files",
        highlight=False,
    )
    for each in names:
        console.print(f"  {each}", highlight=False)


def _summary(origin: "VersionOrigin") -> str:
    from factory.cli.why_text import version_text

    text = io.StringIO()
    plain = Console(file=text, width=_WIDTH, color_system=None)
    for part in version_text(origin):
        plain.print(part, highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
