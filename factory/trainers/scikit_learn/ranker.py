"""Estimators that rank rows within groups: those of LightGBM, XGBoost and CatBoost, and any regressor.

Stored models name this class by this module.
"""

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from factory.base.objects import Component, import_object
from factory.trainers.scikit_learn.early_stopping import fit_watching, quiet

_BY_ROW = ("qid", "group_id")
"""Arguments of `fit` that take the group of each row; `group` takes the number of rows of each group."""


def takes_groups(kind: Component) -> bool:
    """Whether the `fit` of an estimator, or of its class, is told which rows are ranked together."""
    fit = getattr(kind, "fit", None)
    return fit is not None and bool(_parameters(fit) & {*_BY_ROW, "group"})


def _parameters(fit: Component) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(fit).parameters)
    except (TypeError, ValueError):  # of compiled code
        return frozenset()


class RankedWithin(RegressorMixin, BaseEstimator):  # type: ignore[misc] # no types
    """An estimator whose scores rank rows within groups; one that takes no groups learns each row by itself.

    Args:
        estimator: The estimator, not yet trained.
    """

    def __init__(self, estimator: Component = None) -> None:
        self.estimator = estimator

    def fit(
        self,
        rows: Any,
        target: Any,
        groups: Any = None,
        validation: tuple[Any, Any] | None = None,
        validation_groups: Any = None,
    ) -> Self:
        """Train it.

        Args:
            rows: The rows, those of a group side by side.
            target: How relevant each is.
            groups: The number of each row's group, ascending.
            validation: Further rows and their relevance, to stop early by.
            validation_groups: The groups of these.
        """
        if not takes_groups(self.estimator):
            if validation is None:
                self.estimator.fit(rows, target)
            else:
                fit_watching(self.estimator, rows, target, validation)
        else:
            watched = {} if validation is None else self._watched(*validation, validation_groups)
            self.estimator.fit(rows, target, **self._grouped(groups), **watched)
        self.n_features_in_ = rows.shape[1]
        return self

    def _grouped(self, groups: NDArray[Any], prefix: str = "") -> dict[str, Any]:
        taken = _parameters(self.estimator.fit)
        for name in _BY_ROW:
            if name in taken:
                return {f"{prefix}{name}": groups}
        return {f"{prefix}group": np.unique(groups, return_counts=True)[1]}

    def _watched(self, rows: Any, target: Any, groups: NDArray[Any]) -> dict[str, Any]:
        """The arguments of `fit` for rows to stop early by."""
        if "group_id" in _parameters(self.estimator.fit):
            pool = import_object("catboost.Pool")
            return {"eval_set": pool(rows, label=target, group_id=groups)}
        told = self._grouped(groups, "eval_")
        return {
            "eval_set": [(rows, target)],
            **{name: [values] for name, values in told.items()},
            **quiet(self.estimator),
        }

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """A score a row: the higher, the further in front."""
        check_is_fitted(self, "n_features_in_")
        found: NDArray[np.float64] = np.asarray(self.estimator.predict(rows), dtype=np.float64)
        return found.reshape(-1)
