"""What operators, decorators and functions take; and for a dotted path that leads nowhere, what was meant."""

import datetime as dt
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from factory.base.objects import NoSuchObjectError, check_origin
from factory.base.texts import closest
from factory.team.own_code import is_airflows

_MOVED = {
    "airflow.datasets.Dataset": "airflow.sdk.Asset",
    "airflow.datasets.DatasetAlias": "airflow.sdk.AssetAlias",
}
"""What Airflow 3 names otherwise than Airflow 2."""
_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)


class NoObjectError(Exception):
    """A dotted path leads nowhere."""

    def __init__(self, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def find_object(path: str) -> Any:
    """The object of a dotted path, as Airflow finds it.

    Of Airflow, other than with `factory.base.objects.import_object`, what a module only imports counts too: it and its
    providers document operators under such names. What a team may name, `factory.team.dag_rules` has said before.

    Raises:
        NoObjectError: There is none, its module cannot be imported, or has only imported it.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, module_name):
            raise _no_module(path, error.name or module_name) from None
        raise NoObjectError(
            f"`{path}` cannot be imported: {type(error).__name__}: {error}",
            f"see that `import {module_name}` works where Airflow runs",
        ) from error
    try:
        found = getattr(module, name)
    except AttributeError:
        pass
    except Exception as error:
        raise NoObjectError(f"`{path}` cannot be imported: {error}", "name another") from error
    else:
        return found if is_airflows(path) else _own(path, found)
    message = f"there is no `{name}` in `{module_name}`"
    near = closest(name, _public(module), likeness=0.7)
    meant = f"{module_name}.{near}" if near else _known_operator(name)
    raise NoObjectError(
        message, f"did you mean `{meant}`?" if meant else "see the documentation of the package"
    )


def _own(path: str, found: Any) -> Any:
    """What a path names, which must be defined in the path's package."""
    try:
        check_origin(path, found)
    except NoSuchObjectError as error:
        raise NoObjectError(f"`{path}`: {error.what}", error.suggestion or "name another") from None
    return found


def _is_part(missing: str | None, module: str) -> bool:
    """Whether a missing module is the one that is asked for, or above it: not one that it imports."""
    return missing is not None and (module == missing or module.startswith(f"{missing}."))


def _public(module: Any) -> Iterator[str]:
    """Names of a module that may be meant; of one with operators, the operators."""
    from airflow.sdk.bases.operator import BaseOperator

    own = {name: getattr(module, name, None) for name in dir(module) if not name.startswith("_")}
    operators = [
        name for name, one in own.items() if isinstance(one, type) and issubclass(one, BaseOperator)
    ]
    yield from operators or own


def _no_module(path: str, missing: str) -> NoObjectError:
    above, _, name = missing.rpartition(".")
    rest = path.removeprefix(f"{missing}.")
    if meant := _known_operator(path.rpartition(".")[2], exactly=True):
        return NoObjectError(f"there is no module `{missing}`", f"did you mean `{meant}`?")
    if path in _MOVED:
        return NoObjectError(f"there is no module `{missing}`", f"did you mean `{_MOVED[path]}`?")
    if not above:
        advice = (
            "correct the name, or install the package where files are validated and Airflow runs"
        )
        return NoObjectError(f"there is no package `{missing}`", advice)
    package = importlib.import_module(above)
    siblings = [found.name for found in pkgutil.iter_modules(getattr(package, "__path__", ()))]
    near = closest(name, siblings, likeness=0.7)
    meant = f"{above}.{near}.{rest}" if near else _known_operator(path.rpartition(".")[2])
    advice = f"did you mean `{meant}`?" if meant else f"`{above}` is there, but has no `{name}`"
    if above == "airflow.providers" and not near:
        advice = (
            f"install apache-airflow-providers-{name} where files are validated and Airflow runs"
        )
    return NoObjectError(f"there is no module `{missing}`", advice)


def _known_operator(name: str, *, exactly: bool = False) -> str | None:
    """The path of an installed operator of Airflow's providers, by its class's name or one like it."""
    known = _installed_operators()
    if exactly or name in known:
        return known.get(name)
    near = closest(name, known, likeness=0.8)
    return known[near] if near else None


@cache
def _installed_operators() -> dict[str, str]:
    """The paths of operators and sensors by the names of their classes; nothing is imported for it."""
    import airflow.providers

    found: dict[str, str] = {}
    for folder in map(Path, airflow.providers.__path__):
        for kind in ("operators", "sensors"):
            for file in sorted(folder.glob(f"**/{kind}/*.py")):
                module = ".".join(
                    ("airflow.providers", *file.relative_to(folder).with_suffix("").parts)
                )
                for name in _CLASS.findall(file.read_text("utf-8")):
                    if not name.startswith("_"):
                        found.setdefault(name, module.removesuffix(".__init__") + f".{name}")
    return found


@dataclass(frozen=True)
class Parameters:
    """The arguments that a call takes."""

    names: frozenset[str]
    required: frozenset[str]
    takes_more: bool = False
    """Whether it takes arguments of any name."""
    by_keyword_only: frozenset[str] = frozenset()


_INTERNAL = frozenset(("self", "dag", "task_group", "task_id", "params", "default_args"))


def operator_parameters(operator: type) -> Parameters:
    """What a class of operators takes: its own arguments, and those that it hands on to the classes above."""
    names: set[str] = set()
    required: frozenset[str] | None = None
    for part in operator.__mro__:
        init = part.__dict__.get("__init__")
        if init is None or part is object:
            continue
        parameters = inspect.signature(init).parameters.values()
        own = [one for one in parameters if one.kind in _NAMED and one.name not in _INTERNAL]
        names |= {one.name for one in own if not one.name.startswith("_")}
        if required is None:
            required = frozenset(one.name for one in own if one.default is one.empty)
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
    return Parameters(frozenset(names), required or frozenset())


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


_WITHOUT_SIGNATURE: Mapping[Any, tuple[str, ...]] = {
    dt.timedelta: (
        *("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"),
    ),
    dt.datetime: (
        *("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold"),
    ),
    dt.time: ("hour", "minute", "second", "microsecond", "tzinfo", "fold"),
}
"""The arguments of types that are not written in Python."""


def function_parameters(function: Callable[..., Any]) -> Parameters:
    """What a function takes; what cannot be known takes everything."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        names = _WITHOUT_SIGNATURE.get(function)
        return Parameters(frozenset(names or ()), frozenset(), takes_more=names is None)
    named = [one for one in parameters if one.kind in _NAMED]
    return Parameters(
        frozenset(one.name for one in named),
        frozenset(one.name for one in named if one.default is one.empty),
        takes_more=any(one.kind is one.VAR_KEYWORD for one in parameters),
        by_keyword_only=frozenset(one.name for one in named if one.kind is one.KEYWORD_ONLY),
    )
