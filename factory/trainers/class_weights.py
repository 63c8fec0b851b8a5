"""Numbers for classes, such as weights: as a team file has them, whose keys are texts, and as libraries take them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.base.findings import KeyPath
from factory.base.nested_estimators import is_named, is_nested, nested_at_any_depth, params_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BY_CLASS = ("class_weight", "class_weights", "sampling_strategy")
"""Parameters whose mappings have classes as keys."""
_IN_ORDER = "class_weights"
"""CatBoost's parameter, which is a list in the order of the classes."""


def as_key(one: object) -> str:
    """A class as the key of a mapping: `yes`, `"1"` and `"true"` without their quotes."""
    return one if isinstance(one, str) else json.dumps(one)


def mappings_by_class(params: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The mappings with classes as keys, each with its place, at any depth; those to be tried included."""
    yield from _own(params)
    for path, nested in nested_at_any_depth(params):
        yield from (((*path, "params", *at), found) for at, found in _own(params_of(nested)))


def _own(params: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    for name in _BY_CLASS:
        value = params.get(name)
        tried = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, one in tried:
            if isinstance(one, dict) and not is_nested(one):
                yield (name,) if index is None else (name, index), one


def with_classes(params: Mapping[str, Any], classes: Sequence[Any]) -> dict[str, Any]:
    """Parameters, at any depth, with the target's classes in place of the texts that stand for them.

    Args:
        params: Those of an estimator, or of a sampler; each has one value.
        classes: The classes of the training rows. Texts that stand for others are left out.
    """
    return {name: _with_classes(name, value, classes) for name, value in params.items()}


def _with_classes(name: str, value: Any, classes: Sequence[Any]) -> Any:
    if is_nested(value):
        return {**value, "params": with_classes(params_of(value), classes)}
    if is_named(value):
        return with_classes(value, classes)
    if name not in _BY_CLASS or not isinstance(value, dict):
        return value
    if name == _IN_ORDER:
        return [value.get(as_key(one), 1) for one in classes]
    return {one: value[as_key(one)] for one in classes if as_key(one) in value}


def weights_of_rows(
    class_weight: str | Mapping[str, float], learned: "NDArray[Any]", target: "NDArray[Any]"
) -> "NDArray[Any]":
    """How much each row counts by its class, as scikit-learn's `compute_sample_weight` has it.

    Args:
        class_weight: `balanced`, or a weight for each class; classes that it does not name weigh 1.
        learned: The classes of the training rows, by which `balanced` is reckoned.
        target: The classes of the rows, all of which are among those of `learned`.
    """
    import numpy as np
    from sklearn.utils.class_weight import compute_class_weight

    classes = np.unique(learned)
    if isinstance(class_weight, str):
        weights = compute_class_weight(class_weight, classes=classes, y=learned)
    else:
        weights = np.array([class_weight.get(as_key(one), 1.0) for one in classes.tolist()])
    found: NDArray[Any] = weights[np.searchsorted(classes, target)]
    return found
