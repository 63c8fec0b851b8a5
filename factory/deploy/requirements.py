"""What a serving container image installs: the very versions that are installed here, and no Airflow.

A model is served with the versions that it was trained and promoted with, so the list is read from
the installed packages, all that they need included; nothing is resolved anew there.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from factory.base.errors import TerminalError

SERVING = (
    "fastapi",
    "fastapi-offline",
    "httpx",
    "mlflow-skinny",
    "numpy",
    "pandas",
    "pillow",
    "prometheus-client",
    "psutil",
    "pyarrow",
    "pydantic",
    "python-multipart",
    "pyyaml",
    "rich",
    "scikit-learn",
    "scipy",
    "skops",
    "tenacity",
    "threadpoolctl",
    "typer",
    "typing-extensions",
    "uvicorn",
)
"""What `factory serve --model-folder` imports."""


def pinned(roots: Iterable[str], *, platform: str = "linux") -> list[str]:
    """`name==version` of packages and of all that they need, as installed here; sorted.

    Args:
        roots: Names of installed distributions.
        platform: What `sys_platform` is where they are to be installed.

    Raises:
        TerminalError: One is not installed.
    """
    environment = {"sys_platform": platform, "platform_system": platform.capitalize()}
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in roots]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        distribution = _installed(name)
        found[canonicalize_name(name)] = distribution.version
        waiting += _needs(distribution, {**environment, "extra": extra})
    return [f"{name}=={found[name]}" for name in sorted(found)]


def distributions_of(packages: Iterable[str]) -> list[str]:
    """The distributions that bring packages, such as `scikit-learn` for `sklearn`; sorted.

    Packages that come from none are left out: see `own_code`.
    """
    known = _distributions_by_package(tuple(sys.path))
    found = {name for package in packages for name in known.get(package.partition(".")[0], ())}
    return sorted(name for name in found if canonicalize_name(name) != "ml-dag-factory")


def own_code(packages: Iterable[str]) -> list[Path]:
    """The files or folders of packages that no distribution brings: a project's own code; sorted.

    Raises:
        TerminalError: A package is not to be found here.
    """
    known = _distributions_by_package(tuple(sys.path))
    found = set()
    for package in packages:
        name = package.partition(".")[0]
        if name in known or name in sys.stdlib_module_names:
            continue
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise TerminalError(
                f"the model holds types of {name}, which is not to be found here: make it importable "
                "where the deployment runs"
            )
        file = Path(spec.origin)
        found.add(file.parent if spec.submodule_search_locations else file)
    return sorted(found)


def python_version() -> str:
    """The Python that runs here, such as `3.11`: what the container image must have too."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@cache
def _distributions_by_package(_path: tuple[str, ...]) -> Mapping[str, list[str]]:
    """What brings each package; read once for a path, since every file of every package is looked at."""
    return metadata.packages_distributions()


def _installed(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise TerminalError(
            f"the serving image needs {name}, which is not installed here, so its version is not "
            f'known: pip install "{name}" where the deployment runs'
        ) from None


def _needs(
    distribution: metadata.Distribution, environment: dict[str, str]
) -> Iterator[tuple[str, str]]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        # The distribution itself, and once more for each extra that is asked for.
        for extra in ("", *sorted(requirement.extras)):
            yield requirement.name, extra
