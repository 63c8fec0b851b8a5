"""The layers of a team's file, and what they say together: the reader's module says which wins."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from factory.base.findings import Finding
from factory.team.bases import EXTENDS, entries_with_bases, layers_of_bases
from factory.team.layers import EVERY, Layer, Layers, merge
from factory.team.overlays import OVERLAYS, overlay_of
from factory.team.team import PlatformConfig
from factory.team.yaml_tree import YamlTree

DEFAULT_DAG = "default"
"""Among `dags`: what is laid under each of the others, as in dag-factory's own files."""


def team_layers(
    tree: YamlTree, inherited: Sequence[Layer], configs: Path, environment: str | None
) -> tuple[Layers, list[Finding]]:
    """The layers of a team, and what is wrong with the bases that it names.

    Args:
        tree: The team's file.
        inherited: What lies below every team's own file, the strongest first.
        configs: The folder with the team files.
        environment: Whose overlays apply.
    """
    own = (*overlay_of(tree, environment), Layer(tree, tree.value))
    bases: list[Layer] = []
    findings: list[Finding] = []
    for path, name in entries_with_bases(without_overlays(merged(own))):
        found, finding = layers_of_bases(path, name, configs, environment)
        bases += found
        findings += [finding] if finding else []
    return Layers((*own, *_default_dags(own), *bases, *inherited), home=tree), findings


def _default_dags(own: Iterable[Layer]) -> Iterator[Layer]:
    """What lies below each of the team's DAGs in dag-factory's format."""
    for layer in own:
        dags = layer.value.get("dags")
        default = dags.get(DEFAULT_DAG) if isinstance(dags, dict) else None
        if isinstance(default, dict):
            prefix = (*layer.prefix, "dags", DEFAULT_DAG)
            yield Layer(layer.tree, default, prefix, ("dags", EVERY))


def _own_value(layers: Layers) -> dict[str, Any]:
    """What the team's own file says, without the platform's defaults."""
    own = [layer for layer in layers.layers if layer.tree is layers.home and not layer.mount]
    return without_overlays(merged(own))


def written_value(layers: Layers) -> dict[str, Any]:
    """What the team's own file says, and the bases that it names."""
    value = _own_value(layers)
    for path, _ in list(entries_with_bases(value)):
        section, name = map(str, path)
        below = without_overlays(merged(layer for layer in layers.layers if layer.mount == path))
        entry = merge(below, value[section][name])
        value[section] = {
            **value[section],
            name: {key: child for key, child in entry.items() if key != EXTENDS},
        }
    return value


def trees_of_bases(layers: Layers) -> Iterator[YamlTree]:
    """The files of the bases that a team names, each once."""
    trees = {layer.tree.source.file: layer.tree for layer in layers.layers if _is_of_base(layer)}
    yield from trees.values()


def _is_of_base(layer: Layer) -> bool:
    return len(layer.mount) > 1 and EVERY not in layer.mount


def whole_value(layers: Layers, platform: PlatformConfig) -> dict[str, Any]:
    """What is said in all layers, the platform's included."""
    value = written_value(layers)
    for section in ("defaults", "notify"):
        if inherited := getattr(platform, section):
            value[section] = merge(inherited, value.get(section, {}))
    for section in ("datasets", "models"):
        inherited = getattr(platform, section)
        if inherited and isinstance(value.get(section), dict):
            value[section] = {
                name: merge(inherited, child) for name, child in value[section].items()
            }
    if isinstance(dags := value.get("dags"), dict) and isinstance(dags.get(DEFAULT_DAG), dict):
        value["dags"] = {
            name: merge(dags[DEFAULT_DAG], dag) for name, dag in dags.items() if name != DEFAULT_DAG
        }
    return value


def merged(layers: Iterable[Layer]) -> dict[str, Any]:
    """Layers of one file, given the strongest first, as one mapping."""
    value: dict[str, Any] = {}
    for layer in reversed(tuple(layers)):
        value = merge(value, layer.value)
    return value


def without_overlays(value: dict[str, Any]) -> dict[str, Any]:
    """A file's value without what differs in environments."""
    return {key: child for key, child in value.items() if key != OVERLAYS}
