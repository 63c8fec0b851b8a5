"""What `dags`, the part in plain dag-factory format, may name: code of allowed packages only.

dag-factory imports whatever its configuration names, runs files by path, and compiles text to
functions. A team file is data, so that only the first is kept, and only for allowed packages.
"""

import re
from collections.abc import Iterator
from typing import Any

from factory.base.section import DOTTED_PATH, how_to_allow, is_within
from factory.base.texts import one_of
from factory.team.problems import Finding, KeyPath

_IMPORTED = re.compile(
    r"operator|decorator|python_callable|callback|execution_date_fn|__type__|\w+_callback"
)
_RUNS_TEXT = re.compile(r"\w+_lambda")
_RUNS_FILE = re.compile(r"\w*(?:callable|_callback|_check|_fn)_file")
_HARMLESS = frozenset(("builtins.list", "datetime.timedelta", "datetime.datetime"))
"""Types that dag-factory's own documentation uses with `__type__`."""

ALWAYS_ALLOWED = ("airflow", "factory")


def check_dags(dags: object, python_packages: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with the section `dags`, which need not have the right shape."""
    if isinstance(dags, dict):
        yield from _check(dags, ("dags",), (*python_packages, *ALWAYS_ALLOWED))


def _check(value: Any, path: KeyPath, packages: tuple[str, ...]) -> Iterator[Finding]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, (*path, index), packages)
    if not isinstance(value, dict):
        return
    for key, child in value.items():
        below = (*path, key)
        if _RUNS_TEXT.fullmatch(key):
            yield _refused(below, "compiles text to a function")
        elif _RUNS_FILE.fullmatch(key):
            yield _refused(below, "runs a file by its path")
        elif key == "user_defined_macros" and isinstance(child, dict):
            for name, macro in child.items():
                yield from _check_import(macro, (*below, name), packages)
        elif _IMPORTED.fullmatch(key):
            yield from _check_import(child, below, packages)
        yield from _check(child, below, packages)


def _refused(path: KeyPath, what: str) -> Finding:
    return Finding(
        path,
        f"`{path[-1]}` {what}, which is not allowed in a team file",
        "put the function into a package and name it: `python_callable: package.module.function`",
        on_key=True,
    )


def _check_import(value: object, path: KeyPath, packages: tuple[str, ...]) -> Iterator[Finding]:
    if not isinstance(value, str) or value in _HARMLESS:
        return
    if not DOTTED_PATH.fullmatch(value):
        yield Finding(
            path,
            f"`{path[-1]}` must name a Python object: {value!r} is not a dotted path",
            "write `package.module.name`",
        )
    elif not is_within(value, packages):
        yield Finding(
            path,
            f"`{value}` is outside the packages that may be named here: {one_of(packages)}",
            how_to_allow(value.partition(".")[0]),
        )
