"""`factory contract`: what a dataset promises its readers, and what a change of it breaks."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.cli.main import Command
from factory.cli.options import ProjectOption
from factory.cli.project import full_name

if TYPE_CHECKING:
    from factory.catalog import Catalog
    from factory.changes.contract_changes import ContractChange
    from factory.data.column_types import Types

contract = typer.Typer(
    help="Write what a dataset promises its readers, or say what a change of it breaks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DatasetArgument = Annotated[
    str,
    typer.Argument(
        help="A dataset, of predictions too.", metavar="TEAM.DATASET", callback=full_name("dataset")
    ),
]
_EnvironmentOption = Annotated[
    str | None,
    typer.Option(help="Whose overlays apply; FACTORY_ENVIRONMENT if left out, else dev."),
]


class DiffOutput(StrEnum):
    """How changes of a contract are shown."""

    TEXT = "text"
    JSON = "json"


@contract.command(cls=Command)
def export(
    dataset: DatasetArgument,
    project: ProjectOption = Path(),
    environment: _EnvironmentOption = None,
) -> None:
    """Print the contract of a dataset in the Open Data Contract Standard, version 3.1.

    Where neither `columns` nor SQL tells the columns, those of the newest snapshot are written, if there is one.
    """
    import yaml

    from factory.catalog.contract import columns_of, contract_of
    from factory.catalog.open_data_contract import open_data_contract
    from factory.cli.console import failures_explained

    home = project.resolve()
    with failures_explained():
        catalog = _catalog(home, environment)
        _check_known(catalog, dataset)
        columns = columns_of(catalog, [dataset], home)[dataset]
        if columns is None or None in columns.values():
            columns = _of_snapshot(home, dataset) or columns
        if columns is None:
            _note(
                f"nothing tells the columns of {dataset} before its first snapshot: write `columns`"
            )
        document = open_data_contract(contract_of(catalog, dataset, columns))
    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100), nl=False)


@contract.command(cls=Command)
def diff(
    dataset: DatasetArgument,
    project: ProjectOption = Path(),
    against: Annotated[
        str,
        typer.Option(
            help="What readers have: a commit, branch or tag of git, or a folder with configs/.",
            metavar="REV|DIR",
        ),
    ] = "HEAD",
    output: Annotated[
        DiffOutput, typer.Option("--output", "-o", help="For people, or for programs.")
    ] = DiffOutput.TEXT,
    environment: _EnvironmentOption = None,
) -> None:
    """Say what a dataset promises otherwise, and which readers that breaks.

    A column that is gone, a type that is not wider, a check that lets more pass, and sharing that is withdrawn break
    the readers that use it.

    Exits with 1 if a reader breaks, and with 2 if there is nothing to compare with.
    """
    from factory.changes.contract_changes import contract_changes
    from factory.changes.revisions import NoRevisionError, project_at
    from factory.cli.console import failures_explained

    home = project.resolve()
    with failures_explained():
        try:
            with project_at(against, home) as old:
                before, now = (_catalog(folder, environment) for folder in (old, home))
                if dataset not in before.datasets:
                    _check_known(now, dataset)
                    typer.echo(f"{dataset} is new against {against}.")
                    return
                found = contract_changes(before, now, [dataset], home)
        except NoRevisionError as error:
            typer.echo(f"error: {against}: {error}", err=True)
            raise typer.Exit(2) from None
    if output is DiffOutput.JSON:
        told = [{**asdict(one), "is_breaking": one.is_breaking} for one in found]
        typer.echo(json.dumps({"against": against, "changes": told}, indent=2, ensure_ascii=False))
    else:
        _show(dataset, against, found)
    if any(one.is_breaking for one in found):
        raise typer.Exit(1)


def _show(dataset: str, against: str, found: "tuple[ContractChange, ...]") -> None:
    from rich.text import Text

    from factory.cli.console import console

    if not found:
        typer.echo(f"The contract of {dataset} is the same as in {against}.")
    for change in found:
        level = ("breaking: ", "bold red") if change.is_breaking else ("not breaking: ", "green")
        console.print(Text.assemble(level, change.text), soft_wrap=True)
        for reader in change.breaks:
            console.print(Text(f"    breaks {reader}"), soft_wrap=True)


def _catalog(folder: Path, environment: str | None) -> "Catalog":
    from factory.catalog import read_all
    from factory.team.environment import active_environment

    return read_all(folder / "configs", environment or active_environment()).catalog


def _check_known(catalog: "Catalog", dataset: str) -> None:
    """Check that there is a dataset of this name.

    Raises:
        typer.Exit: There is none.
    """
    from factory.base.texts import did_you_mean, one_of
    from factory.cli.console import failed

    if dataset not in catalog.datasets:
        known = f"there are {one_of(sorted(catalog.datasets), 10) or 'none'}"
        near = did_you_mean(dataset, catalog.datasets, known)
        raise failed(f"no team whose file can be read has a dataset `{dataset}`: {near}")


def _of_snapshot(home: Path, dataset: str) -> "Types | None":
    """The columns of the newest snapshot; None where there is none, or the lake cannot be reached."""
    from factory.base.errors import FactoryError
    from factory.cli.project import platform_of
    from factory.cli.storage import check_storage
    from factory.documents.installation import Installation
    from factory.lake.snapshot import NoSnapshotError
    from factory.lake.table import Lake
    from factory.runtime.lake_access import reaching

    check_storage(home)
    installation = Installation.of(platform_of(home).config, home)
    try:
        with reaching(installation, home):
            newest = Lake(installation.storage).newest(dataset)
    except NoSnapshotError:
        return None
    except FactoryError as error:
        _note(f"the lake cannot be read: {error}")
        return None
    _note(f"the columns are those of snapshot {newest.version}: no file tells them")
    return newest.columns


def _note(text: str) -> None:
    typer.echo(f"note: {text}", err=True)
