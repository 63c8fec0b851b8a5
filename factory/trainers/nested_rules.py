"""What may be written of estimators within parameters, in whatever section these stand."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.nested_estimators import nested_at_any_depth
from factory.base.rules import Broken
from factory.base.section import Surroundings, check_path
from factory.base.texts import did_you_mean


def at_place(error: PydanticCustomError, at: KeyPath) -> PydanticCustomError:
    """An error about what stands at a place below the section, for a rule."""
    context = error.context or {}
    return PydanticCustomError(
        error.type, error.message_template, {**context, "at": (*at, *context.get("at", ()))}
    )


_NESTED_KEYS = ("estimator", "params")


def _wrong_keys(nested: dict[str, Any], at: KeyPath) -> Broken:
    for key in nested:
        if key not in _NESTED_KEYS:
            advice = did_you_mean(str(key), _NESTED_KEYS, "known here: estimator and params")
            context = {"key": str(key), "at": (*at, key), "advice": advice, "on_key": True}
            yield PydanticCustomError("unknown_key", "unknown key `{key}`", context)
    params = nested.get("params", {})
    if not isinstance(params, dict):
        from factory.team.explain import describe

        context = {
            "found": describe(params),
            "at": (*at, "params"),
            "advice": "write `params: {name: value}`",
        }
        yield PydanticCustomError(
            "wrong_type", "`params` must be a mapping, found {found}", context
        )
        return
    for key in params:
        if not isinstance(key, str):
            context = {"key": str(key), "at": (*at, "params", key), "on_key": True}
            yield PydanticCustomError("wrong_type", "`{key}` is no name of a parameter", context)


def check_nested(params: Mapping[str, Any], surroundings: Surroundings | None) -> Broken:
    """Estimators within a section's `params` that may not be named, or have keys that are not read.

    Args:
        params: The parameters.
        surroundings: What the file is read against, if it is.

    Returns:
        Errors with their places below the section in `at`.
    """
    for path, nested in nested_at_any_depth(params):
        at = ("params", *path)
        try:
            check_path(nested["estimator"], surroundings)
        except PydanticCustomError as error:
            yield at_place(error, (*at, "estimator"))
        yield from _wrong_keys(nested, at)
