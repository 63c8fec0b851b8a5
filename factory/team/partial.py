"""What of a broken team file can be read all the same, so that the rest is checked in the same round."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from factory.base.findings import KeyPath
from factory.base.rules import UNCHECKED
from factory.team.problems import ReadFailed
from factory.team.reader import PlatformFile, TeamFile, team_value
from factory.team.source_text import read_text
from factory.team.team import TeamConfig
from factory.team.trace import trace
from factory.team.yaml_tree import parse

_ROUNDS = 10


@dataclass(frozen=True)
class PartialTeam:
    """A broken file without what is wrong in it."""

    file: TeamFile
    promised: frozenset[str]
    """The names of all datasets that it means to publish, those that are left out among them."""


def read_partly(path: Path, platform: PlatformFile, environment: str | None) -> PartialTeam | None:
    """A team's file without what is wrong in it; None where nothing can be read."""
    try:
        source = read_text(path)
        tree = parse(source)
    except ReadFailed:
        return None
    value = deepcopy(team_value(tree, platform, environment))
    owner = value.get("owner")
    value |= {"version": 1, "team": path.stem, "owner": owner if isinstance(owner, str) else "?"}
    promised = frozenset(_promised(value))
    config = _without_what_is_wrong(value, platform)
    if config is None:
        return None
    return PartialTeam(TeamFile(path, environment, config, platform, source), promised)


def _promised(value: Mapping[str, Any]) -> set[str]:
    datasets, models = value.get("datasets"), value.get("models")
    names = {str(name) for name in datasets} if isinstance(datasets, dict) else set()
    for name, model in models.items() if isinstance(models, dict) else ():
        predict = model.get("predict") if isinstance(model, dict) else None
        if predict is not None:
            written = predict.get("output") if isinstance(predict, dict) else None
            names.add(written if isinstance(written, str) else f"{name}_predictions")
    return names


def _without_what_is_wrong(value: dict[str, Any], platform: PlatformFile) -> TeamConfig | None:
    for _ in range(_ROUNDS):
        try:
            return TeamConfig.model_validate(value, context=UNCHECKED)
        except ValidationError as error:
            for found in error.errors(include_url=False, include_input=False):
                path = trace(TeamConfig, found["loc"], platform.config.plugins).path
                _take_away(value, path[:-1] if found["type"] == "missing" else path)
    return None


def _take_away(value: Any, path: KeyPath) -> None:
    """Take away what stands at a path, and in a list all that follows: others keep their places."""
    for step in path[:-1]:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return
    if not path:
        return
    last = path[-1]
    if isinstance(value, dict):
        value.pop(last, None)
    elif isinstance(value, list) and isinstance(last, int):
        del value[last:]
