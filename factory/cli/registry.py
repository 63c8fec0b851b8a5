"""What the commands for models in the registry share: which model, and where MLflow answers."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.base.errors import FactoryError
from factory.base.section import NAME
from factory.cli.console import console, failures_explained
from factory.cli.selection import failed
from factory.runtime import foreground
from factory.runtime.signals import StopSignals

if TYPE_CHECKING:
    from factory.models.tracking import Tracking

_FULL_NAME = re.compile(rf"{NAME.pattern}\.{NAME.pattern}")


def _full_name(value: str) -> str:
    if not _FULL_NAME.fullmatch(value):
        raise typer.BadParameter(
            f"{value!r} does not name a model: write TEAM.MODEL, such as ecology.species"
        )
    return value


ModelArgument = Annotated[
    str, typer.Argument(help="A registered model.", metavar="TEAM.MODEL", callback=_full_name)
]


@contextmanager
def registry_of(project: Path) -> Iterator["Tracking"]:
    """The MLflow server of a project, while it is in use; what goes wrong is said in one line.

    It is the one in MLFLOW_TRACKING_URI; else that of the factory that is up in the project, or one
    that is started for as long as it takes.
    """
    with failures_explained(), StopSignals() as signals, _address(project, signals) as uri:
        # Late: importing it takes more than a second.
        from factory.models.tracking import Tracking

        try:
            yield Tracking(uri)
        except FactoryError as error:
            raise failed(str(error)) from error


@contextmanager
def _address(project: Path, signals: StopSignals) -> Iterator[str]:
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        yield uri
        return
    with (
        console.status("MLflow …") as status,
        foreground.tracking(project.resolve(), signals.pause) as variables,
    ):
        status.stop()
        yield variables["MLFLOW_TRACKING_URI"]
