"""Find what a dotted path names, and build an estimator from it."""

import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from factory.base.errors import TerminalError
from factory.base.texts import hint

Component = Any
"""An estimator or transformer; scikit-learn's API is by name, not by type."""


def import_object(path: str) -> Component:
    """What `package.module.name` names.

    Raises:
        TerminalError: There is no such module, it fails to import, or it has no such name.
    """
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
        return getattr(module, name)
    except AttributeError:
        raise TerminalError(
            f"{path}: {module_name!r} has no {name!r}{hint(name, dir(module))}"
        ) from None


def build_estimator(path: str, params: Mapping[str, Any], seed: int) -> Component:
    """The unfitted estimator at `path`; every `random_state` that is left open becomes `seed`.

    Raises:
        TerminalError: There is no such estimator, or it does not accept a parameter.
    """
    factory = import_object(path)
    if not callable(factory):
        raise TerminalError(f"{path} is a {type(factory).__name__}, not an estimator's class")
    _check_params(path, factory, params)
    try:
        estimator = factory(**params)
    except (TypeError, ValueError) as error:
        raise TerminalError(f"{path} cannot be made from {dict(params)}: {error}") from error
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise TerminalError(
            f"{path} has no scikit-learn API (`fit`, `predict`, `get_params`): "
            "name a class such as sklearn.linear_model.LogisticRegression"
        )
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


def _check_params(path: str, factory: Callable[..., Any], params: Mapping[str, Any]) -> None:
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
