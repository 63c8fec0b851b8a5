"""Whether estimators within the parameters of another stand where it takes them, in the form that it takes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.nested_estimators import is_named, is_nested
from factory.base.objects import (
    NoSuchObjectError,
    import_object,
    is_estimator_class,
    known_params,
)
from factory.base.texts import one_of
from factory.trainers.scikit_learn.value_check import Constraint, constraints_of

NESTED_EXAMPLE = "{estimator: sklearn.svm.SVC, params: {C: 10}}"
NAMED_EXAMPLE = "{some_name: {estimator: sklearn.svm.SVC, params: {C: 10}}}"

_NO_ESTIMATOR = ("drop", "passthrough", None)
"""What scikit-learn takes in place of one of several estimators."""
_NAME = re.compile(r"(?!.*__)[A-Za-z]\w*")


def find_misplaced(
    factory: type, params: Mapping[str, Any], *, has_spaces: bool
) -> Iterator[Finding]:
    """Estimators in parameters that take none, or not in this form, and names that scikit-learn refuses.

    Args:
        factory: The class of the estimator around them.
        params: Its parameters that have estimators in them.
        has_spaces: Whether a list holds values to try.
    """
    constraints = constraints_of(factory)
    for name, value in params.items():
        at: KeyPath = ("params", name)
        # An item of a list is a value; whether a list is one depends on who reads it.
        tried = enumerate(value) if has_spaces and isinstance(value, list) else [(None, value)]
        for index, one in tried:
            place = at if index is None else (*at, index)
            yield from _look(
                factory, name, one, place, constraints.get(name), has_spaces=has_spaces
            )


def _look(
    factory: type,
    name: str,
    value: Any,
    at: KeyPath,
    constraint: Constraint | None,
    *,
    has_spaces: bool,
) -> Iterator[Finding]:
    around = factory.__name__
    if is_nested(value):
        if constraint is not None and not constraint.takes_objects:
            yield _refused(f"`{name}` of {around}", value, at, constraint)
        elif constraint is not None and (lacks := _lacks(value["estimator"], constraint)):
            message = f"`{name}` of {around} needs an estimator with {lacks}, which `{value['estimator']}` has not"
            yield Finding("params", (*at, "estimator"), message)
    elif is_named(value):
        if constraint is not None and not constraint.accepts([]):
            yield _refused(f"`{name}` of {around}", value, at, constraint)
        else:
            yield from _wrong_names(factory, value, at, has_spaces=has_spaces)
    elif isinstance(value, (list, dict)):
        message = f"`{name}` of {around} has estimators in a form that is not read"
        advice = f"write `{name}: {NAMED_EXAMPLE}`"
        if constraint is not None and constraint.takes_objects:
            advice = "a trial has one value; to try each of a list, use `strategy: grid`"
        yield Finding("params", at, message, advice)


def _refused(what: str, value: Any, at: KeyPath, constraint: Constraint) -> Finding:
    advice: str | None
    if is_nested(value) and constraint.accepts([]):
        advice = f"write each with a name: `{NAMED_EXAMPLE}`"
        return Finding("params", at, f"{what} takes several estimators, found one", advice)
    found = "an estimator" if is_nested(value) else "several estimators"
    advice = f"write one: `{NESTED_EXAMPLE}`" if constraint.takes_objects else None
    return Finding("params", at, f"{what} must be {constraint.words}, found {found}", advice)


def _lacks(path: str, constraint: Constraint) -> str | None:
    """The methods that an estimator has not; None where it has them, or is found to be wrong anyway."""
    try:
        found = import_object(path)
    except NoSuchObjectError:
        return None
    if not is_estimator_class(found):
        return None
    wanted = [part.methods for part in constraint.parts if hasattr(part, "methods")]
    lacking = [[one for one in methods if not hasattr(found, one)] for methods in wanted]
    if not all(lacking):
        return None
    return one_of(f"`{method}`" for method in min(lacking, key=len))


def _wrong_names(
    factory: type, named: Mapping[str, Any], at: KeyPath, *, has_spaces: bool
) -> Iterator[Finding]:
    own = known_params(factory) or {}
    for name, value in named.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            message = f"`{name}` is no name of an estimator"
            advice = "use letters, digits and single underscores, and begin with a letter"
            yield Finding("params", (*at, name), message, advice, on_key=True)
        elif name in own:
            message = f"`{name}` is a parameter of {factory.__name__}, and no estimator within it can be called so"
            yield Finding("params", (*at, name), message, "choose another name", on_key=True)
        elif not all(map(_is_part, value if has_spaces and isinstance(value, list) else [value])):
            message = f"`{name}` within {factory.__name__} is no estimator"
            yield Finding("params", (*at, name), message, f"write `{name}: {NESTED_EXAMPLE}`")


def _is_part(value: Any) -> bool:
    return is_nested(value) or value in _NO_ESTIMATOR
