"""`factory schema`: the JSON schema of a team file."""

import json
from pathlib import Path

import typer

from factory.cli.options import ProjectOption
from factory.cli.project import platform_of


def schema(project: ProjectOption = Path()) -> None:
    """Print the JSON schema of this project's team files, the kinds of its plug-ins included.

    An editor completes and checks by it. With the YAML extension of VS Code, write it to
    `.factory/team.schema.json` and begin team files with
    `# yaml-language-server: $schema=../.factory/team.schema.json`.
    """
    from factory.team.schema import team_schema

    typer.echo(json.dumps(team_schema(platform_of(project)), indent=2))
