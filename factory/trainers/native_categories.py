"""Columns that an estimator takes as categories by itself: by name in a team file, by place for its library.

CatBoost calls them `cat_features`, scikit-learn's histogram boosting `categorical_features`, LightGBM
`categorical_feature`. Libraries look names up in a table of the team's columns; what they get here is prepared, and has none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.nested_estimators import is_named, is_nested, nested_at_any_depth, params_of
from factory.base.rules import Broken
from factory.base.texts import did_you_mean, one_of

_OF_TEXTS = "cat_features"
"""CatBoost's parameter, which takes texts as categories; the others take numbers."""
CATEGORIES = (_OF_TEXTS, "categorical_features", "categorical_feature")
"""Parameters that name columns."""
_WHEN_MADE = {"categorical_feature": "categorical_column"}
"""What LightGBM's estimators call it when they are made: under the other name only their `fit` looks at it."""


def are_names(value: object) -> bool:
    """Whether a parameter's value is a list of columns' names."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(one, str) for one in value)
    )


def category_columns(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that an estimator, and those within it, take as categories; each once, in the order of the file.

    Args:
        params: The estimator's parameters, each with one value.
    """
    found = (name for _, names in _named(params, has_spaces=False) for name in names)
    return tuple(dict.fromkeys(found))


def are_texts(params: Mapping[str, Any]) -> bool:
    """Whether an estimator, or one within it, takes its categories as texts, and no numbers for them."""
    return any(at[-1] == _OF_TEXTS for at, _ in _named(params, has_spaces=False))


def with_places(params: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Parameters, at any depth, with the columns' places in place of their names.

    Args:
        params: Those of an estimator, each with one value.
        columns: The columns that are categories, which come first among those that an estimator gets.
    """
    placed: dict[str, Any] = {}
    for name, value in params.items():
        if is_nested(value):
            placed[name] = {**value, "params": with_places(params_of(value), columns)}
        elif is_named(value):
            placed[name] = with_places(value, columns)
        elif name in CATEGORIES and are_names(value):
            placed[_WHEN_MADE.get(name, name)] = [columns.index(one) for one in value]
        elif name in _WHEN_MADE and isinstance(value, list | tuple):
            placed[_WHEN_MADE[name]] = [*value]
        else:
            placed[name] = value
    return placed


def named_categories(
    params: Mapping[str, Any], *, has_spaces: bool
) -> Iterator[tuple[KeyPath, str]]:
    """The columns that an estimator's parameters name as categories, each with its place below them.

    Args:
        params: The parameters as they are written.
        has_spaces: Whether a list holds values to try.
    """
    for at, names in _named(params, has_spaces=has_spaces):
        yield from (((*at, index), name) for index, name in enumerate(names))


def check_categories(
    named: Iterable[tuple[KeyPath, str]],
    features: Sequence[str] | None,
    others: Mapping[str, str],
) -> Broken:
    """What is wrong with columns that an estimator's parameters name as categories.

    Args:
        named: The columns, each with its place.
        features: The columns that the model learns from, where they are written.
        others: Columns that are no features, each with what it is.
    """
    for at, name in named:
        place = {"column": repr(name), "at": at}
        if features is not None and name not in features:
            advice = did_you_mean(name, features, f"they are {one_of(features, 12)}")
            message = "{column} is none of the `features` of the model"
            yield PydanticCustomError("preprocessing", message, {**place, "advice": advice})
        elif features is None and name in others:
            message = "{column} is {what}, and no feature"
            context = {**place, "what": others[name], "advice": "take it away here"}
            yield PydanticCustomError("preprocessing", message, context)


def _named(
    params: Mapping[str, Any], *, has_spaces: bool
) -> Iterator[tuple[KeyPath, Sequence[str]]]:
    """The lists of columns, each with its place, at any depth."""
    yield from _own(params, has_spaces=has_spaces)
    for path, nested in nested_at_any_depth(params):
        for at, names in _own(params_of(nested), has_spaces=has_spaces):
            yield (*path, "params", *at), names


def _own(params: Mapping[str, Any], *, has_spaces: bool) -> Iterator[tuple[KeyPath, Sequence[str]]]:
    for name in CATEGORIES:
        value = params.get(name)
        if has_spaces and isinstance(value, list):
            yield from (((name, at), one) for at, one in enumerate(value) if are_names(one))
        elif are_names(value):
            yield (name,), value  # type: ignore[misc] # a list by now
