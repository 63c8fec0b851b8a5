"""Values laid over each other, and which file each of them comes from.

The reader's module says which layers there are.

Mappings are merged key by key; lists and single values are replaced. Where an upper mapping names
another `type`, `check` or `strategy`, it replaces the lower one whole: what belonged to the other
kind would not fit.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.team.problems import Problem
from factory.team.text_places import problem_within
from factory.team.yaml_tree import YamlTree

_COMMENT_FOR_VALUE = re.compile(r":\s+(?P<text>#[^\s#].*?)\s*$")
SECRET = "F046"  # noqa: S105 - a code
"""The code of what is not shown, wherever it stands."""

KINDS = ("type", "check", "strategy")
"""Keys that say of which kind a mapping is."""

EVERY = "*"
"""In a layer's `mount`: whatever key stands there."""


def merge(lower: Any, upper: Any) -> Any:
    """`upper` laid over `lower`; neither is changed."""
    if _replaces(upper, lower):
        return upper
    merged = dict(lower)
    for key, value in upper.items():
        merged[key] = merge(lower[key], value) if key in lower else value
    return merged


def _replaces(upper: object, lower: object) -> bool:
    if not isinstance(upper, dict) or not isinstance(lower, dict):
        return True
    return any(kind in upper and kind in lower and upper[kind] != lower[kind] for kind in KINDS)


@dataclass(frozen=True)
class Layer:
    """Part of a file, and where it takes part in the whole.

    `value` stands at `prefix` in the file, and is laid at `mount` of the whole.
    """

    tree: YamlTree
    value: Any
    prefix: KeyPath = ()
    mount: KeyPath = ()


@dataclass(frozen=True)
class _View:
    """What one layer has at some path: nothing of its own above its mount."""

    layer: Layer
    value: Any
    path: KeyPath
    mount: KeyPath

    def step(self, key: str | int) -> "_View | None":
        if self.mount:
            matches = self.mount[0] in (EVERY, key)
            return _View(self.layer, self.value, self.path, self.mount[1:]) if matches else None
        if isinstance(self.value, dict) and key in self.value:
            return _View(self.layer, self.value[key], (*self.path, key), ())
        if isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            return _View(self.layer, self.value[key], (*self.path, key), ())
        return None


@dataclass(frozen=True)
class Layers:
    """Layers, the strongest first."""

    layers: tuple[Layer, ...]
    home: YamlTree
    """The file that is answerable for the whole: what is missing is missing there."""

    def problem(
        self,
        name: str,
        path: KeyPath,
        message: str,
        suggestion: str | None = None,
        *,
        on_key: bool = False,
    ) -> Problem:
        """A problem at a path of the whole, in the file that its value comes from.

        Where the path leads nowhere, the problem is shown at the last mapping on the way.
        """
        view = self._find(path)
        return view.layer.tree.problem(name, view.path, message, suggestion, on_key=on_key)

    def locate(self, finding: Finding) -> Problem:
        """The problem that a finding is, at its place."""
        said = (finding.message, finding.suggestion)
        path = finding.path
        if finding.within is not None:
            view = self._find(path)
            return problem_within(finding, finding.within, view.layer.tree, view.path)
        if finding.or_path is not None and self._find(path).layer.tree is not self.home:
            path = finding.or_path
        found = self.problem(finding.name, path, *said, on_key=finding.on_key)
        if found.code != SECRET:
            comment = _COMMENT_FOR_VALUE.search(found.source)
            if comment and finding.message.endswith("found nothing"):
                advice = f'`#` starts a comment in YAML: write "{comment["text"]}" in quotes'
                return replace(found, suggestion=advice)
            return found
        before = found.source[: found.column - 1]
        return replace(found, source=before + "*" * (len(found.source) - len(before)))

    def place(self, path: KeyPath) -> tuple[Path, int] | None:
        """The file and the line, from 1, that a path of the whole is written in; None where no file writes it.

        Of a section in its short form, such as `schedule: "@daily"`, all that is in it stands there.
        """
        view, is_written = self._follow(path)
        is_written = is_written or not isinstance(view.value, (dict, list))
        line = view.layer.tree.line(view.path)
        return (view.layer.tree.source.file, line) if is_written else None

    def _find(self, path: KeyPath) -> _View:
        return self._follow(path)[0]

    def _follow(self, path: KeyPath) -> tuple[_View, bool]:
        """What is at a path, or at the last mapping on the way; and whether it is the path itself."""
        views = [_View(layer, layer.value, layer.prefix, layer.mount) for layer in self.layers]
        for key in path:
            below = _visible(view for view in (view.step(key) for view in views) if view)
            if not any(not view.mount for view in below):
                return self._own(views), False
            views = below
        return next(view for view in views if not view.mount), True

    def _own(self, views: list[_View]) -> _View:
        real = [view for view in views if not view.mount]
        at_home = (v for v in real if v.layer.tree is self.home and not v.layer.prefix)
        return next(at_home, real[0])


def _visible(views: Iterable[_View]) -> list[_View]:
    """The views that a stronger one does not replace."""
    visible: list[_View] = []
    for view in views:
        if not view.mount and any(
            not stronger.mount and _replaces(stronger.value, view.value) for stronger in visible
        ):
            break
        visible.append(view)
    return visible
