"""Whether an estimator that a team file names exists, fits the task, and takes its parameters.

Asked in a process of its own when files are validated, and by a training run before its first trial.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from factory.base.answers import Reply
from factory.base.calls import not_there
from factory.base.findings import Finding
from factory.base.nested_estimators import (
    has_nested,
    names_of_nested,
    nested_at_any_depth,
    nested_paths,
    params_of,
)
from factory.base.objects import (
    Component,
    NoSuchObjectError,
    files_of,
    import_object,
    is_estimator_class,
    known_params,
)
from factory.base.public_names import meant_path
from factory.base.texts import closest, did_you_mean, one_of
from factory.trainers.class_weights import mappings_by_class
from factory.trainers.scikit_learn.combination_check import find_combinations
from factory.trainers.scikit_learn.early_stopping import STOPPING
from factory.trainers.scikit_learn.nested_check import (
    NAMED_EXAMPLE,
    NESTED_EXAMPLE,
    find_misplaced,
)
from factory.trainers.scikit_learn.ranker import takes_groups
from factory.trainers.scikit_learn.value_check import find_values, values_of
from factory.trainers.trainer import WrittenEstimator
from factory.training.several_targets.estimators import find_target_count
from factory.training.tasks import TASKS

_CLASSIFIER = "classifier"
_MIXINS = {
    _CLASSIFIER: "ClassifierMixin",
    "regressor": "RegressorMixin",
    "clusterer": "ClusterMixin",
    "outlier_detector": "OutlierMixin",
    "density_estimator": "DensityMixin",
}
"""What scikit-learn's estimators are, and the class that says so."""
_RANKER = "ranker"
"""What has no class of scikit-learn's that says so, and is told by its `fit`."""
_COUNTERPARTS = {
    "LinearRegression": "LogisticRegression",
    "SGDOneClassSVM": "SGDClassifier",
    "SVR": "SVC",
    "LinearSVR": "LinearSVC",
    "NuSVR": "NuSVC",
    "Ridge": "RidgeClassifier",
    "RidgeCV": "RidgeClassifierCV",
    "LogisticRegression": "LinearRegression",
    "LogisticRegressionCV": "RidgeCV",
    "IsolationForest": "RandomForestClassifier",
}
"""Estimators of the other kind that learn in the same way, where the name does not say so."""
_OF_ONE_TABLE = "it tells rows apart that it learned from, and no new ones"

_SWITCHES = ("novelty",)
"""Parameters without which an estimator has no `predict`."""
_EXAMPLES_OF_NEEDED = {
    "estimator": f"`estimator: {NESTED_EXAMPLE}`",
    "estimators": f"`estimators: {NAMED_EXAMPLE}`",
    "steps": f"`steps: {NAMED_EXAMPLE}`",
}

_OF_CLASSES = ("class_weight", "class_weights")
_HANDS_WEIGHTS_ON = (
    "sklearn.ensemble.StackingClassifier",
    "sklearn.ensemble.StackingRegressor",
    "sklearn.ensemble.VotingClassifier",
    "sklearn.ensemble.VotingRegressor",
    "sklearn.compose.TransformedTargetRegressor",
)
"""Estimators whose `fit` hands what it is given on to those within them."""
_VOTING = ("sklearn.ensemble.VotingClassifier", "sklearn.ensemble.VotingRegressor")
"""Estimators that are of the kind of each of those within them."""
_NUMBERS_CLASSES = (
    "sklearn.ensemble.BaggingClassifier",
    "sklearn.ensemble.StackingClassifier",
    "sklearn.ensemble.VotingClassifier",
)
"""Estimators that hand on numbers from 0 on in place of the classes."""
_STOP_BY_OTHER_ROWS = ("catboost", "lightgbm", "xgboost")
"""Libraries whose estimators put no training rows aside to stop early by."""
_NEAR = 0.88
"""From which likeness on a name is taken for a misspelt one: LightGBM's `colsample_bynode` is none for
`colsample_bytree`."""


def answer(argument: Mapping[str, Any]) -> Reply:
    """What is wrong with an estimator; the argument is that of `WrittenEstimator.as_json`."""
    written = WrittenEstimator(**argument)
    found = [finding.as_json() for finding in find(written)]
    paths = (written.path, *nested_paths(written.params))
    return Reply(found, tuple(sorted({file for path in paths for file in files_of(path)})))


def find(written: WrittenEstimator) -> Iterator[Finding]:
    """What is wrong with an estimator and its parameters, and with those within it, as they are written."""
    yield from _find(written)
    yield from find_nested(written)


def find_nested(written: WrittenEstimator) -> Iterator[Finding]:
    """What is wrong with estimators within the parameters of another, or of a transformer."""
    for path, nested in nested_at_any_depth(written.params):
        one = replace(written, path=nested["estimator"], params=params_of(nested))
        votes = written.path in _VOTING and path[0] == "estimators" and "params" not in path
        found = _find(one, is_nested=True, says_the_same=votes)
        yield from (each.below(("params", *path)) for each in found)


def _find(
    written: WrittenEstimator, *, is_nested: bool = False, says_the_same: bool = False
) -> Iterator[Finding]:
    try:
        factory = import_object(written.path)
    except NoSuchObjectError as error:
        yield not_there(error, written.path, ("estimator",), "estimator")
        return
    if not is_estimator_class(factory) or inspect.isabstract(factory):
        yield _no_estimator(written.path, factory)
        return
    # One within another may do without `predict`, and a classifier may be made of regressors.
    must_fit = says_the_same or not is_nested
    found = list(wrong_kind(written.path, factory, written.task)) if must_fit else []
    if not found and not is_nested and not TASKS[written.task].learns_target:
        found = list(_made_without_predict(written, factory))
    if not found and not is_nested:
        found = list(find_target_count(written, factory))
    if written.is_weighted and not is_nested:
        found += _without_weights(written.path, factory, written.params)
    found += _numbered_classes(written, factory)
    if is_nested:
        found += _stops_without_rows(written, factory)
    yield from found
    yield from find_params(written, factory, combinations=not found)


def find_params(
    written: WrittenEstimator, factory: type, *, combinations: bool = True
) -> Iterator[Finding]:
    """What is wrong with the parameters of a class; those of estimators within them are left out.

    Args:
        written: The estimator, or the transformer.
        factory: Its class.
        combinations: Whether to look at values together where each by itself is right.
    """
    found = list(_names(written, factory))
    wrong = {finding.path[1] for finding in found if finding.path[:1] == ("params",)}
    known = {name: value for name, value in written.params.items() if name not in wrong}
    nested = {name: value for name, value in known.items() if has_nested(value)}
    plain = {name: value for name, value in known.items() if name not in nested}
    found += find_misplaced(factory, nested, has_spaces=written.has_spaces)
    found += find_values(factory, plain, has_spaces=written.has_spaces)
    yield from found
    if combinations and not found:
        yield from find_combinations(factory, written)


def wrong_kind(path: str, estimator: Component, task: str) -> Iterator[Finding]:
    """That an estimator, or its class, does not predict what the task is about.

    Of an estimator that does not say what it is, such as one of another package, nothing is found.
    """
    factory = estimator if inspect.isclass(estimator) else type(estimator)
    name, at = factory.__name__, ("estimator",)
    learning_task = TASKS[task]
    wanted = learning_task.estimator_kinds
    first = _with_article(wanted[0])
    advice = f"name {first}, such as {learning_task.example_estimator}"
    kinds = _kinds(estimator)
    is_wanted = bool(set(kinds) & set(wanted))
    # Those that stack others have it once they are fitted.
    will_predict = is_wanted and learning_task.learns_target and hasattr(factory, "predict")
    if not hasattr(estimator, "predict") and not will_predict:
        what = "prepares rows, and " if hasattr(factory, "transform") and not is_wanted else ""
        why = f", since {_OF_ONE_TABLE}" if is_wanted else ""
        message = (
            f"{name} {what}has no `predict`{why}, so that it cannot be trained for "
            f"{learning_task.title}"
        )
        yield Finding("estimator", at, message, advice)
        return
    if not kinds or is_wanted:
        return
    kind = kinds[0]
    counterpart = _counterpart(path, factory, wanted[0])
    suggestion = f"did you mean `{counterpart}`?" if counterpart else advice
    others = [
        one.word
        for one in TASKS.values()
        if kind in one.estimator_kinds and one.has_several == learning_task.has_several
    ]
    if others:
        # The class has `predict`, or it would not be here.
        suggestion += (
            f" Or write `task: {others[0]}`" if counterpart else f", or write `task: {others[0]}`"
        )
    message = f"{name} is {_with_article(kind)}, and the model's task is {learning_task.word}"
    yield Finding("estimator", at, message, suggestion)


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind.replace('_', ' ')}"


def _made_without_predict(written: WrittenEstimator, factory: type) -> Iterator[Finding]:
    """That a class has `predict` for some values of a parameter only, as LocalOutlierFactor has by `novelty`."""
    switches = [name for name in _SWITCHES if name in (known_params(factory) or ())]
    for name in switches:
        values = list(
            values_of(name, written.params.get(name, False), has_spaces=written.has_spaces)
        )
        for one in values:
            if one.value is not True:
                message = (
                    f"{factory.__name__} without `{name}: true` tells outliers among the rows that it learned "
                    "from, and has no `predict` for new ones"
                )
                at = one.at if name in written.params else ("estimator",)
                yield Finding("estimator", at, message, f"add `{name}: true` to `params`")


def _kinds(estimator: Component) -> list[str]:
    from sklearn import base

    factory = estimator if inspect.isclass(estimator) else type(estimator)
    if takes_groups(factory):
        return [_RANKER]
    kinds = [kind for kind, mixin in _MIXINS.items() if issubclass(factory, getattr(base, mixin))]
    if not kinds and isinstance(said := getattr(factory, "_estimator_type", None), str):
        kinds = [said]
    if not kinds and not inspect.isclass(estimator):
        # Those around another estimator are what that is.
        asked = {
            _CLASSIFIER: base.is_classifier,
            "regressor": base.is_regressor,
            "outlier_detector": base.is_outlier_detector,
            "clusterer": base.is_clusterer,
        }
        kinds = [kind for kind, is_it in asked.items() if is_it(estimator)]
    return [kind for kind in kinds if kind in _MIXINS]


def _counterpart(path: str, factory: type, wanted: str) -> str | None:
    name = factory.__name__
    pair = ("Regressor", "Classifier") if wanted == _CLASSIFIER else ("Classifier", "Regressor")
    other = _COUNTERPARTS.get(name) or name.replace(*pair)
    if other == name:
        other = next((one for one, two in _COUNTERPARTS.items() if two == name), "")
    found = meant_path(f"{path.rpartition('.')[0]}.{other}", (path.partition(".")[0],))
    if found is None or found.rpartition(".")[2] != other:
        return None
    try:
        return found if wanted in _kinds(import_object(found)) else None
    except NoSuchObjectError:
        return None


def _no_estimator(path: str, found: object) -> Finding:
    name = path.rpartition(".")[2]
    if inspect.isabstract(found):
        what = f"`{path}` is only what other estimators are made from"
    elif inspect.isclass(found):
        what = f"`{path}` is no estimator: it has not both `fit` and `get_params`"
    else:
        kind = "function" if inspect.isroutine(found) else type(found).__name__
        what = f"`{path}` is a {kind}, and no estimator's class"
    module = inspect.getmodule(found)
    classes = (
        [one for one, value in vars(module).items() if is_estimator_class(value)] if module else []
    )
    near = closest(name.replace("_", ""), classes, likeness=0.75)
    meant = meant_path(near, (path.partition(".")[0],)) if near else None
    advice = (
        f"did you mean `{meant}`?"
        if meant
        else f"name a class such as {TASKS['classification'].example_estimator}"
    )
    return Finding("estimator", ("estimator",), what, advice)


def _without_weights(path: str, factory: type, params: Mapping[str, Any]) -> Iterator[Finding]:
    """That the `fit` of an estimator, or of those that it hands weights on to, takes no weights of rows."""
    name, at = factory.__name__, ("estimator",)
    takes: Mapping[str, inspect.Parameter] = inspect.signature(factory.fit).parameters  # type: ignore[attr-defined]
    if "sample_weight" in takes:
        return
    advice = (
        "take `weights` and `class_weight` of the model away, or name one that does: most of scikit-learn's, "
        "XGBoost's, LightGBM's"
    )
    if path not in _HANDS_WEIGHTS_ON:
        yield Finding("estimator", at, f"{name} takes no weights of rows", advice)
        return
    for nested_at, nested in nested_at_any_depth(params):
        try:
            inner = import_object(nested["estimator"])
        except NoSuchObjectError:
            continue
        if is_estimator_class(inner):
            below = ("params", *nested_at)
            for finding in _without_weights(nested["estimator"], inner, {}):
                yield finding.below(below)


def _stops_without_rows(written: WrittenEstimator, factory: type) -> Iterator[Finding]:
    """That an estimator within another is to stop early, by rows that it does not get there."""
    if written.path.partition(".")[0] not in _STOP_BY_OTHER_ROWS:
        return
    for name in sorted(STOPPING & written.params.keys()):
        for one in values_of(name, written.params[name], has_spaces=written.has_spaces):
            if one.value:
                message = f"{factory.__name__} within another estimator gets no validation rows to stop early by"
                advice = f"take `{name}` away, and try several numbers of iterations"
                yield Finding("params", one.at, message, advice)


def _numbered_classes(written: WrittenEstimator, factory: type) -> Iterator[Finding]:
    """Weights by class within an estimator that hands numbers on in place of classes."""
    if written.path not in _NUMBERS_CLASSES:
        return
    for at, _ in mappings_by_class(written.params):
        if "params" in at:
            message = f"{factory.__name__} numbers the classes, so that estimators within it know none by these names"
            advice = "write `class_weight` beside `search`, or `class_weight: balanced` here"
            yield Finding("params", ("params", *at), message, advice)


def _names(written: WrittenEstimator, factory: type) -> Iterator[Finding]:
    """Parameters that the estimator does not have, and those that it needs."""
    known = known_params(factory)
    if known is None:
        yield from _nearly_named(written, factory)
        return
    name = factory.__name__
    unknown = [one for one in written.params if one not in known]
    inner = _inner(factory) if any("__" in one for one in unknown) else ()
    for one in unknown:
        if one in inner:
            continue
        choices = [*known, *(inner if "__" in one else ())]
        message = f"{name} has no parameter `{one}`"
        advice = did_you_mean(one, choices, f"it has {one_of(sorted(known)) or 'none'}")
        if (part := one.partition("__")[0]) in names_of_nested(written.params):
            advice = f"write it in the `params` of `{part}`"
        yield Finding("params", ("params", one), message, advice, on_key=True)
    for one, parameter in known.items():
        is_needed = parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        )
        if is_needed and one not in written.params:
            advice = f"add {_EXAMPLES_OF_NEEDED.get(one, f'`{one}`')} to `params`"
            if one in ("kernel", "transformers"):
                advice = (
                    "no text can be one: write a class in a package of your own that fills it in"
                )
            message = f"{name} cannot be made without `{one}`"
            yield Finding("params", ("estimator",), message, advice)


def _nearly_named(written: WrittenEstimator, factory: type) -> Iterator[Finding]:
    """Parameters that an estimator has by nearly the same name, where it takes any, as those of XGBoost do."""
    own = set(_names_when_made(factory))
    for one in written.params:
        if one in _OF_CLASSES and one not in own:
            message = f"{factory.__name__} has no parameter `{one}`, and would learn as if it were not there"
            advice = (
                "write `class_weight` beside `search`: it gives each row the weight of its class"
            )
            yield Finding("params", ("params", one), message, advice, on_key=True)
            continue
        near = None if one in own else closest(one, own - {*written.params}, likeness=_NEAR)
        if near is not None:
            message = f"{factory.__name__} has no parameter `{one}` of its own, and passes on what it does not know"
            advice = f"did you mean `{near}`?"
            yield Finding("parameter_passed_on", ("params", one), message, advice, on_key=True)


def _inner(factory: type) -> Iterable[str]:
    """The parameters of what is in an estimator by default, such as `base__C`."""
    return [name for name in _names_when_made(factory) if "__" in name]


def _names_when_made(factory: type) -> Iterable[str]:
    """The parameters that an estimator has when it is made without any; none where that fails."""
    try:
        names: Iterable[str] = factory().get_params(deep=True)
    except Exception:  # noqa: BLE001 - whatever a class wants that cannot be made without parameters
        return ()
    return names
