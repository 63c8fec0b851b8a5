"""Python and packages: whether their versions are those that the factory was made for."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from factory.diagnosis.finding import Diagnosis, Examined

PACKAGE = "ml-dag-factory"
_NAMED = ("apache-airflow", "dag-factory", "mlflow")
_HOW = "install what requirements.lock says: `make install`"


def check_factory(_: Examined) -> Iterator[Diagnosis]:
    """Which factory it is."""
    try:
        yield Diagnosis("factory", "ok", version(PACKAGE))
    except PackageNotFoundError:
        advice = "install it, so that its versions can be compared: `pip install --editable .`"
        yield Diagnosis("factory", "warning", "is not installed as a package", advice)


def check_python(_: Examined) -> Iterator[Diagnosis]:
    """Whether this Python is new enough."""
    found = platform.python_version()
    wanted = SpecifierSet(_required_python())
    if wanted.contains(found, prereleases=True):
        yield Diagnosis("Python", "ok", found)
    else:
        yield Diagnosis("Python", "wrong", f"{found}, wanted {wanted}", f"use a Python {wanted}")


def check_packages(_: Examined) -> Iterator[Diagnosis]:
    """Whether each package that the factory needs is there, and within the bounds of its own metadata."""
    others: list[str] = []
    for requirement in _required():
        found = _installed(requirement.name)
        is_within = found is not None and requirement.specifier.contains(found, prereleases=True)
        if not is_within:
            text = f"{found or 'is not installed'}, wanted {requirement.specifier}"
            yield Diagnosis(requirement.name, "wrong", text, _HOW)
        elif requirement.name in _NAMED:
            yield Diagnosis(requirement.name, "ok", f"{found}, wanted {requirement.specifier}")
        else:
            others.append(requirement.name)
    if others:
        yield Diagnosis("other packages", "ok", f"{len(others)} are within their bounds")


def _required_python() -> str:
    try:
        return metadata(PACKAGE)["Requires-Python"] or ""
    except PackageNotFoundError:
        return ""


def _required() -> Iterator[Requirement]:
    """The packages that the factory needs without an extra."""
    try:
        found = requires(PACKAGE) or []
    except PackageNotFoundError:
        return
    for text in found:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
