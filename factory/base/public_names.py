"""The names that installed packages publish, read from their sources: no code of theirs is run."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from factory.base.code import is_public
from factory.base.texts import closest

_LISTED = re.compile(r"^__all__\s*\+?=\s*[\[(](.*?)[\])]", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"""["']([A-Za-z]\w*)["']""")
_DEFINED = re.compile(r"^(?:class|def) ([A-Za-z]\w*)", re.MULTILINE)
_MOST_FILES = 500
_NO_CODE_OF_ITS_OWN = ("tests", "experimental", "conftest", "utils")
"""Modules whose names are not those that a person means."""


def meant_path(written: str, packages: Iterable[str]) -> str | None:
    """The dotted path that was probably meant by one that is wrong, or by a bare name.

    Args:
        written: Of whose last part something is right.
        packages: Where to look; of several that have the name, the first.
    """
    name = written.rpartition(".")[2]
    names = {package: public_paths(package) for package in packages}
    for paths in names.values():
        if name in paths:
            return _nearest(written, paths[name])
    for paths in names.values():
        if (near := closest(name, paths, likeness=0.88)) is not None:
            return _nearest(written, paths[near])
    return None


def _nearest(written: str, paths: tuple[str, ...]) -> str:
    """The path that has most of the parts that were written, the shortest of these."""
    parts = set(written.split("."))
    return min(paths, key=lambda path: (-len(parts & set(path.split("."))), len(path)))


@cache
def public_paths(package: str) -> dict[str, tuple[str, ...]]:
    """By name, the dotted paths of the functions and classes that a package publishes.

    They are what `__all__` lists, in the package itself, its modules and the packages just below it, or
    without such a list what is defined there. Empty where the package is not installed.
    """
    found: dict[str, list[str]] = {}
    for module, file in _modules(package):
        text = file.read_text(encoding="utf-8", errors="replace")
        listed = _LISTED.findall(text)
        names = _QUOTED.findall(" ".join(listed)) if listed else _DEFINED.findall(text)
        for name in names:
            found.setdefault(name, []).append(f"{module}.{name}")
    return {name: tuple(paths) for name, paths in found.items()}


def _modules(package: str) -> Iterator[tuple[str, Path]]:
    top, *below = package.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        if spec.origin and spec.origin.endswith(".py"):
            yield top, Path(spec.origin)
        return
    for place in spec.submodule_search_locations:
        folder = Path(place, *below)
        files = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
        for file in sorted(files)[:_MOST_FILES]:
            parts = file.relative_to(folder).with_suffix("").parts
            module = ".".join((package, *(part for part in parts if part != "__init__")))
            if is_public(module) and not set(_NO_CODE_OF_ITS_OWN) & set(parts):
                yield module, file
