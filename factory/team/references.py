"""What a team's file refers to, and where it does: datasets, in schedules its own models, in `dags` those of all teams too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from factory.base.findings import KeyPath
from factory.base.section import qualify
from factory.data.checks.check import Check
from factory.data.dataset import Dataset
from factory.monitoring.sections import Monitor
from factory.team.after_tasks import as_dag, in_section
from factory.team.own_assets import asset_names, meant_name
from factory.team.schedule import Inputs, Schedule
from factory.team.team import TeamConfig
from factory.training.model import Model

Section = Literal["datasets", "models", "dags"]


@dataclass(frozen=True)
class Reference:
    """A dataset or model of one team that refers to a dataset."""

    team: str
    section: Section
    name: str
    """The dataset, the model, or the DAG in dag-factory's format that refers."""
    dataset: str
    """The full name, `team.dataset`, of what is referred to; it may be a model's unless `role` is `reads`."""
    path: KeyPath
    """Where it is written in the team's file."""
    role: Literal["reads", "starts", "names"] = "reads"
    """Whether it is read, or stands in a schedule, where the team's own models may stand too, or is named by a DAG in
    dag-factory's format, which may name the models of all teams."""
    output: str | None = None
    """The dataset that comes of it, where a model's predictions refer."""
    watches: bool = False
    """Whether it is a model's monitor, which may read what comes of the model: it closes no ring."""

    @property
    def full_name(self) -> str:
        """The one that refers, as `team.name`: a dataset (also one of predictions) or a model."""
        return f"{self.team}.{self.output or self.name}"


def references(team: TeamConfig) -> Iterator[Reference]:
    """Every reference of a team's file, in its order."""
    for name, dataset in team.datasets.items():
        yield from _of_dataset(team.team, name, dataset)
    for name, model in team.models.items():
        yield from _of_model(team.team, name, model)


def references_of_dags(team: TeamConfig) -> Iterator[Reference]:
    """What the DAGs in dag-factory's format name; they make nothing of it that others could read."""
    for name, dag in team.dags.items():
        for path, written in asset_names(dag):
            meant = meant_name(written, team.team, team.own_names)
            if meant is not None:
                yield Reference(team.team, "dags", name, meant, ("dags", name, *path), "names")
    yield from _of_after(team)


def own_tasks(team: TeamConfig) -> Iterator[tuple[tuple[Section, str], Mapping[str, Any]]]:
    """The tasks of `after`, each section's with the way to its dataset or model."""
    for name, dataset in team.datasets.items():
        if dataset.after:
            yield ("datasets", name), dataset.after
    for name, model in team.models.items():
        if model.after:
            yield ("models", name), model.after


def _of_after(team: TeamConfig) -> Iterator[Reference]:
    for (section, name), tasks in own_tasks(team):
        for path, written in asset_names(as_dag(tasks)):
            meant = meant_name(written, team.team, team.own_names)
            if meant is not None:
                at = in_section((section, name), path)
                yield Reference(team.team, section, name, meant, at, "names")


def _of_dataset(team: str, name: str, dataset: Dataset) -> Iterator[Reference]:
    path: KeyPath = ("datasets", name)
    for key, read in dataset.source.references().items():
        yield Reference(team, "datasets", name, qualify(read, team), (*path, "source", key))
    for index, read in enumerate(dataset.reads):
        yield Reference(team, "datasets", name, qualify(read, team), (*path, "reads", index))
    for at, read in _of_checks(dataset.checks):
        yield Reference(team, "datasets", name, qualify(read, team), (*path, *at))
    for place, full_name in _listed(dataset.schedule, team):
        at = (*path, "schedule", *place)
        yield Reference(team, "datasets", name, full_name, at, "starts")


def _of_model(team: str, name: str, model: Model) -> Iterator[Reference]:
    path: KeyPath = ("models", name)
    for place, full_name in _listed(model.train_on, team):
        yield Reference(team, "models", name, full_name, (*path, "train_on", *place))
    for place, full_name in _listed(model.schedule, team):
        at = (*path, "schedule", *place)
        yield Reference(team, "models", name, full_name, at, "starts")
    if model.monitor is not None:
        yield from _of_monitor(team, name, model.monitor)
    if model.predict is None:
        return
    output = model.predict.output_of(name)
    path = (*path, "predict")
    full_name = qualify(model.predict.input, team)
    yield Reference(team, "models", name, full_name, (*path, "input"), output=output)
    for index, read in enumerate(model.predict.reads or ()):
        at = (*path, "reads", index)
        yield Reference(team, "models", name, qualify(read, team), at, output=output)
    for at, read in _of_checks(model.predict.checks):
        full_name = qualify(read, team)
        yield Reference(team, "models", name, full_name, (*path, *at), output=output)
    for place, full_name in _listed(model.predict.schedule, team):
        at = (*path, "schedule", *place)
        yield Reference(team, "models", name, full_name, at, "starts", output)


def _of_monitor(team: str, name: str, monitor: Monitor) -> Iterator[Reference]:
    path: KeyPath = ("models", name, "monitor")
    read: list[tuple[KeyPath, str]] = []
    if monitor.input is not None:
        read.append((("input",), monitor.input))
    if monitor.truth is not None:
        read.append((("truth", "dataset"), monitor.truth.dataset))
    for place, dataset in read:
        full_name = qualify(dataset, team)
        yield Reference(team, "models", name, full_name, (*path, *place), watches=True)
    for place, full_name in _listed(monitor.schedule, team):
        at = (*path, "schedule", *place)
        yield Reference(team, "models", name, full_name, at, "starts", watches=True)


def _of_checks(checks: Sequence[Check]) -> Iterator[tuple[KeyPath, str]]:
    for index, check in enumerate(checks):
        for key, read in check.references().items():
            yield ("checks", index, key), read


def _listed(listing: Inputs | Schedule | None, team: str) -> Iterator[tuple[KeyPath, str]]:
    if listing is None:
        return
    for key, datasets in (("all", listing.all), ("any", listing.any)):
        for index, dataset in enumerate(datasets):
            yield (key, index), qualify(dataset, team)
