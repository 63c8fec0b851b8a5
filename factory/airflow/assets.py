"""Assets of datasets and models, for DAGs that are written in Python."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Asset

from factory.airflow.build import as_objects
from factory.base.texts import did_you_mean, one_of
from factory.catalog import read_one
from factory.catalog.published import published
from factory.documents import dag, schedules
from factory.documents.installation import Installation
from factory.team.environment import active_environment, configs_folder
from factory.team.problems import ReadFailed
from factory.team.reader import TeamFile
from factory.team.team import PlatformConfig

__all__ = ["Asset", "champion_asset", "dataset_asset"]


def dataset_asset(name: str, namespace: Mapping[str, Any]) -> Asset:
    """See `factory.dataset`; `namespace` are the globals of the DAG file that asks."""
    configs = configs_folder(Path(namespace["__file__"]))
    platform, team = _team(name, configs)
    _check(name, team, (one.name for one in published(team)), "dataset")
    return _made(schedules.asset(name, Installation.of(platform, configs.parent)))


def champion_asset(name: str, namespace: Mapping[str, Any]) -> Asset:
    """See `factory.model`; `namespace` are the globals of the DAG file that asks."""
    _, team = _team(name, configs_folder(Path(namespace["__file__"])))
    _check(name, team, team.team.models, "model")
    return _made(schedules.model_asset(name))


def _team(name: str, configs: Path) -> tuple[PlatformConfig, TeamFile]:
    owner, point, _ = name.partition(".")
    if not point:
        raise ValueError(f"{name!r} is no full name: write `team.name`, such as 'marine.penguins'")
    try:
        found = read_one(configs, owner, active_environment())
    except ReadFailed as failure:
        raise ValueError(f"the file of team {owner} has problems: {failure}") from None
    if found is None:
        teams = sorted(path.stem for path in configs.glob("[!_]*.yaml"))
        raise ValueError(
            f"there is no team {owner!r}: {did_you_mean(owner, teams, f'there are {one_of(teams)}')}"
        )
    return found


def _check(name: str, team: TeamFile, known: Iterable[str], kind: str) -> None:
    names = [f"{team.name}.{one}" for one in known]
    if name not in names:
        there = f"it has {one_of(names)}" if names else "it has none"
        raise ValueError(
            f"team {team.name} has no {kind} {name!r}: {did_you_mean(name, names, there)}"
        )


def _made(asset: dag.Asset) -> Asset:
    made: Asset = as_objects(asset.as_data())
    return made
