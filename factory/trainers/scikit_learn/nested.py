"""Make an estimator with others in its parameters; see `factory.base.nested_estimators`."""

from collections.abc import Mapping
from typing import Any

from factory.base.nested_estimators import flat_params, is_named, is_nested, params_of
from factory.base.objects import Component, build_estimator, import_object
from factory.trainers.scikit_learn.boosting import as_used, with_defaults


def build(path: str, params: Mapping[str, Any], seed: int, threads: int | None) -> Component:
    """The unfitted estimator at `path`, those within it made first, with what their libraries want.

    Args:
        path: Its dotted path.
        params: Its parameters; several estimators by name become scikit-learn's list of pairs.
        seed: What each `random_state` that is left open becomes.
        threads: How many threads each may take; None leaves it to the libraries.

    Raises:
        TerminalError: One of them does not exist, or does not accept a parameter.
    """
    made = {name: _made(value, seed, threads) for name, value in params.items()}
    values = _with_tuples(path, with_defaults(path, made, threads))
    return build_estimator(path, values, seed, given=flat_params(params))


def _with_tuples(path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with tuples for the lists that the class takes in no other form."""
    if not any(isinstance(value, list) for value in params.values()):
        return dict(params)
    # Late, because a fit seldom needs it, and it takes a sixth of a second.
    from factory.trainers.scikit_learn.value_check import constraints_of

    constraints = constraints_of(import_object(path))
    return {
        name: tuple(value)
        if name in constraints and constraints[name].wants_tuple(value)
        else value
        for name, value in params.items()
    }


def _made(value: Any, seed: int, threads: int | None) -> Any:
    """A parameter's value, with estimators in place of the mappings that stand for them."""
    if is_nested(value):
        return as_used(build(value["estimator"], params_of(value), seed, threads))
    if is_named(value):
        return [(name, _made(one, seed, threads)) for name, one in value.items()]
    return value
