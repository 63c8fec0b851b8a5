"""Problems of a file in every environment that it could be read in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from factory.team.bases import base_paths
from factory.team.environment import DEFAULT_ENVIRONMENT
from factory.team.overlays import environments_of
from factory.team.problems import Problem, ReadFailed, in_order
from factory.team.questions import Asked, find_by_asking
from factory.team.reader import DEFAULTS_FILE, TeamFile, read_platform, read_team
from factory.team.source_text import read_text
from factory.team.warnings import find_warnings, sources_of, take_back
from factory.team.yaml_tree import YamlTree, parse


@dataclass(frozen=True)
class Overlay:
    """An environment that a file mentions."""

    environment: str
    problem: Problem
    """The warning that nobody else does, if that is so."""


def check_team(
    path: Path,
    *,
    environment: str | None = None,
    further: Callable[[TeamFile], Iterable[Asked]] = lambda _: (),
) -> list[Problem]:
    """Everything that is wrong with one team's file, or with the `_defaults.yaml` beside it.

    Links to other teams are not looked at; `factory.catalog.check_project` does.

    Args:
        path: The file.
        environment: The only one to look at; all that are mentioned when left out.
        further: What else is asked about the file.
    """

    def problems(environment: str) -> Iterable[Problem]:
        found: list[Problem] = []
        platform = None
        try:
            platform = read_platform(path.parent, environment)
            found += platform.problems
            file = read_team(path, platform, environment)
        except ReadFailed as failed:
            # Late: files without problems are not read partly.
            from factory.team.partial import read_partly

            partial = read_partly(path, platform, environment) if platform else None
            return [*found, *failed.problems, *(partial.problems() if partial else ())]
        return [
            *found,
            *find_warnings(file.team, file.layers),
            *find_by_asking([file], None, further(file)),
        ]

    files = [path.parent / DEFAULTS_FILE, *base_paths(path.parent), path]
    names = {DEFAULT_ENVIRONMENT, *(overlay.environment for overlay in overlays(files))}
    found = in_each_environment([environment] if environment else sorted(names), problems)
    return in_order(take_back(found, sources_of(files)))


def overlays(files: Iterable[Path]) -> list[Overlay]:
    """Every environment that files mention."""
    found: list[Overlay] = []
    for path in files:
        try:
            found += _overlays(parse(read_text(path)))
        except ReadFailed:
            continue  # its problems are found when it is read for its content
    return found


def _overlays(tree: YamlTree) -> Iterator[Overlay]:
    for name in environments_of(tree):
        message = f"no other file names the environment `{name}`"
        advice = "is it misspelt? FACTORY_ENVIRONMENT must say the same"
        at = ("environments", name)
        yield Overlay(name, tree.problem("lone_environment", at, message, advice, on_key=True))


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
