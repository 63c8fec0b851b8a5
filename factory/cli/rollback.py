"""`factory rollback`: another version into production, by hand."""

import getpass
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from factory.cli.console import ProjectOption, console, errors
from factory.cli.project import ModelArgument, registry_of
from factory.runtime.errors import EmbeddedRuntimeError
from factory.runtime.lock import addresses_of

if TYPE_CHECKING:
    from factory.models.registry import Switch

_USER, _PASSWORD = "FACTORY_AIRFLOW_USER", "FACTORY_AIRFLOW_PASSWORD"


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
    airflow_url: Annotated[
        str | None,
        typer.Option(
            help="The Airflow to tell; the one that runs in the project if left out. The variables "
            f"{_USER} and {_PASSWORD} say who tells it.",
            envvar="FACTORY_AIRFLOW_URL",
        ),
    ] = None,
) -> None:
    """Put the previous champion, or a version by number, back into production.

    Champion and previous are swapped, the versions are tagged with who, when and why, and the model's
    asset event starts what follows the model, such as predictions.
    """
    with registry_of(project) as tracking:
        from factory.models import registry

        switch = registry.rollback(name, to, by=by or getpass.getuser(), why=why, tracking=tracking)
    console.print(f"[green]{_said(name, switch)}[/]")
    event = switch.now.as_event("rollback")
    running = addresses_of(project)
    address = airflow_url or (running.airflow if running else None)
    if address is None:
        _say_how(name, event, "no Airflow runs in this project, and none is named by --airflow-url")
        return
    try:
        _emit(address, name, event)
    except EmbeddedRuntimeError as failure:
        _say_how(name, event, str(failure))
        raise typer.Exit(1) from failure
    console.print(f"Its asset event was emitted in {address}", highlight=False)


def _said(name: str, switch: "Switch") -> str:
    before = "no version was" if switch.before is None else f"version {switch.before} was"
    return f"{name}: version {switch.now.number} is in production; {before} until now."


def _emit(address: str, name: str, event: dict[str, Any]) -> None:
    from factory.runtime.airflow_api import AirflowClient

    user, password = os.environ.get(_USER), os.environ.get(_PASSWORD)
    with AirflowClient(address.rstrip("/"), username=user, password=password) as airflow:
        airflow.emit(name, event)


def _say_how(name: str, event: dict[str, Any], reason: str) -> None:
    errors.print(
        f"[bold yellow]No asset event was emitted[/]: {escape(reason)}. What follows the model has not "
        f"been started. To do so, open Airflow, Assets, [bold]{name}[/], Create Asset Event, "
        "Manual, with this extra:",
        soft_wrap=True,
        highlight=False,
    )
    # Not through Rich, which would break the line: it is there to be copied.
    typer.echo(json.dumps(event), err=True)
