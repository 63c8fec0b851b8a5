"""A whole project: the platform and every team, linked, with the healthy told from the broken."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from factory.catalog.linking import Catalog
from factory.team.problems import Problem, ReadFailed, in_order
from factory.team.reader import (
    PlatformFile,
    TeamFile,
    read_platform,
    read_team,
    team_path,
    team_paths,
)
from factory.team.references import references_of_dags
from factory.team.team import PlatformConfig


@dataclass(frozen=True)
class Project:
    """What the folder with the team files holds."""

    platform: PlatformConfig
    """`_defaults.yaml`; what is built in where that is broken, and then no team is healthy."""
    teams: Mapping[str, TeamFile]
    """The healthy teams by name: their files are right and their links hold."""
    catalog: Catalog
    """All teams whose files could be read, and who reads whose datasets."""
    problems: tuple[Problem, ...]
    """What is wrong, by file and line."""


def read_all(
    configs: Path, environment: str | None, platform: PlatformFile | None = None
) -> Project:
    """Every team of the folder, linked; never raises for what is in a file.

    Args:
        configs: The folder with the team files.
        environment: Whose overlays apply; None for no overlays.
        platform: What to read them with; `_defaults.yaml` if left out.
    """
    try:
        platform = platform or read_platform(configs, environment)
        paths = team_paths(configs)
    except ReadFailed as failed:
        # Teams read with other defaults than intended would write to the wrong places.
        return Project(PlatformConfig(), {}, Catalog.of({}), failed.problems)
    teams: dict[str, TeamFile] = {}
    unreadable: set[str] = set()
    problems: list[Problem] = [*platform.problems]
    for path in paths:
        try:
            teams[path.stem] = read_team(path, platform, environment)
        except ReadFailed as failed:
            unreadable.add(path.stem)
            problems += failed.problems
    teams = {name: _knowing_models(file, teams) for name, file in teams.items()}
    catalog = Catalog.of(teams, frozenset(unreadable - teams.keys()))
    link_problems = catalog.problems()
    for found in link_problems.values():
        problems += found
    healthy = {name: file for name, file in teams.items() if name not in link_problems}
    return Project(platform.config, healthy, catalog, tuple(in_order(problems)))


def readers_of(configs: Path, dataset: str, environment: str | None) -> tuple[str, ...]:
    """The datasets and models that read a dataset, by full name: of all teams whose files can be read.

    Args:
        configs: The folder with the team files.
        dataset: The full name, `team.dataset`.
        environment: Whose overlays apply; None for no overlays.
    """
    found = read_all(configs, environment).catalog.consumers.get(dataset, ())
    return tuple(dict.fromkeys(one.full_name for one in found if one.role == "reads"))


def read_one(
    configs: Path, team: str, environment: str | None
) -> tuple[PlatformConfig, TeamFile] | None:
    """The platform and one team, without looking at links.

    None when there is no such team. Of another team's file only the names of its models are read, and only where DAGs
    in dag-factory's format name something of that team: whether it is a model stands nowhere else.

    Raises:
        ReadFailed: With everything that is wrong with either file.
    """
    path = team_path(configs, team)
    if path is None:
        return None
    platform = read_platform(configs, environment)
    return platform.config, _knowing_models(read_team(path, platform, environment), {})


def _knowing_models(file: TeamFile, teams: Mapping[str, TeamFile]) -> TeamFile:
    """The team, knowing which of the names in its own DAGs and tasks are models of other teams.

    Args:
        file: The team's file.
        teams: Files that have been read.
    """
    written = {one.dataset for one in references_of_dags(file.team)}
    by_team: dict[str, set[str]] = {}
    for full_name in written:
        owner, _, name = full_name.partition(".")
        by_team.setdefault(owner, set()).add(name)
    by_team.pop(file.name, None)
    models = frozenset(
        f"{owner}.{name}"
        for owner, names in by_team.items()
        for name in names & _models_of(owner, file, teams)
    )
    return replace(file, team=file.team.with_models_elsewhere(models)) if models else file


def _models_of(owner: str, asking: TeamFile, teams: Mapping[str, TeamFile]) -> frozenset[str]:
    if owner in teams:
        return frozenset(teams[owner].team.models)
    path = team_path(asking.path.parent, owner)
    if path is None:
        return frozenset()
    # Late: few teams name what is another team's in their own DAGs.
    from factory.team.partial import names_of_models

    return names_of_models(path, asking.platform, asking.environment)
