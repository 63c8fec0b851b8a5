"""`factory kinds`: what a team file may name, where it comes from and what it takes."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.text import Text

from factory.cli.console import console, failed, plain_table
from factory.cli.options import ProjectOption
from factory.cli.project import platform_of
from factory.kinds import FAMILIES, Family, Kind
from factory.kinds import kinds as registered


def kinds(
    family: Annotated[
        str | None,
        typer.Argument(
            help=f"One family: {', '.join(FAMILIES)}; all when left out.", metavar="[FAMILY]"
        ),
    ] = None,
    project: ProjectOption = Path(),
) -> None:
    """List the kinds that team files may name: where each comes from and what it takes.

    Kinds of plug-ins are there if `plugins` in configs/_defaults.yaml allows their package.
    """
    plugins = platform_of(project).config.plugins
    for chosen in _chosen(family):
        table = plain_table(chosen.name, "from", "what it is", "takes")
        for kind in registered(chosen, plugins):
            table.add_row(
                Text(kind.name, "bold"), kind.package, Text(kind.summary), Text(_takes(kind))
            )
        console.print(table)
        console.print()


def _chosen(name: str | None) -> tuple[Family, ...]:
    if name is None:
        return tuple(FAMILIES.values())
    from factory.base.texts import did_you_mean

    singular = name.removesuffix("s").replace("_", " ").replace("-", " ")
    for word in (name, singular):
        if word in FAMILIES:
            return (FAMILIES[word],)
    known = f"there are {', '.join(FAMILIES)}"
    raise failed(f"there is no family of kinds {name!r}: {did_you_mean(singular, FAMILIES, known)}")


def _takes(kind: Kind) -> str:
    """The keys that a section of this kind may have; those with a default in brackets."""
    target = kind.target
    if not (isinstance(target, type) and issubclass(target, BaseModel)):
        return getattr(target, "takes", "")
    keys = [
        name if field.is_required() else f"[{name}]"
        for name, field in target.model_fields.items()
        if name != kind.family.key
    ]
    return ", ".join(keys)
