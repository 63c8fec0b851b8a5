"""`factory restore`: an old version of a dataset becomes its newest snapshot, by hand."""

from pathlib import Path
from typing import Annotated

import typer

from factory.cli.airflow_access import AirflowOption
from factory.cli.asset_event import tell_readers
from factory.cli.console import console, failures_explained
from factory.cli.options import ProjectOption
from factory.cli.project import full_name, platform_of
from factory.cli.storage import check_storage
from factory.runtime.lake_access import reaching


def restore(
    name: Annotated[
        str,
        typer.Argument(help="A dataset.", metavar="TEAM.DATASET", callback=full_name("dataset")),
    ],
    to: Annotated[
        int | None,
        typer.Option(
            help="The version; the newest whole one before the newest if left out.",
            min=0,
            show_default="",
        ),
    ] = None,
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
) -> None:
    """Make an old version of a dataset its newest snapshot, such as after damage.

    It is a new version with the rows of the old one: no version goes away, and who reads one by its
    number goes on. The files of the old version are all looked at before. Its asset event starts what reads
    the dataset; without an Airflow to tell, the next publication does.
    """
    from factory.documents.installation import Installation
    from factory.lake.restoring import restore as step
    from factory.lake.table import Lake

    home = project.resolve()
    with failures_explained():
        check_storage(home)
        installation = Installation.of(platform_of(home).config, home)
        with reaching(installation.of_team(name.partition(".")[0]), home):
            restored = step(Lake(installation.storage), name, to)
    for why in restored.passed_over:
        console.print(f"[yellow]passed over:[/] {why}", soft_wrap=True, highlight=False)
    snapshot = restored.snapshot
    console.print(
        f"[green]{name}: version {snapshot.version} is the newest, with the {snapshot.rows:,} rows of "
        f"version {restored.of_version}.[/]"
    )
    event = {**snapshot.as_event(), "restored": restored.of_version}
    tell_readers(name, event, "the dataset", project, airflow_url)
