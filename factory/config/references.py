"""The datasets that a team's file refers to, and where it does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from factory.config.base import qualify
from factory.config.schedule import Inputs, Schedule
from factory.config.sources import DatasetSource
from factory.config.team import TeamConfig
from factory.config.yaml_tree import KeyPath


@dataclass(frozen=True)
class Reference:
    """A dataset or model of one team that refers to a dataset."""

    team: str
    section: Literal["datasets", "models"]
    name: str
    """The dataset or model that refers."""
    dataset: str
    """The full name, `team.dataset`, of what is referred to."""
    path: KeyPath
    """Where it is written in the team's file."""

    @property
    def full_name(self) -> str:
        """The one that refers, as `team.name`."""
        return f"{self.team}.{self.name}"


def references(team: TeamConfig) -> Iterator[Reference]:
    """Every reference of a team's file, in its order."""
    for name, dataset in team.datasets.items():
        path: KeyPath = ("datasets", name)
        if isinstance(dataset.source, DatasetSource):
            full_name = qualify(dataset.source.dataset, team.team)
            yield Reference(team.team, "datasets", name, full_name, (*path, "source", "dataset"))
        for index, read in enumerate(dataset.reads):
            full_name = qualify(read, team.team)
            yield Reference(team.team, "datasets", name, full_name, (*path, "reads", index))
        for place, full_name in _listed(dataset.schedule, team.team):
            yield Reference(team.team, "datasets", name, full_name, (*path, "schedule", *place))
    for name, model in team.models.items():
        for place, full_name in _listed(model.train_on, team.team):
            path = ("models", name, "train_on", *place)
            yield Reference(team.team, "models", name, full_name, path)
        for place, full_name in _listed(model.schedule, team.team):
            path = ("models", name, "schedule", *place)
            yield Reference(team.team, "models", name, full_name, path)


def _listed(listing: Inputs | Schedule | None, team: str) -> Iterator[tuple[KeyPath, str]]:
    if listing is None:
        return
    for key, datasets in (("all", listing.all), ("any", listing.any)):
        for index, dataset in enumerate(datasets):
            yield (key, index), qualify(dataset, team)
