"""Trials: one hyperparameter set each, with the name that a person knows it by."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import field_serializer, field_validator

from factory.base.values import Result

Value = Any
"""A parameter's value: whatever YAML can say."""

# Airflow cuts a rendered map index off at 250 characters.
_LONGEST = 200


class Trial(Result):
    """One hyperparameter set."""

    index: int
    """Its place in the sweep, the map index of its task group."""
    name: str
    """What a person calls it: the estimator and the parameters that vary. Unique in the sweep."""
    estimator: str
    params: dict[str, Value]

    @field_serializer("params")
    def _write(self, params: dict[str, Value]) -> dict[str, Value]:
        return {name: _encode(value) for name, value in params.items()}

    @field_validator("params", mode="before")
    @classmethod
    def _read(cls, params: dict[str, Value]) -> dict[str, Value]:
        return {name: _decode(value) for name, value in params.items()}


def name_trials(trials: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """A unique name for each (estimator, parameters): `LogisticRegression C=0.1`.

    Only parameters that vary among trials of the same estimator are named; where that leaves two
    trials with one name, their place in the sweep is added.
    """
    names = []
    for estimator, params in trials:
        alike = [other for path, other in trials if path == estimator]
        shown = [
            f"{name}={_brief(value)}"
            for name, value in params.items()
            if any(name not in other or repr(other[name]) != repr(value) for other in alike)
        ]
        names.append(" ".join([estimator.rpartition(".")[2], *shown])[:_LONGEST])
    often = Counter(names)
    return [
        f"{name} #{place}" if often[name] > 1 else name for place, name in enumerate(names, start=0)
    ]


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace(" ", "")


_MAPPING = "__mapping__"


def _encode(value: Value) -> Value:
    """A value as JSON; mappings as pairs where JSON would turn their keys into strings."""
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, str) for key in value) and _MAPPING not in value:
        return {key: _encode(item) for key, item in value.items()}
    return {_MAPPING: [[_encode(key), _encode(item)] for key, item in value.items()]}


def _decode(value: Value) -> Value:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_MAPPING]:
        return {_decode(key): _decode(item) for key, item in value[_MAPPING]}
    return {key: _decode(item) for key, item in value.items()}


def as_text(value: Value) -> str:
    """A parameter's value as MLflow and tables show it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
