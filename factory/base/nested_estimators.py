"""Estimators within the parameters of another: `{estimator: path, params: {...}}`, alone or in a mapping by name."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from factory.base.findings import KeyPath

NestedEstimator = dict[str, Any]
"""A mapping with `estimator`, a dotted path, and perhaps with `params`."""


def is_nested(value: object) -> TypeGuard[NestedEstimator]:
    """Whether a parameter's value stands for an estimator."""
    return isinstance(value, dict) and isinstance(value.get("estimator"), str)


def is_named(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a parameter's value stands for several estimators, each with a name."""
    if not isinstance(value, dict) or is_nested(value):
        return False
    return any(is_nested(one) or _lists_nested(one) for one in value.values())


def _lists_nested(value: object) -> bool:
    return isinstance(value, list) and any(map(is_nested, value))


def has_nested(value: object) -> bool:
    """Whether there is an estimator anywhere in a value, in whatever form it is written."""
    if isinstance(value, dict):
        return is_nested(value) or any(map(has_nested, value.values()))
    return isinstance(value, list) and any(map(has_nested, value))


def params_of(nested: NestedEstimator) -> dict[str, Any]:
    """The parameters of a nested estimator; none where they are left out, or are no mapping."""
    params = nested.get("params")
    return params if isinstance(params, dict) else {}


def nested_in(value: object) -> Iterator[tuple[KeyPath, NestedEstimator]]:
    """The estimators of one parameter's value with their places, those within them left out.

    Args:
        value: An estimator, estimators by name, or a list of such values to try.
    """
    if is_nested(value):
        yield (), value
        return
    below: Iterator[tuple[str | int, Any]] = iter(())
    if is_named(value):
        below = iter(value.items())
    elif isinstance(value, list):
        below = iter(enumerate(value))
    for key, one in below:
        yield from (((key, *path), found) for path, found in nested_in(one))


def nested_at_any_depth(params: Mapping[str, Any]) -> Iterator[tuple[KeyPath, NestedEstimator]]:
    """All estimators within parameters, each with the way from the parameters to it."""
    for name, value in params.items():
        for path, one in nested_in(value):
            yield (name, *path), one
            for deeper, inner in nested_at_any_depth(params_of(one)):
                yield (name, *path, "params", *deeper), inner


def names_of_nested(params: Mapping[str, Any]) -> set[str]:
    """The names by which scikit-learn reaches estimators within parameters: `forest` in `forest__max_depth`."""
    own = {name for name, value in params.items() if is_nested(value) or _lists_nested(value)}
    return own | {name for value in params.values() if is_named(value) for name in value}


def nested_paths(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The dotted paths of all estimators within parameters, sorted."""
    return tuple(sorted({one["estimator"] for _, one in nested_at_any_depth(params)}))


def flat_params(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Parameters by the names that scikit-learn gives them, such as `estimator__C` and `forest__max_depth`.

    What kind of estimator a nested one is stands under `estimator` after its own name, as in the file.
    """
    found: dict[str, Any] = {}
    for name, value in params.items():
        if is_nested(value):
            found[f"{prefix}{name}__estimator"] = value["estimator"]
            found |= flat_params(params_of(value), f"{prefix}{name}__")
        elif is_named(value):
            found |= flat_params(value, prefix)
        else:
            found[f"{prefix}{name}"] = value
    return found
