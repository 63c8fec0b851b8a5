"""Everything that is wrong with a folder of team files, or probably wrong, in every environment."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from factory.base.texts import closest, one_of
from factory.catalog.contract_questions import contract_questions
from factory.catalog.linking import Catalog
from factory.catalog.project import read_all
from factory.team.bases import base_paths
from factory.team.checking import Overlay, in_each_environment, overlays
from factory.team.environment import DEFAULT_ENVIRONMENT
from factory.team.problems import Problem, ReadFailed, in_order
from factory.team.questions import find_by_asking, kept_answers
from factory.team.reader import (
    DEFAULTS_FILE,
    PlatformFile,
    read_platform,
    team_path,
    team_paths,
)
from factory.team.source_text import unreadable
from factory.team.warnings import find_warnings, sources_of, take_back

if TYPE_CHECKING:
    from factory.team.partial import PartialTeam

_USUAL = ("dev", "development", "test", "testing", "qa", "staging", "stage", "prod", "production")
"""Names of environments that are no surprise where nobody else has any."""


def check_project(
    configs: Path, *, environment: str | None = None, active: str | None = None
) -> list[Problem]:
    """All problems and warnings, by file and line.

    Args:
        configs: The folder with the team files.
        environment: The only one to look at; all that are mentioned when left out.
        active: What FACTORY_ENVIRONMENT says, if it is set.
    """
    try:
        paths = team_paths(configs)
    except ReadFailed as failed:
        return list(failed.problems)
    if not paths:
        message = "there is no team file in this folder, so there is nothing to check"
        return [unreadable(configs, message, "write one: configs/<team>.yaml")]
    files = [configs / DEFAULTS_FILE, *base_paths(configs), *paths]
    found = overlays(files)
    chosen = environment or active
    names = {
        DEFAULT_ENVIRONMENT,
        *(overlay.environment for overlay in found),
        *filter(None, [chosen]),
    }
    problems = in_each_environment(
        [environment] if environment else sorted(names), lambda name: _check(configs, name)
    )
    problems += _lone_environments(found)
    if chosen is not None:
        problems += _unknown_environment(configs, chosen, found)
    return in_order(take_back(problems, sources_of(files)))


def _check(configs: Path, environment: str) -> Iterator[Problem]:
    try:
        platform = read_platform(configs, environment)
    except ReadFailed as failed:
        # Late: files without problems are not read partly.
        from factory.team.partial import read_platform_partly

        yield from failed.problems
        partial = read_platform_partly(configs, environment)
        if partial is not None:
            yield from partial.mistakes
            found = _check_teams(configs, environment, partial.file)
            yield from filter(partial.is_news, found)
    else:
        yield from _check_teams(configs, environment, platform)


def _check_teams(configs: Path, environment: str, platform: PlatformFile) -> Iterator[Problem]:
    project = read_all(configs, environment, platform)
    yield from project.problems
    for file in project.catalog.teams.values():
        yield from find_warnings(file.team, file.layers)
    catalog = project.catalog
    kept = kept_answers(configs.parent)
    yield from find_by_asking(catalog.teams.values(), kept, contract_questions(catalog))
    if project.catalog.unreadable:
        yield from _check_partly(configs, platform, project.catalog)


def _check_partly(configs: Path, platform: PlatformFile, catalog: Catalog) -> Iterator[Problem]:
    """What is wrong with broken files and their links, as far as they can be read."""
    from factory.team.partial import read_partly

    partial: dict[str, PartialTeam] = {}
    for name in catalog.unreadable:
        path = team_path(configs, name)
        found = read_partly(path, platform, platform.environment) if path is not None else None
        if found is not None:
            partial[name] = found
    whole = Catalog.of(
        {**catalog.teams, **{name: found.file for name, found in partial.items()}},
        catalog.unreadable,
        {name: found.promised for name, found in partial.items()},
    )
    by_team = whole.problems()
    for name, found in partial.items():
        yield from found.problems()
        yield from filter(found.is_news, by_team.get(name, ()))
        yield from filter(found.is_news, find_warnings(found.file.team, found.file.layers))
    files = [found.file for found in partial.values()]
    lost = {name: found.lost for name, found in partial.items()}
    further = contract_questions(whole, partial=lost)
    asked = find_by_asking(files, kept_answers(configs.parent), further)
    yield from (one for one in asked if all(found.is_news(one) for found in partial.values()))


def _lone_environments(found: Sequence[Overlay]) -> Iterator[Problem]:
    """Environments that one file alone has, where others have some, or whose name is unusual."""
    for overlay in found:
        name, file = overlay.environment, overlay.problem.file
        others = {one.environment for one in found if one.problem.file != file}
        if name in (DEFAULT_ENVIRONMENT, *others) or (name in _USUAL and not others):
            continue
        near = closest(name, others)
        if file.name == DEFAULTS_FILE and (near is None or name in _USUAL):
            continue  # what the platform names need not differ for any team
        suggestion = f"did you mean `{near}`?" if near else overlay.problem.suggestion
        yield replace(overlay.problem, suggestion=suggestion)


def _unknown_environment(
    configs: Path, environment: str, found: Iterable[Overlay]
) -> Iterator[Problem]:
    known = {DEFAULT_ENVIRONMENT, *(overlay.environment for overlay in found)}
    if environment in known or (environment in _USUAL and len(known) == 1):
        return
    near = closest(environment, known)
    suggestion = f"did you mean `{near}`?" if near else f"they name {one_of(sorted(known))}"
    message = f"no file names the environment {environment!r}, so that no overlay applies"
    yield unreadable(configs, message, suggestion, name="lone_environment")
