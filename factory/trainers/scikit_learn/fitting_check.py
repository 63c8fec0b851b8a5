"""Whether a sampler, or a transformer of the target, exists, is one, and takes its parameters.

Asked in a process of its own when files are validated, and by a training run before its first trial.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from factory.base.answers import Reply
from factory.base.calls import not_there
from factory.base.findings import Finding, KeyPath
from factory.base.nested_estimators import nested_paths
from factory.base.objects import NoSuchObjectError, files_of, import_object, is_estimator_class
from factory.trainers.scikit_learn.estimator_check import find_nested, find_params
from factory.trainers.trainer import WrittenEstimator

_SAMPLER, _TRANSFORMER = "imblearn.over_sampling.SMOTE", "sklearn.preprocessing.PowerTransformer"


def answer_sampler(argument: Mapping[str, Any]) -> Reply:
    """What is wrong with the sampler of `resample`; the argument is that of `WrittenEstimator.as_json`."""
    return _answer(argument, "sampler", _no_sampler)


def answer_target(argument: Mapping[str, Any]) -> Reply:
    """What is wrong with the transformer of `target_transform`; the argument is the same."""
    return _answer(argument, "transformer", _no_target_transformer)


def _answer(
    argument: Mapping[str, Any], key: str, wrong: Callable[[str, Any], tuple[str, str] | None]
) -> Reply:
    written = WrittenEstimator(**argument)
    found = [finding.as_json() for finding in _find(written, (key,), wrong)]
    paths = (written.path, *nested_paths(written.params))
    return Reply(found, tuple(sorted({file for path in paths for file in files_of(path)})))


def _find(
    written: WrittenEstimator, at: KeyPath, wrong: Callable[[str, Any], tuple[str, str] | None]
) -> Iterator[Finding]:
    try:
        factory = import_object(written.path)
    except NoSuchObjectError as error:
        yield not_there(error, written.path, at, "estimator")
        return
    if not is_estimator_class(factory) or inspect.isabstract(factory):
        message = f"`{written.path}` is no class with `fit` and `get_params`"
        example = _SAMPLER if at == ("sampler",) else _TRANSFORMER
        yield Finding("estimator", at, message, f"name a class such as {example}")
        return
    if (refused := wrong(factory.__name__, factory)) is not None:
        yield Finding("estimator", at, *refused)
        return
    for finding in find_params(written, factory):
        # A parameter that is missing is told where the class is named.
        yield replace(finding, path=at) if finding.path == ("estimator",) else finding
    yield from find_nested(written)


def _no_sampler(name: str, factory: Any) -> tuple[str, str] | None:
    if hasattr(factory, "fit_resample"):
        return None
    advice = f"name one of imbalanced-learn, such as {_SAMPLER}"
    if hasattr(factory, "predict"):
        advice = f"name it in `search`, and here a sampler such as {_SAMPLER}"
    return f"{name} has no `fit_resample`, so that it makes no other rows", advice


def _no_target_transformer(name: str, factory: Any) -> tuple[str, str] | None:
    missing = [one for one in ("transform", "inverse_transform") if not hasattr(factory, one)]
    if not missing:
        return None
    return (
        f"{name} has no `{missing[0]}`, without which no prediction gets back to the target's own scale",
        f"name one that has, such as {_TRANSFORMER}",
    )
