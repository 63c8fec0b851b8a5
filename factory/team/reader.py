"""Reads team files and the platform's `_defaults.yaml` into sections, or says all that is wrong.

What a team's settings are is written in layers; of two that say something, the upper one wins:

1. the team file, below `environments.<environment>`
2. the team file
3. `_defaults.yaml`, below `environments.<environment>`
4. `_defaults.yaml`: `defaults` and `notify` for the team's own, `datasets` for each of its datasets,
   `models` for each of its models
5. what is built in

Mappings are merged key by key; lists and single values are replaced. Where an upper layer names
another `type`, `check` or `strategy`, it replaces that mapping whole. A problem is shown in the
file, and at the line, that its value comes from. An environment
that a file does not mention changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from factory.base.section import Surroundings
from factory.kinds import plugin_problems
from factory.team.dag_rules import DagRules
from factory.team.environment import storage_address
from factory.team.explain import explain
from factory.team.layers import EVERY, Layer, Layers, merge
from factory.team.limits import limited, limits_of, refused_connections, unlisted
from factory.team.problems import Finding, KeyPath, Problem, ReadFailed
from factory.team.source_text import SourceText, read_text
from factory.team.team import PlatformConfig, TeamConfig, TeamLimits
from factory.team.template_rules import check_templates
from factory.team.yaml_tree import MAX_PROBLEMS, YamlTree, parse, problem_at_node

DEFAULTS_FILE = "_defaults.yaml"
_SUFFIXES = (".yaml", ".yml")
_OVERLAYS = "environments"
_INHERITED = {
    "defaults": ("defaults",),
    "notify": ("notify",),
    "datasets": ("datasets", EVERY),
    "models": ("models", EVERY),
}
"""Sections of `_defaults.yaml`, and where they are laid in a team's file."""

AnyModel = TypeVar("AnyModel", bound=BaseModel)


@dataclass(frozen=True)
class PlatformFile:
    """`_defaults.yaml` once read; without such a file, what is built in."""

    path: Path
    environment: str | None
    config: PlatformConfig
    tree: YamlTree | None
    problems: tuple[Problem, ...] = ()
    """What is wrong and takes no team away: plug-ins that cannot be loaded."""

    @property
    def project(self) -> Path:
        """The project's folder, above the one with the team files."""
        return self.path.parent.parent

    @cached_property
    def storage(self) -> str:
        """The lake's address."""
        return storage_address(self.config.storage, self.project)

    @cached_property
    def inherited(self) -> tuple[Layer, ...]:
        """What lies below every team's own file, the strongest first."""
        if self.tree is None:
            return ()
        own = [*_overlay(self.tree, self.environment), Layer(self.tree, self.tree.value)]
        return tuple(
            Layer(self.tree, layer.value[section], (*layer.prefix, section), mount)
            for section, mount in _INHERITED.items()
            for layer in own
            if section in layer.value
        )


@dataclass(frozen=True)
class TeamFile:
    """A team's file once read."""

    path: Path
    environment: str | None
    team: TeamConfig
    platform: PlatformFile
    source: SourceText

    @property
    def name(self) -> str:
        """The team's name."""
        return self.team.team

    def problem(
        self, path: KeyPath, message: str, suggestion: str | None = None, *, on_key: bool = False
    ) -> Problem:
        """A problem with the value at `path`, such as `("models", "species", "target")`."""
        return self._layers.problem(path, message, suggestion, on_key=on_key)

    @cached_property
    def _layers(self) -> Layers:
        # Parsed again when it is needed, which is seldom: the nodes of 1,000 files are 100 MB.
        tree = parse(self.source)
        return _team_layers(tree, self.platform, self.environment)


def team_paths(configs: Path) -> list[Path]:
    """The team files of a folder, by name; whatever starts with `_` or `.` is none.

    Raises:
        ReadFailed: There is no such folder.
    """
    try:
        paths = sorted(configs.iterdir())
    except OSError as error:
        message = f"the folder with the team files cannot be read: {error.strerror}"
        raise ReadFailed([Problem(configs, 1, 1, message)]) from None
    return [path for path in paths if _is_team_path(path)]


def _is_team_path(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not path.name.startswith(("_", "."))


def team_path(configs: Path, team: str) -> Path | None:
    """The file of one team, without a look at the others; None where there is none."""
    path = configs / f"{team}.yaml"
    is_there = path.parent == configs and (path.exists() or path.is_symlink())
    return path if is_there and _is_team_path(path) else None


def read_platform(configs: Path, environment: str | None) -> PlatformFile:
    """The platform's `_defaults.yaml` in the folder `configs`.

    Raises:
        ReadFailed: With everything that is wrong with it.
    """
    path = configs / DEFAULTS_FILE
    if not path.exists() and not path.is_symlink():
        return PlatformFile(path, environment, PlatformConfig(), None)
    tree = parse(read_text(path))
    own = (*_overlay(tree, environment), Layer(tree, tree.value))
    layers = Layers(own, home=tree)
    raw = _without_overlays(_merged(own))
    findings = [*_check_overlays(tree)]
    config, problems = _validate(PlatformConfig, raw, None, findings, layers)
    problems = _all_problems(tree, problems)
    if config is None or problems:
        raise ReadFailed(problems)
    return PlatformFile(path, environment, config, tree, tuple(_plugin_problems(config, layers)))


def _plugin_problems(config: PlatformConfig, layers: Layers) -> Iterator[Problem]:
    for index, problem in plugin_problems(config.plugins):
        yield layers.problem(("plugins", index), problem.message, problem.suggestion)


def read_team(path: Path, platform: PlatformFile, environment: str | None) -> TeamFile:
    """One team's file, with the platform's defaults below it.

    Raises:
        ReadFailed: With everything that is wrong with it.
    """
    if path.suffix == ".yml":
        message = "team files end in .yaml; this one is not read"
        raise ReadFailed([Problem(path, 1, 1, message, f"rename it to {path.stem}.yaml")])
    source = read_text(path)
    tree = parse(source)
    layers = _team_layers(tree, platform, environment)
    limits = limits_of(platform.config, path.stem)
    raw, findings = limited(_team_value(layers, platform), limits)
    surroundings = _surroundings(platform, limits, path.stem, environment)
    own = frozenset(_names(raw, "datasets") | _names(raw, "models"))
    findings += [
        *unlisted(platform.config, path.stem),
        *_check_overlays(tree),
        *DagRules(surroundings, own).check(raw.get("dags")),
        *check_templates(raw),
    ]
    config, problems = _validate(TeamConfig, raw, surroundings, findings, layers)
    if config is not None:
        problems += [
            layers.problem(finding.path, finding.message, finding.suggestion)
            for finding in refused_connections(config, limits)
        ]
    problems = _all_problems(tree, problems)
    if config is None or problems:
        raise ReadFailed(problems)
    return TeamFile(path, environment, config, platform, source)


def _names(raw: dict[str, Any], section: str) -> set[str]:
    found = raw.get(section)
    return set(found) if isinstance(found, dict) else set()


def _surroundings(
    platform: PlatformFile, limits: TeamLimits | None, team: str, environment: str | None
) -> Surroundings:
    config = platform.config
    packages, operators = config.python_packages, config.operators
    if limits is not None:
        packages = packages if limits.python_packages is None else limits.python_packages
        operators = operators if limits.operators is None else limits.operators
    return Surroundings(
        project=platform.project,
        python_packages=packages,
        plugins=config.plugins,
        data_folders=config.data_folders,
        internal_hosts=config.internal_hosts,
        storage=platform.storage,
        operators=operators,
        connections=None if limits is None else limits.connections,
        team=team,
        environment=environment,
    )


def _team_layers(tree: YamlTree, platform: PlatformFile, environment: str | None) -> Layers:
    own = (*_overlay(tree, environment), Layer(tree, tree.value))
    return Layers((*own, *platform.inherited), home=tree)


def _team_value(layers: Layers, platform: PlatformFile) -> dict[str, Any]:
    own = [layer for layer in layers.layers if layer.tree is layers.home]
    value = _without_overlays(_merged(own))
    for section in ("defaults", "notify"):
        if inherited := getattr(platform.config, section):
            value[section] = merge(inherited, value.get(section, {}))
    for section in ("datasets", "models"):
        inherited = getattr(platform.config, section)
        if inherited and isinstance(value.get(section), dict):
            value[section] = {
                name: merge(inherited, child) for name, child in value[section].items()
            }
    return value


def _merged(layers: Iterable[Layer]) -> dict[str, Any]:
    """Layers of one file, given the strongest first, as one mapping."""
    value: dict[str, Any] = {}
    for layer in reversed(tuple(layers)):
        value = merge(value, layer.value)
    return value


def _without_overlays(value: dict[str, Any]) -> dict[str, Any]:
    return {key: child for key, child in value.items() if key != _OVERLAYS}


def environments_of(tree: YamlTree) -> tuple[str, ...]:
    """The environments that a file mentions."""
    overlays = tree.value.get(_OVERLAYS)
    return tuple(overlays) if isinstance(overlays, dict) else ()


def _overlay(tree: YamlTree, environment: str | None) -> tuple[Layer, ...]:
    if environment not in environments_of(tree):
        return ()
    value = tree.value[_OVERLAYS][environment]
    return (Layer(tree, value, (_OVERLAYS, environment)),) if isinstance(value, dict) else ()


def _check_overlays(tree: YamlTree) -> Iterable[Finding]:
    overlays = tree.value.get(_OVERLAYS, {})
    if not isinstance(overlays, dict):
        message = (
            "`environments` must be a mapping from an environment's name to what differs there"
        )
        yield Finding((_OVERLAYS,), message, "write `prod: {...}` below it")
        return
    for name, overlay in overlays.items():
        if overlay is not None and not isinstance(overlay, dict):
            yield Finding((_OVERLAYS, name), f"`{name}` must be a mapping with what differs there")
        elif overlay and _OVERLAYS in overlay:
            message = "an environment cannot have environments of its own"
            yield Finding((_OVERLAYS, name, _OVERLAYS), message, on_key=True)


def _validate(
    model: type[AnyModel],
    raw: dict[str, Any],
    surroundings: Surroundings | None,
    findings: list[Finding],
    layers: Layers,
) -> tuple[AnyModel | None, list[Problem]]:
    config: AnyModel | None = None
    try:
        config = model.model_validate(raw, context=surroundings)
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_PROBLEMS]
        plugins = surroundings.plugins if surroundings else ()
        findings = [*findings, *explain(details, model, also_known=(_OVERLAYS,), plugins=plugins)]
    return config, [
        layers.problem(finding.path, finding.message, finding.suggestion, on_key=finding.on_key)
        for finding in findings
    ]


def _all_problems(tree: YamlTree, problems: list[Problem]) -> list[Problem]:
    """Those of a tree and those of its meaning.

    What is already wrong as YAML is no news as a wrong type at the same place.
    """
    wrong = [*tree.problems, *_reserved_keys(tree)]
    places = {problem.place for problem in wrong}
    return [*wrong, *(problem for problem in problems if problem.place not in places)]


def _reserved_keys(tree: YamlTree) -> Iterator[Problem]:
    if not tree.reserved_keys:
        return
    reserved = {id(key) for key in tree.reserved_keys}
    for path, key in tree.every_key():
        is_below_dags = path[0] == "dags" or (path[0] == _OVERLAYS and path[2:3] == ("dags",))
        if id(key) in reserved and not is_below_dags:
            message = f"the key `{key.value}` starts with two underscores, which is reserved"
            yield problem_at_node(tree.source, key, message, "rename it")
