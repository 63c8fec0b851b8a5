"""`factory why`: where a version or a snapshot comes from."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from factory.cli.console import console, failures_explained
from factory.cli.options import ProjectOption
from factory.cli.project import Asked, asked_of, lake_of, registry_of
from factory.runtime.lock import addresses_of


def why(
    name: Annotated[
        str,
        typer.Argument(
            help="A model or a dataset, and which version of it; the champion, or the newest, if left out.",
            metavar="TEAM.NAME[@VERSION]",
        ),
    ],
    project: ProjectOption = Path(),
    at: Annotated[
        str | None,
        typer.Option(
            help="The version that was in production, or the snapshot that was the newest, then: 2026-11-20, or "
            "2026-11-20T15:30 (UTC).",
            metavar="DATE",
            show_default="",
        ),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="All that is known, for other programs.")
    ] = False,
) -> None:
    """Say where a version of a model, or a snapshot of a dataset, comes from, and why it is there.

    Of a version: the events that started its training, its data, configuration and trial, the gate's
    decision, who approved, and when it was in production. Of a snapshot: its run, its source, and what
    checks found.
    """
    asked = asked_of(name)
    if is_dataset(asked.name, project):
        _snapshot(asked, at, project, as_json=as_json)
    else:
        _version(asked, at, project, as_json=as_json)


def _snapshot(asked: Asked, at: str | None, project: Path, *, as_json: bool) -> None:
    from factory.cli.why_text import snapshot_text

    with failures_explained(), lake_of(project, asked.team) as lake:
        from factory.base.dates import parse_time
        from factory.provenance.snapshot import newest_at, snapshot_origin

        number = asked.number
        if at is not None:
            number = newest_at(asked.name, parse_time(at)[1], lake=lake)
        origin = snapshot_origin(asked.name, number, lake=lake)
    if as_json:
        # Not through Rich, which would break lines.
        typer.echo(json.dumps(origin.as_json(), indent=2))
        return
    for part in snapshot_text(origin):
        console.print(part, highlight=False)


def _version(asked: Asked, at: str | None, project: Path, *, as_json: bool) -> None:
    from factory.cli.why_text import version_text

    with registry_of(project) as tracking, lake_of(project, asked.team) as lake:
        from factory.provenance.version import meant_version, version_origin

        version = meant_version(asked.name, asked.number, at, tracking=tracking)
        origin = version_origin(version, lake=lake, tracking=tracking)
    if as_json:
        typer.echo(json.dumps(origin.as_json(), indent=2))
        return
    for part in version_text(origin):
        console.print(part, highlight=False)
    if _mlflow_stays(project):
        console.print()
        for what, page in origin.pages.items():
            console.print(f"{what}: {page}", soft_wrap=True, highlight=False)


def _mlflow_stays(project: Path) -> bool:
    """Whether MLflow's pages can be opened once the command has ended."""
    return "MLFLOW_TRACKING_URI" in os.environ or addresses_of(project) is not None


def is_dataset(name: str, project: Path) -> bool:
    """Whether a team publishes a dataset of this name; what no team has is taken for a model of former times."""
    from factory.catalog import read_all
    from factory.catalog.published import published
    from factory.team.environment import active_environment

    team, _, own = name.partition(".")
    read = read_all(project.resolve() / "configs", active_environment())
    file = read.catalog.teams.get(team)
    return file is not None and own in {one.name for one in published(file)}
