"""What libraries of boosted trees want otherwise than scikit-learn: their threads, quiet, and numbers for classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from factory.base.objects import Component
from factory.trainers.scikit_learn.early_stopping import fit_watching

_ENCODED = frozenset(
    (("xgboost.sklearn", "XGBClassifier"), ("catboost.core", "CatBoostClassifier"))
)
"""Classifiers that take classes from 0 on alone, or give them back as a column of a table; by module and name.

So do those that inherit from them.
"""


@dataclass(frozen=True)
class _Usual:
    """Parameters that a library's estimators get where nobody has written them."""

    threads: str
    """The parameter for the number of threads."""
    quiet: Mapping[str, Any] = field(default_factory=dict)
    """What keeps it from writing lines, each with its value."""
    instead_of: frozenset[str] = frozenset()
    """Other names of these; where one is written, they are left alone."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Others, each with its value."""


_USUAL = {
    "lightgbm": _Usual("n_jobs", {"verbosity": -1}, frozenset(("verbose",))),
    "xgboost": _Usual("n_jobs"),
    # It writes files beside whoever calls it, and a line for each tree.
    "catboost": _Usual(
        "thread_count",
        {"logging_level": "Silent"},
        frozenset(("verbose", "silent", "verbose_eval")),
        {"allow_writing_files": False},
    ),
}


class SameList(list[Any]):
    """A list whose copy is itself.

    CatBoost copies its parameters whenever it is asked for them. scikit-learn, which copies estimators within others, takes
    that for a change, and refuses.
    """

    def __deepcopy__(self, memo: object) -> "SameList":
        """The list."""
        return self


def with_defaults(path: str, params: Mapping[str, Any], threads: int | None) -> dict[str, Any]:
    """Parameters of an estimator, with those that its library needs so as not to disturb others.

    Args:
        path: The estimator's dotted path.
        params: What is written.
        threads: How many threads it may take; None leaves it to the library.
    """
    library = path.partition(".")[0]
    if library == "catboost":
        params = {
            name: SameList(value) if isinstance(value, list) else value
            for name, value in params.items()
        }
    usual = _USUAL.get(library)
    if usual is None:
        return dict(params)
    quiet = {} if usual.instead_of & params.keys() else usual.quiet
    others = {} if threads is None else {usual.threads: threads}
    return {**quiet, **usual.values, **others, **params}


def as_used(estimator: Component) -> Component:
    """The estimator as it takes the classes of any team: texts, and numbers that do not count from 0."""
    names = {(one.__module__, one.__qualname__) for one in type(estimator).__mro__}
    return EncodedClasses(estimator) if names & _ENCODED else estimator


class EncodedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no types
    """A classifier that learns classes as numbers from 0 on, and says what they stand for.

    Args:
        estimator: The classifier.
    """

    def __init__(self, estimator: Component = None) -> None:
        self.estimator = estimator

    def fit(
        self,
        features: Any,
        target: Any,
        sample_weight: Any = None,
        validation: tuple[Any, Any] | None = None,
        validation_weights: Any = None,
        **options: Any,
    ) -> "EncodedClasses":
        """Learn the classes, in their order, and train the classifier.

        Args:
            features: The rows.
            target: Their classes.
            sample_weight: How much each row counts.
            validation: Further rows and their classes, all of which are among those of `target`, to stop early by.
            validation_weights: How much each of these counts.
            options: What the classifier's own `fit` takes.
        """
        self.classes_, encoded = np.unique(np.asarray(target), return_inverse=True)
        # By name, because estimators around this one ask whether it takes weights.
        options["sample_weight"] = sample_weight
        if validation is None:
            self.estimator.fit(features, encoded, **options)
            return self
        rows, classes = validation
        numbers = np.searchsorted(self.classes_, np.asarray(classes))
        fit_watching(
            self.estimator, features, encoded, (rows, numbers), validation_weights, **options
        )
        return self

    def predict(self, features: Any) -> NDArray[Any]:
        """The class of each row."""
        numbers = np.asarray(self.estimator.predict(features), dtype=int).ravel()
        found: NDArray[Any] = self.classes_[numbers]
        return found

    def predict_proba(self, features: Any) -> NDArray[Any]:
        """Rows x classes, in the order of `classes_`."""
        found: NDArray[Any] = self.estimator.predict_proba(features)
        return found
