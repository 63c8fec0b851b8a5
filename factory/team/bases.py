"""`extends`: fields that a dataset or a model has from a base, a file in `configs/_bases/`.

A base lies below what the team writes, and above what `_defaults.yaml` says; one that extends another lies above it.
Its own `environments` lie over it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.texts import did_you_mean, in_quotes, one_of
from factory.team.for_each import SECTIONS
from factory.team.layers import Layer
from factory.team.overlays import overlay_of
from factory.team.source_text import read_text
from factory.team.yaml_tree import parse

EXTENDS = "extends"
FOLDER = "_bases"


def entries_with_bases(value: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """The place of each dataset and model that extends a base, and what it says."""
    for section in SECTIONS:
        items = value.get(section)
        for name, item in items.items() if isinstance(items, dict) else ():
            if isinstance(item, dict) and EXTENDS in item:
                yield (section, name), item[EXTENDS]


def layers_of_bases(
    path: KeyPath, written: object, configs: Path, environment: str | None
) -> tuple[list[Layer], Finding | None]:
    """The layers of the bases of a dataset or a model, the strongest first, and what is wrong with the last of them.

    Args:
        path: The place of the dataset or model.
        written: What `extends` says.
        configs: The folder with the team files.
        environment: Whose overlays apply.

    Raises:
        ReadFailed: A base is not YAML, or no mapping.
    """
    known = {file.stem: file for file in base_paths(configs)}
    layers: list[Layer] = []
    seen: list[str] = []
    while True:
        if not isinstance(written, str):
            return layers, _finding(path, f"`{EXTENDS}` must be the name of a base", None)
        if written in seen:
            chain = " → ".join([*seen, written])
            return layers, _finding(path, f"a base extends itself: {chain}", None)
        if written not in known:
            there = f"`{configs.name}/{FOLDER}` has {one_of(known) if known else 'no file'}"
            by = f", which `{seen[-1]}` extends" if seen else ""
            suggestion = did_you_mean(written, known, there)
            return layers, _finding(path, f"there is no base {in_quotes(written)}{by}", suggestion)
        tree = parse(read_text(known[written]))
        own = (*overlay_of(tree, environment), Layer(tree, tree.value))
        layers += [replace(layer, mount=path) for layer in own]
        seen.append(written)
        further = next((layer.value for layer in own if EXTENDS in layer.value), None)
        if further is None:
            return layers, None
        written = further[EXTENDS]


def base_paths(configs: Path) -> list[Path]:
    """The files of all bases, by name."""
    return sorted((configs / FOLDER).glob("*.yaml"))


def _finding(path: KeyPath, message: str, suggestion: str | None) -> Finding:
    return Finding("base", (*path, EXTENDS), message, suggestion)
