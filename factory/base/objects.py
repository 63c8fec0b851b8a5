"""Find what a dotted path names, and build an estimator from it."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from factory.base.code import is_public
from factory.base.errors import TerminalError
from factory.base.public_names import meant_path
from factory.base.texts import closest, hint, one_of

_FEW_NAMES = 12
"""As many names of a module are listed for who has written none of them."""

Component = Any
"""An estimator or transformer; scikit-learn's API is by name, not by type."""


class NoSuchObjectError(TerminalError):
    """A dotted path names nothing that can be used."""

    def __init__(
        self, path: str, what: str, suggestion: str | None = None, *, is_certain: bool = True
    ) -> None:
        self.what = what
        """What is wrong."""
        self.suggestion = suggestion
        """What to write, or to do, instead."""
        self.is_certain = is_certain
        """Whether it is so on other machines too, which may have packages and settings that this has not."""
        super().__init__(f"{path}: {what}" + (f": {suggestion}" if suggestion else ""))


def import_object(path: str) -> Component:
    """What `package.module.name` names, which must be defined in that package, and not imported into it.

    Raises:
        NoSuchObjectError: There is no such module, it fails to import, it has no such name, or only by
            import.
    """
    package = path.partition(".")[0]
    if not is_public(path):
        meant = meant_path(path, (package,))
        advice = f"write {meant}" if meant else "name what the package documents"
        raise NoSuchObjectError(path, "it is private to its package", advice)
    module_name, _, name = path.rpartition(".")
    found = _attribute(path, _module(path, module_name), name)
    check_origin(path, found)
    return found


def check_origin(path: str, found: object) -> None:
    """Check that what a dotted path names is defined in the path's package, and not imported into it.

    Raises:
        NoSuchObjectError: It is imported.
    """
    package = path.partition(".")[0]
    origin = str(getattr(found, "__module__", None))
    if origin.partition(".")[0] != package:
        raise NoSuchObjectError(
            path,
            f"it is not defined in {package}, which has only imported it ({origin})",
            f"name a function or class of {package} itself",
        )


def _module(path: str, name: str) -> Any:
    package = path.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if missing == package:
            what = f"there is no package {missing!r} on this machine"
            advice = "install it here as on the workers, or correct the path"
            raise NoSuchObjectError(path, what, advice, is_certain=False) from error
        if name == missing or name.startswith(f"{missing}."):
            meant = meant_path(path, (package,))
            advice = f"did you mean `{meant}`?" if meant else "correct the path"
            raise NoSuchObjectError(path, f"there is no module {missing!r}", advice) from error
        what = f"{name!r} imports {missing!r}, which is not on this machine"
        advice = "install it here as on the workers"
        raise NoSuchObjectError(path, what, advice, is_certain=False) from error
    except SyntaxError as error:
        where = f"line {error.lineno} of {Path(error.filename or name).name}"
        raise NoSuchObjectError(path, f"{where} is no Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        what = f"importing {name!r} failed: {error!r}"
        raise NoSuchObjectError(path, what, is_certain=False) from error


def _attribute(path: str, module: Any, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        meant = meant_path(path, (path.partition(".")[0],))
        advice = f"did you mean `{meant}`?" if meant else _what_it_has(name, module)
        what = f"{module.__name__!r} has no {name!r}"
        raise NoSuchObjectError(path, what, advice) from None
    except Exception as error:  # a module may say by its own means what it wants first
        lines = str(error).strip().splitlines() or [repr(error)]
        raise NoSuchObjectError(path, f"it cannot be imported: {lines[0].rstrip(':')}") from error


def _what_it_has(name: str, module: Any) -> str | None:
    package = module.__name__.partition(".")[0]
    own = [
        one
        for one, value in vars(module).items()
        if not one.startswith("_")
        and callable(value)
        and str(getattr(value, "__module__", "")).partition(".")[0] == package
    ]
    if (near := closest(name, own)) is not None:
        return f"did you mean `{module.__name__}.{near}`?"
    return f"it has {one_of(sorted(own))}" if 0 < len(own) <= _FEW_NAMES else None


def files_of(path: str) -> tuple[str, ...]:
    """The files that decide what a dotted path names, beside the installed packages.

    They are those of its package that are imported, and where it is missing, those that would be.
    """
    import sysconfig

    package, *below = path.split(".")
    installed = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")]
    found = {
        Path(file)
        for name, module in tuple(sys.modules.items())
        if name.partition(".")[0] == package and (file := getattr(module, "__file__", None))
    }
    for folder in map(Path, sys.path) if not found else ():
        found |= {folder / package, folder / f"{package}.py"}
    for outer in tuple(found):
        found |= (
            set(_modules_below(outer.parent, below[:-1])) if outer.name == "__init__.py" else set()
        )
    return tuple(
        sorted(
            str(file) for file in found if not any(file.is_relative_to(one) for one in installed)
        )
    )


def _modules_below(folder: Path, names: list[str]) -> Iterator[Path]:
    """Where modules are, or would be, that are below a package."""
    for name in names:
        yield folder / f"{name}.py"
        folder /= name
        yield folder / "__init__.py"


def build_estimator(
    path: str, params: Mapping[str, Any], seed: int, given: Collection[str] = ()
) -> Component:
    """The unfitted estimator at `path`; every `random_state` that is left open becomes `seed`.

    Args:
        path: Its dotted path.
        params: Its parameters.
        seed: The seed to set.
        given: Parameters of estimators within it that stay as they are, such as `base__random_state`.

    Raises:
        TerminalError: There is no such estimator, or it does not accept a parameter.
    """
    factory = import_object(path)
    # Looked at before it is called: a function would do whatever it does.
    if not is_estimator_class(factory):
        raise TerminalError(
            f"{path} is no estimator's class (with `fit`, `predict` and `get_params`): "
            "name one such as sklearn.linear_model.LogisticRegression"
        )
    for name, value in params.items():
        if touches_files(name, value):
            raise TerminalError(
                f"{path}: {name}={value!r} reads or writes files, or asks servers: leave it out"
            )
    own, of_parts = _divided(path, factory, params)
    try:
        estimator = factory(**own).set_params(**of_parts) if of_parts else factory(**own)
    except (TypeError, ValueError) as error:
        raise TerminalError(f"{path} cannot be made from {dict(params)}: {error}") from error
    return fix_random_states(estimator, seed, given=(*params, *given))


def is_estimator_class(found: object) -> bool:
    """Whether it is a class with scikit-learn's API; whether it can predict is not looked at."""
    return inspect.isclass(found) and hasattr(found, "fit") and hasattr(found, "get_params")


def fix_random_states(component: Component, seed: int, given: Collection[str] = ()) -> Component:
    """The estimator or transformer, each `random_state` within it that is left open set to `seed`.

    Args:
        component: Anything with scikit-learn's `get_params` and `set_params`.
        seed: The seed to set.
        given: Parameters that stay as they are, None included.
    """
    left_open = {
        name: seed
        for name, value in component.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None and name not in given
    }
    return component.set_params(**left_open)


_REFUSED_PARAMS: Mapping[str, Collection[object]] = {
    "input": ("file", "filename"),
    "allow_writing_files": (True,),
    "save_snapshot": (True,),
}
"""Values of parameters that make an estimator read files that its rows name, or write some of its own."""
_FILE = re.compile(
    r"(.*_)?(file|filename|dir|path|memory)|(in|out)put_(model|borders)|model_(in|out)put"
    # LightGBM's other names of files and of servers, which it connects to.
    r"|forced_splits|fs|machine_list|mlist|machines|workers|nodes"
)
"""Names of parameters that take a file, a folder or servers."""


def touches_files(name: str, value: object) -> bool:
    """Whether a parameter makes an estimator read or write files, or ask servers."""
    word = name.rpartition("__")[2]
    # scikit-learn keeps what it caches as pickles, and runs what it reads back.
    return value in _REFUSED_PARAMS.get(word, ()) or (
        isinstance(value, str) and _FILE.fullmatch(word) is not None
    )


def known_params(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """The parameters that a class takes when it is made; None where it takes any, or does not say."""
    try:
        signature = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # Compiled code need not have one; it speaks for itself.
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values()):
        return None
    return signature


def _divided(
    path: str, factory: Callable[..., Any], params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of an estimator itself, and those of estimators within it, such as `base__C`."""
    known = known_params(factory)
    if known is None:
        return dict(params), {}
    own = {name: value for name, value in params.items() if name in known}
    others = {name: value for name, value in params.items() if name not in known}
    for name in others:
        if name.partition("__")[0] not in known or "__" not in name:
            raise TerminalError(
                f"{path} has no parameter `{name}`{hint(name, known)}; "
                f"it has {', '.join(known) or 'none'}"
            )
    return own, others
