"""Plug-ins made for a test: a package and its entry points on the path, without an installation."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from factory import kinds


def forget_plugins() -> None:
    """Let the register look again at what is installed."""
    caches = (
        kinds._all_entry_points,
        kinds._entry_points,
        kinds._added,
        kinds._union,
        kinds._validator,
    )
    for cached in caches:
        cached.cache_clear()
    importlib.invalidate_caches()


@contextmanager
def installed(
    folder: Path, package: str, code: str, **entry_points: dict[str, str]
) -> Iterator[None]:
    """A package of one module, installed while the block runs.

    Args:
        folder: Where to write it.
        package: Its name.
        code: Its module.
        entry_points: By family, such as `source={"feed": "Feed"}`: kind to name in the module.
    """
    (folder / f"{package}.py").write_text(code)
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    groups = [
        f"[ml_dag_factory.{family}]\n"
        + "".join(f"{kind} = {package}:{name}\n" for kind, name in named.items())
        for family, named in entry_points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        forget_plugins()
        try:
            yield
        finally:
            sys.modules.pop(package, None)
    forget_plugins()
