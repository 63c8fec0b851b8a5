"""`factory inspect`: what is in a file, behind an address, or in a dataset, and the YAML that reads it."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.base.section import NAME
from factory.cli.options import ProjectOption

if TYPE_CHECKING:
    from factory.data.profile.inspection import Inspection
    from factory.lake.table import Lake


class InspectOutput(StrEnum):
    """How it is shown."""

    TEXT = "text"
    JSON = "json"


class InspectFormat(StrEnum):
    """How files are written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    EXCEL = "excel"
    FIXED_WIDTH = "fixed_width"


def _name(value: str | None) -> str | None:
    if value is not None and not NAME.fullmatch(value):
        raise typer.BadParameter(
            f"{value!r} is not a name: use lower-case letters, digits and underscores, starting with a letter"
        )
    return value


def inspect(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A file or glob (CSV, JSON, Parquet, Excel, fixed width), an address (https://…, s3://…, gs://…), or a dataset.",
            metavar="FILE|URL|TEAM.DATASET",
        ),
    ],
    project: ProjectOption = Path(),
    version: Annotated[
        int | None,
        typer.Option(
            help="Of a dataset: the snapshot; the newest if left out.", min=0, show_default=""
        ),
    ] = None,
    form: Annotated[
        InspectFormat | None,
        typer.Option(
            "--format", help="How files are written; by their names if left out.", show_default=""
        ),
    ] = None,
    team: Annotated[
        str | None,
        typer.Option(
            help="The team in the YAML; as the dataset if left out.",
            callback=_name,
            show_default="",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="The dataset in the YAML; as the file if left out.",
            callback=_name,
            show_default="",
        ),
    ] = None,
    output: Annotated[
        InspectOutput, typer.Option("--output", "-o", help="For people, or for programs.")
    ] = InspectOutput.TEXT,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with the same to this file.", dir_okay=False, show_default=""
        ),
    ] = None,
    *,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print only the YAML: `> configs/TEAM.yaml`.")
    ] = False,
) -> None:
    """Look at a file, an address or a dataset: how it is written, its columns, and the YAML that reads it.

    Nothing is published and nothing is written, but for the page of --html. Of large files the first part is
    looked at, and it is said so.

    Exits with 0, with 1 when it cannot be read, and with 2 when the command is wrong.
    """
    from factory.cli.console import failures_explained
    from factory.data.profile.targets import Asked, Project
    from factory.data.profile.targets import inspect as look

    with failures_explained():
        folder, data_folders, internal_hosts, lake = _project(project.resolve())
        asked = Asked(version, form.value if form else None, team, name)
        found = look(what, asked, Project(folder, data_folders, internal_hosts, lake))
    if html is not None:
        _write_page(found, html)
    _show(found, output, yaml=yaml, page=html)


def _project(
    home: Path,
) -> tuple[Path, tuple[str, ...], tuple[str, ...], "Callable[[], AbstractContextManager[Lake]]"]:
    """What must be known of the project, and how its lake is reached."""
    from factory.cli.project import platform_of
    from factory.cli.storage import check_storage
    from factory.documents.installation import Installation
    from factory.lake.table import Lake
    from factory.runtime.lake_access import reaching

    installation = Installation.of(platform_of(home).config, home)

    @contextmanager
    def lake() -> Iterator[Lake]:
        check_storage(home)
        with reaching(installation, home):
            yield Lake(installation.storage)

    return home, installation.data_folders, installation.internal_hosts, lake


def _show(found: "Inspection", output: InspectOutput, *, yaml: bool, page: Path | None) -> None:
    if yaml:
        typer.echo(found.yaml, nl=False)
    elif output is InspectOutput.JSON:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=True))
    else:
        from factory.cli.console import console
        from factory.cli.inspect_text import lines

        for line in lines(found, console.width):
            console.print(line, highlight=False)
        if page is not None:
            console.print(
                f"\nThe same as a page: {page}", highlight=False, markup=False, soft_wrap=True
            )


def _write_page(found: "Inspection", file: Path) -> None:
    from factory.base.files import whole_file
    from factory.cli.console import failed
    from factory.cli.inspect_page import page

    try:
        with whole_file(file) as unfinished:
            unfinished.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise failed(f"{file} cannot be written: {error.strerror}") from error
