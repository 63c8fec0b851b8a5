"""Problems of a file in every environment that it could be read in."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from factory.team.environment import DEFAULT_ENVIRONMENT
from factory.team.problems import Problem, ReadFailed, in_order
from factory.team.reader import DEFAULTS_FILE, environments_of, read_platform, read_team
from factory.team.source_text import read_text
from factory.team.yaml_tree import parse


def check_team(path: Path) -> list[Problem]:
    """Everything that is wrong with one team's file, or with the `_defaults.yaml` beside it.

    Links to other teams are not looked at; `factory.catalog.check_project` does.
    """

    def problems(environment: str) -> Iterable[Problem]:
        found: list[Problem] = []
        try:
            platform = read_platform(path.parent, environment)
            found += platform.problems
            read_team(path, platform, environment)
        except ReadFailed as failed:
            found += failed.problems
        return found

    return in_each_environment(declared_environments(path.parent, [path]), problems)


def declared_environments(configs: Path, teams: Iterable[Path]) -> tuple[str, ...]:
    """The default environment and all that `_defaults.yaml` or a team's file mentions."""
    names = {DEFAULT_ENVIRONMENT}
    for path in (configs / DEFAULTS_FILE, *teams):
        try:
            names.update(environments_of(parse(read_text(path))))
        except ReadFailed:
            continue  # its problems are found when it is read for its content
    return tuple(sorted(names))


def in_each_environment(
    environments: Iterable[str], problems: Callable[[str], Iterable[Problem]]
) -> list[Problem]:
    """Problems by environment, each once; those of some environments only say of which."""
    found: dict[Problem, list[str]] = {}
    names = tuple(environments)
    for name in names:
        for problem in set(problems(name)):
            found.setdefault(problem, []).append(name)
    return in_order(
        problem
        if len(where) == len(names)
        else replace(problem, message=f"{problem.message} (environment {', '.join(where)})")
        for problem, where in found.items()
    )
