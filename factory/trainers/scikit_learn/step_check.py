"""Whether a transformer that `preprocessing` names exists, is one, and takes its parameters.

Asked in a process of its own when files are validated, and by a training run before its first trial.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from factory.base.answers import Reply
from factory.base.calls import not_there
from factory.base.findings import Finding
from factory.base.nested_estimators import nested_paths
from factory.base.objects import NoSuchObjectError, files_of, import_object, is_estimator_class
from factory.trainers.scikit_learn.estimator_check import find_nested, find_params
from factory.trainers.trainer import WrittenEstimator

_AT = ("transformer",)
_FOR_FEATURES = {
    "LabelEncoder": "sklearn.preprocessing.OrdinalEncoder",
    "LabelBinarizer": "sklearn.preprocessing.OneHotEncoder",
}
"""What prepares features in the way in which another class prepares the target."""
_EXAMPLE = "sklearn.preprocessing.StandardScaler"


def answer(argument: Mapping[str, Any]) -> Reply:
    """What is wrong with a transformer; the argument is that of `WrittenEstimator.as_json`."""
    written = WrittenEstimator(**argument)
    found = [finding.as_json() for finding in find(written)]
    paths = (written.path, *nested_paths(written.params))
    return Reply(found, tuple(sorted({file for path in paths for file in files_of(path)})))


def find(written: WrittenEstimator) -> Iterator[Finding]:
    """What is wrong with a transformer and its parameters, and with estimators within these."""
    yield from _find(written)
    yield from find_nested(written)


def _find(written: WrittenEstimator) -> Iterator[Finding]:
    try:
        factory = import_object(written.path)
    except NoSuchObjectError as error:
        yield not_there(error, written.path, _AT, "estimator")
        return
    wrong = _no_transformer(written.path, factory)
    if wrong is not None:
        yield wrong
        return
    for finding in find_params(written, factory):
        # A parameter that is missing is told where the class is named.
        yield replace(finding, path=_AT) if finding.path == ("estimator",) else finding


def _no_transformer(path: str, factory: Any) -> Finding | None:
    name = path.rpartition(".")[2]
    if not inspect.isclass(factory):
        kind = "function" if inspect.isroutine(factory) else type(factory).__name__
        return _finding(f"`{path}` is a {kind}, and no transformer's class")
    if inspect.isabstract(factory):
        return _finding(f"`{path}` is only what other transformers are made from")
    if hasattr(factory, "transform") and is_estimator_class(factory):
        return _prepares_targets(name, factory)
    if hasattr(factory, "predict"):
        advice = f"name it in `search`, and here a transformer such as {_EXAMPLE}"
        return _finding(f"{name} is an estimator that predicts, and no transformer", advice)
    if hasattr(factory, "fit_transform"):
        message = f"{name} has no `transform`, so that it cannot prepare rows that come later"
        return _finding(message, f"name one that has, such as {_EXAMPLE}")
    return _finding(f"`{path}` is no transformer: it has not both `fit` and `transform`")


def _prepares_targets(name: str, factory: type) -> Finding | None:
    parameters = list(inspect.signature(factory.fit).parameters)  # type: ignore[attr-defined]
    if parameters[1:2] != ["y"]:
        return None
    near = _FOR_FEATURES.get(name)
    advice = f"did you mean `{near}`?" if near else f"name one such as {_EXAMPLE}"
    return _finding(f"{name} prepares the target, and no features", advice)


def _finding(message: str, advice: str | None = None) -> Finding:
    return Finding("estimator", _AT, message, advice or f"name a class such as {_EXAMPLE}")
