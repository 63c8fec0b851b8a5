"""`factory doctor`: whether an installation has what it needs to work."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.cli.airflow_access import AirflowOption, airflow_address, airflow_client
from factory.cli.console import console, failures_explained, plain_table
from factory.cli.options import ProjectOption

if TYPE_CHECKING:
    from factory.diagnosis.finding import Diagnosis

_COLOURS = {"ok": "green", "warning": "yellow", "wrong": "bold red"}


def doctor(
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all as JSON.")] = False,
) -> None:
    """Look at versions, telemetry, MLflow, storage, disk, Airflow, connections, pools and the time of a parse.

    Call it in the environment of Airflow's tasks: what they would not find, it does not find. Nothing
    stays: it writes one small object to storage and takes it away again.

    Exits with 1 if something is wrong; a warning is no failure.
    """
    with failures_explained():
        found = _examine(project.resolve(), airflow_url)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        _show(found)
    if any(one.level == "wrong" for one in found):
        raise typer.Exit(1)


def _examine(home: Path, airflow_url: str | None) -> "list[Diagnosis]":
    from factory.catalog import read_all
    from factory.cli.main import without_pydantic_plugins
    from factory.cli.project import platform_of
    from factory.cli.storage import check_storage
    from factory.diagnosis.examination import examine
    from factory.diagnosis.finding import Examined
    from factory.documents.installation import Installation
    from factory.runtime.lake_access import reaching
    from factory.runtime.lock import addresses_of
    from factory.team.environment import active_environment

    check_storage(home)
    with without_pydantic_plugins():
        installation = Installation.of(platform_of(home).config, home)
        read = read_all(home / "configs", active_environment())
    running = addresses_of(home)
    address = airflow_address(home, airflow_url)
    airflow = None if address is None else airflow_client(address)
    try:
        return list(
            examine(
                Examined(
                    project=home,
                    read=read,
                    installation=installation,
                    reached=lambda: reaching(installation, home),
                    airflow=airflow,
                    mlflow=os.environ.get("MLFLOW_TRACKING_URI")
                    or (running.mlflow if running else None),
                    is_embedded=running is not None and running.airflow == address,
                )
            )
        )
    finally:
        if airflow is not None:
            airflow.close()


def _show(found: "list[Diagnosis]") -> None:
    from rich.text import Text

    table = plain_table("", "what", "found, and what to do")
    for one in found:
        text = Text(one.found)
        if one.advice:
            text.append(f"\n{one.advice}", style="dim")
        table.add_row(Text(one.level, style=_COLOURS[one.level]), one.subject, text)
    console.print(table)
    wrong, warned = (sum(one.level == level for one in found) for level in ("wrong", "warning"))
    warnings = f"{warned} warning{'' if warned == 1 else 's'}"
    console.print(f"\n{wrong} wrong, {warnings}, {len(found) - wrong - warned} ok", highlight=False)
