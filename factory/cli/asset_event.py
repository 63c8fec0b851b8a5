"""Telling Airflow of what a command has changed, so that the readers of it run."""

import json
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from factory.cli.airflow_access import NO_AIRFLOW, airflow_address, airflow_client
from factory.cli.console import console, errors
from factory.runtime.errors import EmbeddedRuntimeError


def tell_readers(
    name: str, event: dict[str, Any], what: str, project: Path, airflow_url: str | None
) -> None:
    """Emit an asset's event, or say how to do it where no Airflow answers.

    Args:
        name: The asset's name.
        event: Its extra.
        what: What the asset is, for people: `the model`, `the dataset`.
        project: The project's folder.
        airflow_url: The Airflow to tell; the one that runs in the project if None.

    Raises:
        typer.Exit: The Airflow that there is did not take it.
    """
    address = airflow_address(project, airflow_url)
    if address is None:
        _say_how(name, event, what, NO_AIRFLOW)
        return
    from factory.runtime.airflow_api import NoAnswerFromAirflowError

    try:
        with airflow_client(address) as airflow:
            airflow.emit(name, event)
    except EmbeddedRuntimeError as failure:
        # A second event would start everything twice.
        is_heard = isinstance(failure, NoAnswerFromAirflowError) and failure.is_heard
        _say_how(name, event, what, str(failure), is_known=not is_heard)
        raise typer.Exit(1) from failure
    console.print(f"Its asset event was emitted in {address}", highlight=False)


def _say_how(
    name: str, event: dict[str, Any], what: str, reason: str, *, is_known: bool = True
) -> None:
    if is_known:
        news = f"[bold yellow]No asset event was emitted[/]: {escape(reason)}. What follows {what} has not been started."
        advice = "To do so, open"
    else:
        news = f"[bold yellow]It is not known whether its asset event was emitted[/]: {escape(reason)}."
        advice = f"See in Airflow whether what follows {what} has been started; if not, open"
    errors.print(
        f"{news} {advice} Airflow, Assets, [bold]{name}[/], Create Asset Event, Manual, with this extra:",
        soft_wrap=True,
        highlight=False,
    )
    # Not through Rich, which would break the line: it is there to be copied.
    typer.echo(json.dumps(event), err=True)
