"""`factory schema`: the JSON schemas of team files and of `_defaults.yaml`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from factory.cli.options import ProjectOption
from factory.cli.project import platform_of


def schema(
    project: ProjectOption = Path(),
    *,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Print the schema of _defaults.yaml instead.")
    ] = False,
) -> None:
    """Print the JSON schema of this project's team files, the kinds of its plug-ins included.

    An editor completes and checks by it. With the YAML extension of VS Code, write it to
    `.factory/team.schema.json` and begin team files with
    `# yaml-language-server: $schema=../.factory/team.schema.json`; with `--defaults`, likewise
    to `.factory/defaults.schema.json` for `_defaults.yaml`.
    """
    from factory.team.schema import defaults_schema, team_schema

    made = (defaults_schema if defaults else team_schema)(platform_of(project))
    typer.echo(json.dumps(made, indent=2))
