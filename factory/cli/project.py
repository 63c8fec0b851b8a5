"""What commands find in a project: its platform, teams, DAGs and models, and where its MLflow answers."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from factory.base.errors import FactoryError
from factory.base.section import NAME
from factory.base.texts import did_you_mean
from factory.cli.console import console, errors, failed, failures_explained
from factory.models.entity_names import MODEL_OF_ENTITY
from factory.runtime import foreground
from factory.runtime.home import Home
from factory.runtime.signals import StopSignals

if TYPE_CHECKING:
    from factory.catalog import Project
    from factory.lake.table import Lake
    from factory.models.tracking import Tracking
    from factory.team.reader import PlatformFile, TeamFile


def platform_of(project: Path) -> "PlatformFile":
    """The platform's `_defaults.yaml` in force; what cannot be loaded of its plug-ins is shown.

    Raises:
        typer.Exit: It has problems that leave nothing to go by; they are shown.
    """
    from factory.team.environment import active_environment
    from factory.team.problems import ReadFailed
    from factory.team.reader import read_platform

    try:
        platform = read_platform(project.resolve() / "configs", active_environment())
    except ReadFailed as failure:
        for problem in failure.problems:
            errors.print(str(problem), soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit(1) from None
    for problem in platform.problems:
        errors.print(str(problem), soft_wrap=True, highlight=False, markup=False)
    return platform


def healthy_team(project: "Project", configs: Path, name: str) -> "TeamFile":
    """The team of this name.

    Raises:
        typer.Exit: It has problems, which are shown, or there is no such team.
    """
    if name in project.teams:
        return project.teams[name]
    found = [problem for problem in project.problems if problem.file.stem == name]
    if not found:
        names = sorted({problem.file.stem for problem in project.problems} | set(project.teams))
        near = did_you_mean(name, names, otherwise=f"there are {', '.join(names)}")
        raise failed(f"{configs} has no team {name!r}: {near}")
    for problem in found:
        errors.print(str(problem), soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1)


def dag_of(file: "TeamFile", name: str) -> str:
    """The id of the DAG that is meant: a DAG's id, or the name of a dataset or a model.

    A model's name means its training; that of the dataset with its predictions, its prediction.

    Raises:
        typer.Exit: The team has nothing of this name.
    """
    from factory.documents.compile import dag_ids, producer_id
    from factory.documents.training import training_id

    ids = dag_ids(file.team)
    meant = {f"{file.name}.{model}": training_id(file.name, model) for model in file.team.models}
    for model, section in file.team.models.items():
        if section.predict is not None:
            output = section.predict.output_of(model)
            meant[f"{file.name}.{output}"] = producer_id(file.team, output)
    if name in ids:
        return name
    if name in meant:
        return meant[name]
    known = [*ids, *meant]
    near = did_you_mean(name, known, otherwise=f"team {file.name} has {', '.join(ids)}")
    raise failed(f"there is no {name!r}: {near}")


FULL_NAME = re.compile(rf"{NAME.pattern}\.{NAME.pattern}")
"""What names a model or a dataset: `team.model`."""


_EXAMPLES = {"model": "ecology.species", "dataset": "marine.penguins"}


def full_name(what: Literal["model", "dataset"]) -> Callable[[str], str]:
    """The check of an argument that names a model or a dataset."""

    def check(value: str) -> str:
        if not FULL_NAME.fullmatch(value):
            raise typer.BadParameter(
                f"{value!r} does not name a {what}: write TEAM.{what.upper()}, such as {_EXAMPLES[what]}"
            )
        return value

    return check


class Asked(NamedTuple):
    """What `TEAM.NAME@NUMBER` asks about."""

    name: str
    """The full name of a model or a dataset."""
    number: int | None
    """Which version or snapshot."""

    @property
    def team(self) -> str:
        """Whose it is."""
        return self.name.partition(".")[0]


def asked_of(written: str) -> Asked:
    """A model or a dataset, and which version of it, as a person writes it.

    Raises:
        typer.Exit: It is neither.
    """
    name, at, number = written.partition("@")
    if not is_registered_name(name) or (at and not number.isdecimal()):
        raise failed(
            f"{written!r} names neither a model nor a dataset: write TEAM.NAME, or TEAM.NAME@VERSION such "
            f"as {_EXAMPLES['model']}@2"
        )
    return Asked(name, int(number) if at else None)


def is_registered_name(value: str) -> bool:
    """Whether it is `team.name`, or that of the model of an entity."""
    model, _, entity = value.rpartition(".")
    of_entity = FULL_NAME.fullmatch(model) and MODEL_OF_ENTITY.fullmatch(entity)
    return bool(FULL_NAME.fullmatch(value) or of_entity)


def registered_name(value: str) -> str:
    """The check of an argument that names a dataset, a model, or the model of an entity."""
    if is_registered_name(value):
        return value
    raise typer.BadParameter(
        f"{value!r} names neither a model nor a dataset: write TEAM.NAME, such as {_EXAMPLES['model']}, or "
        "TEAM.MODEL.ENTITY for the model of an entity"
    )


def _registered_model(value: str) -> str:
    if is_registered_name(value):
        return value
    raise typer.BadParameter(
        f"{value!r} does not name a registered model: write TEAM.MODEL, such as {_EXAMPLES['model']}, or "
        "TEAM.MODEL.ENTITY for the model of an entity"
    )


ModelArgument = Annotated[
    str,
    typer.Argument(
        help="A registered model; that of an entity is TEAM.MODEL.ENTITY.",
        metavar="TEAM.MODEL",
        callback=_registered_model,
    ),
]


def model_of(registered: str) -> str:
    """The model, `team.model`, that a registered model belongs to, which may be that of an entity."""
    return ".".join(registered.split(".")[:2])


@contextmanager
def lake_of(project: Path, team: str) -> Iterator["Lake"]:
    """The lake of a project, reached as a team's tasks reach it, while it is in use.

    Raises:
        EmbeddedRuntimeError: What its storage needs is not installed.
    """
    from factory.cli.storage import check_storage
    from factory.documents.installation import Installation
    from factory.runtime.lake_access import reaching

    home = project.resolve()
    check_storage(home)
    installation = Installation.of(platform_of(home).config, home)
    with reaching(installation.of_team(team), home):
        from factory.lake.table import Lake

        yield Lake(installation.storage)


@contextmanager
def registry_of(project: Path) -> Iterator["Tracking"]:
    """The MLflow server of a project, while it is in use; what goes wrong is said in one line.

    It is the one in MLFLOW_TRACKING_URI; else that of the factory that is up in the project, or one
    that is started for as long as it takes.
    """
    # A bar for each file would stand between the lines of commands that read several.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
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
        foreground.tracking(
            project.resolve(), Home.of(project), signals.pause, brief=True
        ) as variables,
    ):
        status.stop()
        yield variables["MLFLOW_TRACKING_URI"]
