"""What of a broken team file can be read all the same, so that the rest is checked in the same round."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from factory.base.findings import KeyPath, take_away
from factory.base.rules import UNCHECKED
from factory.team.codes import code_of
from factory.team.problems import Problem, ReadFailed
from factory.team.reader import (
    DEFAULTS_FILE,
    AnyModel,
    PlatformFile,
    TeamFile,
    own_names,
    platform_value,
    read_team,
    team_value,
)
from factory.team.recovery import Recovered, recover
from factory.team.source_text import SourceText, read_text
from factory.team.team import PlatformConfig, TeamConfig
from factory.team.trace import trace
from factory.team.yaml_tree import parse

_ROUNDS = 10


@dataclass(frozen=True)
class PartialTeam:
    """A broken file without what is wrong in it."""

    file: TeamFile
    promised: frozenset[str]
    """The names of all datasets that it means to publish, those that are left out among them, and of the models that are."""
    is_news: Callable[[Problem], bool]
    """Whether a problem of what is left would be one of the whole file too."""
    mistakes: tuple[Problem, ...]
    """What is no YAML."""
    lost: frozenset[KeyPath]
    """Where something was taken away."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the file, as far as it can be read."""
        yield from self.mistakes
        file = self.file
        try:
            read_team(file.path, file.platform, file.environment, file.source)
        except ReadFailed as failed:
            yield from filter(self.is_news, failed.problems)


@dataclass(frozen=True)
class PartialPlatform:
    """A broken `_defaults.yaml` without what is wrong in it."""

    file: PlatformFile
    mistakes: tuple[Problem, ...]
    """What is no YAML."""
    lost: frozenset[str]
    """The keys of the file of which something is left out."""

    def is_news(self, problem: Problem) -> bool:
        """Whether a problem of a team's file does not come from what is left out here."""
        return not any(problem.code in _DEPENDING.get(key, _OF_SECTIONS) for key in self.lost)


_OF_SECTIONS = frozenset(
    map(code_of, ("missing_key", "together", "bounds", "space", "split", "unknown_column"))
)
"""Codes of what may be wrong because a default is missing."""
_DEPENDING = {
    key: frozenset(map(code_of, names))
    for key, names in {
        "python_packages": ("package", "operator"),
        "operators": ("operator", "package"),
        "plugins": ("unknown_kind", "metric", "plugin"),
        "data_folders": ("path",),
        "internal_hosts": ("host",),
        "teams": ("unlisted_team", "connection", "workers", "package", "operator"),
        "storage": ("storage", "outlet"),
    }.items()
}
"""Codes of what may be wrong because a key of `_defaults.yaml` is missing."""


def read_partly(path: Path, platform: PlatformFile, environment: str | None) -> PartialTeam | None:
    """A team's file without what is wrong in it; None where nothing can be read."""
    try:
        value, source, recovered = _value(path, platform, environment)
    except ReadFailed:
        return None
    owner = value.get("owner")
    value |= {"version": 1, "team": path.stem, "owner": owner if isinstance(owner, str) else "?"}
    names = own_names(value) | (recovered.names if recovered else frozenset())
    config, lost = _without_what_is_wrong(TeamConfig, value, platform.config.plugins)
    if config is None:
        return None
    file = TeamFile(path, environment, config, platform, source)
    is_news = recovered.is_news if recovered else _every
    mistakes = recovered.problems if recovered else ()
    return PartialTeam(file, names - frozenset(config.models), is_news, mistakes, lost)


def names_of_models(path: Path, platform: PlatformFile, environment: str | None) -> frozenset[str]:
    """The names of a team's models, as far as its file can be read; nothing else is looked at."""
    try:
        models = _value(path, platform, environment)[0].get("models")
    except ReadFailed:
        return frozenset()
    return frozenset(map(str, models)) if isinstance(models, dict) else frozenset()


def _value(
    path: Path, platform: PlatformFile, environment: str | None
) -> tuple[dict[str, Any], SourceText, Recovered | None]:
    """What a team's file says without what is no YAML in it, the text that says so, and what was taken away."""
    source = read_text(path)
    recovered = recover(source)
    source = recovered.source if recovered else source
    return deepcopy(team_value(parse(source), platform, environment)), source, recovered


def read_platform_partly(configs: Path, environment: str | None) -> PartialPlatform | None:
    """`_defaults.yaml` without what is wrong in it; None where nothing can be read."""
    path = configs / DEFAULTS_FILE
    try:
        source = read_text(path)
        recovered = recover(source)
        tree = parse(recovered.source if recovered else source)
    except ReadFailed:
        return None
    value = deepcopy(platform_value(tree, environment))
    plugins = value.get("plugins")
    known = tuple(
        filter(lambda name: isinstance(name, str), plugins if isinstance(plugins, list) else ())
    )
    config, lost = _without_what_is_wrong(PlatformConfig, value, known)
    if config is None:
        return None
    mistakes, names = (recovered.problems, recovered.names) if recovered else ((), frozenset())
    keys = frozenset(str(step) for path_lost in lost for step in path_lost[:1])
    return PartialPlatform(PlatformFile(path, environment, config, tree), mistakes, keys | names)


def _every(_: Problem) -> bool:
    return True


def _without_what_is_wrong(
    model: type[AnyModel], value: dict[str, Any], plugins: tuple[str, ...]
) -> tuple[AnyModel | None, frozenset[KeyPath]]:
    """The section without what is wrong in it, and where something was taken away."""
    lost: set[KeyPath] = set()
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(value, context=UNCHECKED), frozenset(lost)
        except ValidationError as error:
            for found in error.errors(include_url=False, include_input=False):
                path = trace(model, found["loc"], plugins).path
                wrong = path[:-1] if found["type"] == "missing" else path
                lost.add(wrong)
                take_away(value, wrong, with_rest=True)
    return None, frozenset(lost)
