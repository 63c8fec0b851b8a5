"""`factory clean`: what killed runs have left over is taken away, by hand."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.base.files import megabytes
from factory.cli.airflow_access import PASSWORD, USER, airflow_client
from factory.cli.console import console, failed, plain_table
from factory.cli.options import ProjectOption
from factory.cli.project import platform_of, registry_of
from factory.cli.storage import check_storage
from factory.runtime.home import Home
from factory.runtime.lake_access import reaching
from factory.runtime.recorded_runs import RecordedRuns

if TYPE_CHECKING:
    from factory.cleaning.leftover import Cleaned, IsLive
    from factory.documents.installation import Installation
    from factory.models.tracking import Tracking
    from factory.team.maintenance import Maintenance

_SHOWN = 20
"""So many leftovers of a kind are named; of the others there is the number."""


def clean(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be taken away.")
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            help="What has changed within this time stays, such as 2h; `grace` of `maintenance` in "
            "_defaults.yaml if left out, else a day.",
            show_default="",
        ),
    ] = None,
    keep_logs: Annotated[
        str | None,
        typer.Option(
            help="How long logs of tasks are kept; `keep_logs` of `maintenance` if left out, else 30 days.",
            show_default="",
        ),
    ] = None,
    project: ProjectOption = Path(),
    airflow_url: Annotated[
        str | None,
        typer.Option(
            help="The Airflow that knows which runs are at work; the project's own databases if left out. "
            f"The variables {USER} and {PASSWORD} say who asks.",
            envvar="FACTORY_AIRFLOW_URL",
        ),
    ] = None,
) -> None:
    """Take away what killed runs have left over; what belongs to a run at work stays.

    That is workspaces and temporary folders, files of the lake that no snapshot names, MLflow runs that
    are open for ever, and old logs.
    """
    home = project.resolve()
    with registry_of(home) as tracking, _live_runs(home, airflow_url) as is_live:
        from factory.documents.installation import Installation

        check_storage(home)
        platform = platform_of(home).config
        installation = Installation.of(platform, home)
        section = _section(platform.maintenance, older_than, keep_logs)
        with reaching(installation, home):
            found = list(_all(home, installation, section, tracking, is_live, dry_run=dry_run))
    _show(found, dry_run=dry_run)


def _section(
    written: "Maintenance | None", older_than: str | None, keep_logs: str | None
) -> "Maintenance":
    from pydantic import ValidationError

    from factory.team.maintenance import Maintenance

    own = {} if written is None else written.model_dump()
    given = {"grace": older_than, "keep_logs": keep_logs}
    try:
        return Maintenance.model_validate(
            {**own, **{name: value for name, value in given.items() if value is not None}}
        )
    except ValidationError as error:
        raise failed(error.errors()[0]["msg"]) from None


def _all(
    project: Path,
    installation: "Installation",
    section: "Maintenance",
    tracking: "Tracking",
    is_live: "IsLive",
    *,
    dry_run: bool,
) -> "Iterator[Cleaned]":
    from factory.cleaning.abandoned_runs import abandoned_runs
    from factory.cleaning.leftover import clean as take_away
    from factory.cleaning.old_logs import old_logs
    from factory.cleaning.old_workspaces import temporary_folders, workspaces
    from factory.cleaning.unnamed_files import unnamed_files
    from factory.lake.table import Lake

    now, grace, own = time.time(), section.grace, Home.of(project)
    folders = Path(installation.workspace).glob("*/*")
    kinds = {
        "workspaces": workspaces(folders, is_live, now=now, grace=grace),
        "temporary folders": temporary_folders(now=now, grace=grace),
        "files of the lake": unnamed_files(Lake(installation.storage), now=now, grace=grace),
        "MLflow runs": abandoned_runs(tracking, is_live, now=now, grace=grace),
        "logs of tasks": (
            log
            for home in (own, own.foreground)
            for log in old_logs(home.airflow / "logs", now=now, keep=section.keep_logs)
        ),
    }
    for kind, found in kinds.items():
        yield take_away(kind, found, dry_run=dry_run)


@contextmanager
def _live_runs(project: Path, airflow_url: str | None) -> "Iterator[IsLive]":
    if airflow_url is None:
        yield RecordedRuns(Home.of(project)).is_live
        return
    from factory.runtime.airflow_api import AirflowRefusedError

    with airflow_client(airflow_url.rstrip("/")) as airflow:

        def is_live(dag_id: str, run_id: str, airflow_home: str | None) -> bool:
            del airflow_home  # whoever names an Airflow says that the runs are its own
            try:
                return not airflow.run(dag_id, run_id).ended
            except AirflowRefusedError as error:
                if error.status != 404:
                    raise
                return False

        yield is_live


def _show(found: "list[Cleaned]", *, dry_run: bool) -> None:
    for cleaned in found:
        for leftover in cleaned.removed[:_SHOWN]:
            console.print(f"  {leftover.what}", soft_wrap=True, highlight=False, markup=False)
        if len(cleaned.removed) > _SHOWN:
            console.print(f"  and {len(cleaned.removed) - _SHOWN:,} more {cleaned.kind}")
        for what in cleaned.stays:
            line = f"  left alone: {what}"
            console.print(line, style="yellow", soft_wrap=True, highlight=False, markup=False)
    table = plain_table("kind", "would be removed" if dry_run else "removed", "size")
    for cleaned in found:
        table.add_row(cleaned.kind, f"{len(cleaned.removed):,}", megabytes(cleaned.bytes))
    console.print(table)
