"""Reads team files and the platform's `_defaults.yaml` into sections, or says all that is wrong.

What a team's settings are is written in layers; of two that say something, the upper one wins:

1. the team file, below `environments.<environment>`
2. the team file
3. the base that a dataset or a model `extends`, and the one that this extends
4. `_defaults.yaml`, below `environments.<environment>`
5. `_defaults.yaml`: `defaults` and `notify` for the team's own, `datasets` for each of its datasets,
   `models` for each of its models
6. what is built in

Below each of `dags` lies `dags.default`, as in dag-factory's own files.

Mappings are merged key by key; lists and single values are replaced. Where an upper layer names
another `type`, `check` or `strategy`, it replaces that mapping whole. A problem is shown in the
file, and at the line, that its value comes from. An environment
that a file does not mention changes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from factory.base.findings import Finding, KeyPath
from factory.base.section import Surroundings
from factory.kinds import plugin_problems
from factory.lake.storage.address import misspelt
from factory.team.after_tasks import looked_at_as_dags
from factory.team.environment import storage_address
from factory.team.file_problems import all_problems
from factory.team.layers import EVERY, Layer, Layers
from factory.team.limits import limited, limits_of, refused_connections, unlisted
from factory.team.misplaced import misplaced_sections
from factory.team.overlays import OVERLAYS, check_overlays, overlay_of, overlays_of_nothing
from factory.team.problems import Problem, ReadFailed
from factory.team.secret_rules import check_secrets
from factory.team.source_text import SourceText, read_text, unreadable
from factory.team.team import PlatformConfig, TeamConfig, TeamLimits
from factory.team.team_layers import (
    merged,
    team_layers,
    trees_of_bases,
    whole_value,
    without_overlays,
    written_value,
)
from factory.team.template_rules import check_dates, check_templates
from factory.team.yaml_tree import MAX_PROBLEMS, YamlTree, parse

if TYPE_CHECKING:
    from factory.team.dag_rules import DagRules

DEFAULTS_FILE = "_defaults.yaml"
_SUFFIXES = (".yaml", ".yml")

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
        own = [*overlay_of(self.tree, self.environment), Layer(self.tree, self.tree.value)]
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

    @property
    def python_packages(self) -> tuple[str, ...]:
        """The packages whose code it may name."""
        return _packages(self.platform.config, limits_of(self.platform.config, self.path.stem))

    def problem(
        self,
        name: str,
        path: KeyPath,
        message: str,
        suggestion: str | None = None,
        *,
        on_key: bool = False,
    ) -> Problem:
        """A problem with the value at `path`, such as `("models", "species", "target")`."""
        return self.layers.problem(name, path, message, suggestion, on_key=on_key)

    @cached_property
    def layers(self) -> Layers:
        """The file and the defaults below it, which say where each value stands."""
        # Parsed again when it is needed, which is seldom: the nodes of 1,000 files are 100 MB.
        tree = parse(self.source)
        return _layers_of(tree, self.platform, self.environment)[0]


def team_paths(configs: Path) -> list[Path]:
    """The team files of a folder, by name; whatever starts with `_` or `.` is none.

    Raises:
        ReadFailed: There is no such folder.
    """
    try:
        paths = sorted(configs.iterdir())
    except OSError as error:
        message = f"the folder with the team files cannot be read: {error.strerror}"
        advice = "run this in the project's folder, or name that: --project"
        raise ReadFailed([unreadable(configs, message, advice)]) from None
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
    own = (*overlay_of(tree, environment), Layer(tree, tree.value))
    layers = Layers(own, home=tree)
    raw = without_overlays(merged(own))
    findings = [*check_overlays(tree), *_check_storage(raw)]
    config, problems = _validate(PlatformConfig, raw, None, findings, layers)
    problems += map(layers.locate, check_secrets(raw))
    problems = all_problems([tree], problems)
    if config is None or problems:
        raise ReadFailed(problems)
    return PlatformFile(path, environment, config, tree, tuple(_plugin_problems(config, layers)))


def _plugin_problems(config: PlatformConfig, layers: Layers) -> Iterator[Problem]:
    for index, problem in plugin_problems(config.plugins):
        yield layers.problem("plugin", ("plugins", index), problem.message, problem.suggestion)


def read_team(
    path: Path,
    platform: PlatformFile,
    environment: str | None,
    source: SourceText | None = None,
) -> TeamFile:
    """One team's file, with the platform's defaults below it.

    Args:
        path: The file.
        platform: The platform's.
        environment: Whose overlays apply; None for no overlays.
        source: What to read in place of the file's text.

    Raises:
        ReadFailed: With everything that is wrong with it.
    """
    if path.suffix == ".yml":
        message = "team files end in .yaml; this one is not read"
        raise ReadFailed([unreadable(path, message, f"rename it to {path.stem}.yaml")])
    try:
        return _read_team(path, platform, environment, source or read_text(path))
    except RecursionError:
        # Whatever it was: other teams are read all the same.
        message = "something in this file is nested too deeply to be read"
        raise ReadFailed([unreadable(path, message, "write it in several steps")]) from None


def _read_team(
    path: Path, platform: PlatformFile, environment: str | None, source: SourceText
) -> TeamFile:
    tree = parse(source)
    layers, about_bases = _layers_of(tree, platform, environment)
    has_templates = _has_templates(layers)
    limits = limits_of(platform.config, path.stem)
    raw, findings = limited(whole_value(layers, platform.config), limits)
    surroundings = _surroundings(platform, limits, path.stem, environment)
    dags = raw.get("dags")
    check_dags = partial(_check_dags, surroundings=surroundings, own=own_names(raw))
    findings += [
        *unlisted(platform.config, path.stem),
        *check_overlays(tree),
        *(check_dags(dags) if dags else ()),
        *looked_at_as_dags(raw, check_dags),
        *(check_templates(raw) if has_templates else ()),
    ]
    instead = {
        **dict(overlays_of_nothing(tree, environment)),
        **dict(misplaced_sections(raw)),
        # What is missing may well be in the base.
        **{finding.path[:2]: finding for finding in about_bases},
    }
    config, problems = _validate(TeamConfig, raw, surroundings, findings, layers, instead=instead)
    problems += map(layers.locate, check_secrets(written_value(layers)))
    if config is not None:
        problems += map(layers.locate, refused_connections(config, limits))
        if has_templates:
            about_dates = map(layers.locate, check_dates(config))
            problems += (problem for problem in about_dates if not problem.is_warning)
    problems = all_problems([tree, *trees_of_bases(layers)], problems)
    if config is None or problems:
        raise ReadFailed(problems)
    return TeamFile(path, environment, config, platform, source)


def _has_templates(layers: Layers) -> bool:
    texts = {layer.tree.source.text for layer in layers.layers}
    return any(sign in text for text in texts for sign in ("{{", "{%"))


def _check_dags(dags: object, surroundings: Surroundings, own: frozenset[str]) -> Iterator[Finding]:
    # Late: few teams write DAGs.
    from factory.team.dag_rules import DagRules
    from factory.team.own_assets import check_asset_names, dags_with_stand_ins
    from factory.team.own_dags import check_own_dags

    yield from DagRules(surroundings, own).check(dags)
    yield from check_asset_names(dags, own)
    yield from check_own_dags(dags_with_stand_ins(dags, surroundings.team or "", own))


def dag_rules(file: TeamFile) -> "DagRules":
    """What the `dags` of a team may name."""
    from factory.team.dag_rules import DagRules

    limits = limits_of(file.platform.config, file.path.stem)
    surroundings = _surroundings(file.platform, limits, file.path.stem, file.environment)
    return DagRules(surroundings, file.team.own_names)


def own_names(raw: Mapping[str, Any]) -> frozenset[str]:
    """The names of a team's datasets, those of predictions among them, and of its models, as far as they can be read."""
    return datasets_in(raw) | _names(raw, "models")


def datasets_in(raw: Mapping[str, Any]) -> frozenset[str]:
    """The names of a team's datasets, those of predictions among them, as far as they can be read."""
    return frozenset(_names(raw, "datasets") | {*_predictions(raw)})


def _predictions(raw: Mapping[str, Any]) -> Iterator[str]:
    models = raw.get("models")
    for name, model in models.items() if isinstance(models, dict) else ():
        predict = model.get("predict") if isinstance(model, dict) else None
        if predict is not None:
            written = predict.get("output") if isinstance(predict, dict) else None
            yield written if isinstance(written, str) else f"{name}_predictions"


def _names(raw: Mapping[str, Any], section: str) -> set[str]:
    found = raw.get(section)
    return set(map(str, found)) if isinstance(found, dict) else set()


def _surroundings(
    platform: PlatformFile, limits: TeamLimits | None, team: str, environment: str | None
) -> Surroundings:
    config = platform.config
    operators = config.operators
    if limits is not None:
        operators = operators if limits.operators is None else limits.operators
    return Surroundings(
        project=platform.project,
        python_packages=_packages(config, limits),
        plugins=config.plugins,
        data_folders=config.data_folders,
        internal_hosts=config.internal_hosts,
        storage=platform.storage,
        operators=operators,
        connections=None if limits is None else limits.connections,
        team=team,
        environment=environment,
    )


def _packages(config: PlatformConfig, limits: TeamLimits | None) -> tuple[str, ...]:
    packages = None if limits is None else limits.python_packages
    return config.python_packages if packages is None else packages


def team_value(tree: YamlTree, platform: PlatformFile, environment: str | None) -> dict[str, Any]:
    """What a team's file says in an environment, the platform's defaults below it."""
    return whole_value(_layers_of(tree, platform, environment)[0], platform.config)


def platform_value(tree: YamlTree, environment: str | None) -> dict[str, Any]:
    """What `_defaults.yaml` says in an environment."""
    return without_overlays(merged((*overlay_of(tree, environment), Layer(tree, tree.value))))


def _layers_of(
    tree: YamlTree, platform: PlatformFile, environment: str | None
) -> tuple[Layers, list[Finding]]:
    return team_layers(tree, platform.inherited, platform.path.parent, environment)


def _check_storage(raw: dict[str, Any]) -> Iterator[Finding]:
    storage = raw.get("storage")
    if isinstance(storage, str) and (meant := misspelt(storage)):
        message = f"{storage!r} is the name of a folder here: an address has `://`"
        yield Finding("storage", ("storage",), message, f"write {meant}")


def _validate(
    model: type[AnyModel],
    raw: dict[str, Any],
    surroundings: Surroundings | None,
    findings: list[Finding],
    layers: Layers,
    *,
    instead: Mapping[KeyPath, Finding] = MappingProxyType({}),
) -> tuple[AnyModel | None, list[Problem]]:
    """The section, if nothing is wrong, and its problems.

    Args:
        model: The section's class.
        raw: The value.
        surroundings: What it is read against.
        findings: What is known to be wrong.
        layers: Where its values stand.
        instead: What to say in place of all that is wrong below a path.
    """
    config: AnyModel | None = None
    try:
        config = model.model_validate(raw, context=surroundings)
    except ValidationError as error:
        # Late: most files are right.
        from factory.team.explain import explain

        details = error.errors(include_url=False)[:MAX_PROBLEMS]
        plugins = surroundings.plugins if surroundings else ()
        findings = [*findings, *explain(details, model, also_known=(OVERLAYS,), plugins=plugins)]
    findings = [finding for finding in findings if finding.path[:2] not in instead]
    return config, [layers.locate(finding) for finding in (*instead.values(), *findings)]
