"""Direct forecasting: an estimator of its own for each step of the horizon, within one pipeline.

See S. Ben Taieb, G. Bontempi, A. Atiya and A. Sorjamaa, A review and comparison of strategies for multi-step ahead
time series forecasting (2012). Stored models name these classes by this module.
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from factory.base.objects import Component


class BesideStep(TransformerMixin, BaseEstimator):  # type: ignore[misc] # no types
    """Prepares all features but the step, which becomes the first column as it is.

    Args:
        transformer: Prepares the others.
        step: The feature that says how many steps ahead a row is.
    """

    def __init__(self, transformer: Component = None, step: str = "step") -> None:
        self.transformer = transformer
        self.step = step

    def fit(self, rows: pd.DataFrame, target: Any = None) -> Self:
        """Fit the transformer."""
        self.fitted_ = self.transformer.fit(rows.drop(columns=self.step), target)
        return self

    def transform(self, rows: pd.DataFrame) -> NDArray[Any]:
        """The steps, and what the transformer makes of the rest."""
        check_is_fitted(self)
        prepared = self.fitted_.transform(rows.drop(columns=self.step))
        steps = rows[self.step].to_numpy(np.float64)
        dense = prepared.toarray() if sparse.issparse(prepared) else np.asarray(prepared)
        return np.column_stack([steps, dense])


class EachStep(RegressorMixin, BaseEstimator):  # type: ignore[misc] # no types
    """Trains a copy of an estimator for each step, and asks that of a row's own step.

    Args:
        estimator: The estimator, not yet trained.
    """

    def __init__(self, estimator: Component = None) -> None:
        self.estimator = estimator

    def fit(self, rows: NDArray[Any], target: NDArray[Any]) -> Self:
        """Train one for each step that the rows have; the first column is the step."""
        steps = rows[:, 0].astype(int)
        self.steps_ = np.unique(steps)
        self.estimators_ = [
            clone(self.estimator).fit(rows[steps == step, 1:], target[steps == step])
            for step in self.steps_
        ]
        return self

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """One number a row.

        Raises:
            ValueError: A row is of a step that was not trained.
        """
        check_is_fitted(self)
        steps = rows[:, 0].astype(int)
        unknown = np.setdiff1d(steps, self.steps_)
        if len(unknown):
            raise ValueError(
                f"it forecasts {self.steps_[-1]} steps, and is asked for step {unknown[-1]}"
            )
        found = np.empty(len(rows), dtype=np.float64)
        for step, estimator in zip(self.steps_, self.estimators_, strict=True):
            of_step = steps == step
            if of_step.any():
                found[of_step] = np.asarray(estimator.predict(rows[of_step, 1:])).reshape(-1)
        return found
