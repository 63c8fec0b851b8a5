"""Estimators that stop when validation rows are predicted no better any more: XGBoost, LightGBM, CatBoost, histogram boosting.

Whether they stop is said in their library's own words, such as `early_stopping_rounds`; which rows they look at then, is not.
"""

import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.base.errors import TerminalError
from factory.base.objects import Component, import_object
from factory.trainers.trainer import Steps

STOPPING = frozenset(
    (
        *("early_stopping", "early_stopping_round", "early_stopping_rounds", "n_iter_no_change"),
        *("od_type", "od_pval", "od_wait", "use_best_model"),
    )
)
"""Parameters by which libraries are told to stop early; LightGBM and CatBoost have several names for it."""
VALIDATION, VALIDATION_WEIGHTS = "validation", "validation_weights"
"""The arguments of our own estimators around others, which hand the rows on."""
_MOST_STEPS = 200
_NO_NAME = re.compile(r"[^\w.\-/: ]")
"""What names of MLflow's metrics must not hold."""
_LEARNED_FROM = ("learn", "training")
"""What libraries call the rows that are learned from."""


Evaluations = Mapping[str, Mapping[str, Sequence[float]]]
"""The values after each iteration, by rows and metric."""


def stops_early(params: Mapping[str, Any]) -> bool:
    """Whether parameters ask for it: by a number, by true, or by the name of a method."""
    asked = {name: params[name] for name in STOPPING & params.keys()}
    return any(value and value != "auto" for value in asked.values())


def without_stopping(
    path: str, params: Mapping[str, Any], iterations: int | None
) -> Mapping[str, Any]:
    """The parameters of an estimator that is trained for so many iterations, and does not stop early.

    Estimators that put training rows aside to stop by need no others: their parameters stay.

    Args:
        path: The estimator's dotted path.
        params: Its parameters, which ask it to stop early.
        iterations: How many; None leaves the number as it is.

    Raises:
        TerminalError: It stops by rows that it is given, and the parameter for the iterations is not known.
    """
    kind = import_object(path)
    library = _library_of(kind)
    if library is None:
        if _needs_rows(kind):
            raise TerminalError(
                f"{path} stops early by validation rows, and there are none where the model learns from all rows but the "
                f"test's: take {' and '.join(sorted(STOPPING & params.keys()))} away, or write "
                "`split: {validation: 0.2}` without `refit`"
            )
        return params
    kept = {name: value for name, value in params.items() if name not in STOPPING}
    if iterations is not None:
        kept = {name: value for name, value in kept.items() if name not in library.iterations}
        kept[library.iterations[0]] = iterations
    return {**kept, **library.not_early}


def _needs_rows(kind: Component) -> bool:
    takes = inspect.signature(kind.fit).parameters
    return bool(takes.keys() & {VALIDATION, "X_val", "eval_set"})


def fit_watching(
    estimator: Component,
    features: Any,
    target: Any,
    validation: tuple[Any, Any],
    validation_weights: Any = None,
    **options: Any,
) -> None:
    """Train an estimator that looks at validation rows; one that takes none is trained without.

    Args:
        estimator: The estimator, not yet trained.
        features: The rows, prepared.
        target: The truth.
        validation: Further rows, prepared likewise, and their truth.
        validation_weights: How much each of these counts, where the library takes that.
        options: What `fit` takes beside these.
    """
    # Late, because who only asks whether an estimator stops early needs no scikit-learn.
    from factory.trainers.scikit_learn.target_transform import as_learned

    rows, truth = validation
    watching, truth = as_learned(estimator, target, truth)
    with warnings.catch_warnings():
        # LightGBM's other way of naming them takes no texts as classes.
        warnings.filterwarnings("ignore", message="The argument 'eval_set' is deprecated")
        arguments = _arguments(watching, rows, truth, validation_weights)
        estimator.fit(features, target, **options, **arguments)


def _arguments(estimator: Component, features: Any, target: Any, weights: Any) -> dict[str, Any]:
    takes = inspect.signature(estimator.fit).parameters
    if VALIDATION in takes:
        weighted = {} if weights is None else {VALIDATION_WEIGHTS: weights}
        return {VALIDATION: (features, target), **weighted}
    if "X_val" in takes:  # scikit-learn
        weighted = {} if weights is None else {"sample_weight_val": weights}
        return {"X_val": features, "y_val": target, **weighted}
    if "eval_set" not in takes:
        return {}
    library = _library_of(type(estimator))
    if library is None:
        return {"eval_set": [(features, target)]}
    if weights is None:
        return {"eval_set": [(features, target)], **library.quiet}
    return {**library.weighted(estimator, features, target, weights), **library.quiet}


def measured(estimator: Component) -> tuple[tuple[dict[str, float], ...], Steps]:
    """What a trained estimator has measured after each iteration, at most 200 of them, and which one was best.

    Nothing is known of an estimator of another library.
    """
    library = _library_of(type(estimator))
    if library is None:
        return (), Steps()
    curves = dict(_curves(library.measured(estimator)))
    count = min(map(len, curves.values()), default=0)
    every = -(-count // _MOST_STEPS) or 1
    history = tuple(
        {name: float(values[at]) for name, values in curves.items()}
        for at in range(every - 1, count, every)
    )
    return history, Steps("iteration", every, library.best(estimator))


def _curves(evaluations: Evaluations) -> Iterator[tuple[str, Sequence[float]]]:
    """Each curve by its name, such as `valid_logloss`."""
    for rows, metrics in evaluations.items():
        part = "train" if rows in _LEARNED_FROM else "valid"
        for metric, values in metrics.items():
            yield f"{part}_{_NO_NAME.sub('_', metric)}", values


def quiet(estimator: Component) -> Mapping[str, Any]:
    """Arguments of `fit` without which an estimator that looks at validation rows prints a line an iteration."""
    library = _library_of(type(estimator))
    return {} if library is None else library.quiet


@dataclass(frozen=True)
class _Library:
    """What estimators of a library are told about their iterations, and tell of them."""

    measured: Callable[[Component], Evaluations]
    best: Callable[[Component], int | None]
    """The iteration up to which the model is used, from 1; None where it was not told of."""
    iterations: tuple[str, ...]
    """The parameter for their number; the others are further names for the same."""
    weighted: Callable[[Component, Any, Any, Any], Mapping[str, Any]] = lambda *_: {}
    """Arguments of an estimator's `fit` for validation rows, their truth and their weights."""
    quiet: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `fit` without which it prints a line an iteration."""
    not_early: Mapping[str, Any] = field(default_factory=dict)
    """Parameters without which it stops early by itself."""


def _library_of(kind: type) -> _Library | None:
    """The library that a class of estimators is of, or inherits from; None for those that are not known."""
    for one in kind.__mro__ if isinstance(kind, type) else ():
        package = one.__module__.partition(".")[0]
        if (found := _LIBRARIES.get(package) or _LIBRARIES.get(one.__name__)) is not None:
            return found
    return None


def _best_of_catboost(estimator: Component) -> int | None:
    best: int | None = estimator.get_best_iteration()
    return None if best is None else best + 1


def _catboost_pool(
    estimator: Component, features: Any, target: Any, weights: Any
) -> Mapping[str, Any]:
    pool = import_object("catboost.Pool")
    categories = estimator.get_params().get("cat_features")
    return {"eval_set": pool(features, label=target, weight=weights, cat_features=categories)}


def _scores_of_histograms(estimator: Component) -> Evaluations:
    """Without the first, which is that of the constant that boosting starts from."""
    return {
        "training": {"score": estimator.train_score_[1:]},
        "validation": {"score": estimator.validation_score_[1:]},
    }


_LIBRARIES = {
    "xgboost": _Library(
        lambda one: one.evals_result(),
        lambda one: one.best_iteration + 1,
        ("n_estimators",),
        weighted=lambda _, rows, truth, weights: {
            "eval_set": [(rows, truth)],
            "sample_weight_eval_set": [weights],
        },
        quiet={"verbose": False},
    ),
    "lightgbm": _Library(
        lambda one: one.evals_result_,
        lambda one: one.best_iteration_ or None,
        (
            *("n_estimators", "num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees"),
            *("num_round", "num_rounds", "nrounds", "num_boost_round", "max_iter"),
        ),
        weighted=lambda _, rows, truth, weights: {
            "eval_set": [(rows, truth)],
            "eval_sample_weight": [weights],
        },
    ),
    "catboost": _Library(
        lambda one: one.get_evals_result(),
        _best_of_catboost,
        ("iterations", "n_estimators", "num_boost_round", "num_trees"),
        weighted=_catboost_pool,
    ),
    # scikit-learn's class by its name, since others of that package stop early in other ways.
    "BaseHistGradientBoosting": _Library(
        _scores_of_histograms,
        lambda one: int(one.n_iter_),
        ("max_iter",),
        not_early={"early_stopping": False},
    ),
}
