"""`factory rollback`: another version into production, by hand."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.cli.airflow_access import AirflowOption
from factory.cli.asset_event import tell_readers
from factory.cli.console import console
from factory.cli.options import ProjectOption
from factory.cli.project import ModelArgument, model_of, registry_of

if TYPE_CHECKING:
    from factory.models.switching import Switch


def rollback(
    name: ModelArgument,
    to: Annotated[
        int | None,
        typer.Option(
            help="The version; the previous champion if left out.", min=1, show_default=""
        ),
    ] = None,
    why: Annotated[
        str, typer.Option(help="Why, in a sentence; kept with the version.")
    ] = "rolled back by hand",
    by: Annotated[
        str | None, typer.Option(help="Who; the user of this computer if left out.")
    ] = None,
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
) -> None:
    """Put the previous champion, or a version by number, back into production.

    Champion and previous are swapped, the versions are tagged with who, when and why, and the model's
    asset event starts what follows the model, such as predictions.
    """
    # What happens while MLflow is imported or started is not known to the person who asks.
    asked_at = datetime.now(UTC)
    with registry_of(project) as tracking:
        from factory.models import switching

        switch = switching.rollback(
            name,
            to,
            by=by or getpass.getuser(),
            why=why,
            asked_at=asked_at,
            tracking=tracking,
        )
    console.print(f"[green]{_said(name, switch)}[/]")
    # Readers follow the model, not one of its entities.
    event = switch.now.as_event("rollback")
    tell_readers(model_of(name), event, "the model", project, airflow_url)


def _said(name: str, switch: "Switch") -> str:
    before = "no version was" if switch.before is None else f"version {switch.before} was"
    return f"{name}: version {switch.now.number} is in production; {before} until now."
