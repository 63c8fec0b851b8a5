"""Find what a dotted path names, and build an estimator from it."""

import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from factory.base.code import is_public
from factory.base.errors import TerminalError
from factory.base.texts import hint

Component = Any
"""An estimator or transformer; scikit-learn's API is by name, not by type."""


def import_object(path: str) -> Component:
    """What `package.module.name` names, which must be defined in that package, and not imported into it.

    Raises:
        TerminalError: There is no such module, it fails to import, it has no such name, or only by import.
    """
    if not is_public(path):
        raise TerminalError(f"{path} is private to its package: name what the package documents")
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise TerminalError(
            f"{path}: there is no module {error.name!r} on this worker: "
            "install its package, or correct the path"
        ) from error
    except Exception as error:
        raise TerminalError(f"{path}: importing {module_name!r} failed: {error!r}") from error
    try:
        found = getattr(module, name)
    except AttributeError:
        raise TerminalError(
            f"{path}: {module_name!r} has no {name!r}{hint(name, dir(module))}"
        ) from None
    package, origin = path.partition(".")[0], str(getattr(found, "__module__", None))
    if origin.partition(".")[0] != package:
        raise TerminalError(
            f"{path} is not defined in {package}, which has only imported it ({origin}): "
            f"name a function or class of {package} itself"
        )
    return found


def build_estimator(path: str, params: Mapping[str, Any], seed: int) -> Component:
    """The unfitted estimator at `path`; every `random_state` that is left open becomes `seed`.

    Raises:
        TerminalError: There is no such estimator, or it does not accept a parameter.
    """
    factory = import_object(path)
    # Looked at before it is called: a function would do whatever it does.
    if not (
        inspect.isclass(factory) and hasattr(factory, "fit") and hasattr(factory, "get_params")
    ):
        raise TerminalError(
            f"{path} is no estimator's class (with `fit`, `predict` and `get_params`): "
            "name one such as sklearn.linear_model.LogisticRegression"
        )
    _check_params(path, factory, params)
    try:
        estimator = factory(**params)
    except (TypeError, ValueError) as error:
        raise TerminalError(f"{path} cannot be made from {dict(params)}: {error}") from error
    return fix_random_states(estimator, seed, given=params)


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


_REFUSED_PARAMS: Mapping[str, Collection[object]] = {"input": ("file", "filename")}
"""Values of parameters that make an estimator read files that its rows name."""


def _check_params(path: str, factory: Callable[..., Any], params: Mapping[str, Any]) -> None:
    for name, value in params.items():
        word = name.rpartition("__")[2]
        # scikit-learn keeps what it caches as pickles, and runs what it reads back.
        if (word == "memory" and isinstance(value, str)) or value in _REFUSED_PARAMS.get(word, ()):
            raise TerminalError(f"{path}: {name}={value!r} reads or writes files: leave it out")
    try:
        signature = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # Compiled code need not have one; it speaks for itself.
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values()):
        return
    for name in params:
        if name not in signature:
            raise TerminalError(
                f"{path} has no parameter `{name}`{hint(name, signature)}; "
                f"it has {', '.join(signature) or 'none'}"
            )
