"""A target that is learned on another scale: scikit-learn's TransformedTargetRegressor around the estimator."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import (
    FunctionTransformer,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from factory.base.objects import Component

_MOST_QUANTILES = 1000
"""scikit-learn's own number."""


def transformer_of(word: str, rows: int, seed: int) -> Component:
    """The unfitted transformer that a word of `target_transform` means.

    Args:
        word: Such as `log1p`.
        rows: How many rows are learned from.
        seed: What is drawn at random starts from.
    """
    return _TRANSFORMERS[word](rows, seed)


def _function(there: Callable[..., Any], back: Callable[..., Any]) -> FunctionTransformer:
    return FunctionTransformer(there, back, check_inverse=False)


_TRANSFORMERS: dict[str, Callable[[int, int], Component]] = {
    "log1p": lambda *_: _function(np.log1p, np.expm1),
    "log": lambda *_: _function(np.log, np.exp),
    "sqrt": lambda *_: _function(np.sqrt, np.square),
    "yeo_johnson": lambda *_: PowerTransformer(method="yeo-johnson"),
    "quantile": lambda rows, seed: QuantileTransformer(
        n_quantiles=min(_MOST_QUANTILES, rows), output_distribution="normal", random_state=seed
    ),
    "standardize": lambda *_: StandardScaler(),
}


def transformed(estimator: Component, transformer: Component) -> TransformedTargetRegressor:
    """The estimator, unfitted, such that it learns what the transformer makes of the target."""
    return TransformedTargetRegressor(estimator, transformer=transformer, check_inverse=False)


def as_learned(
    estimator: Component, target: NDArray[Any], other: NDArray[Any]
) -> tuple[Component, NDArray[Any]]:
    """The estimator that learns, within what transforms the target, and further values on its scale.

    Args:
        estimator: Unfitted; where it transforms nothing, it comes back with the values as they are.
        target: The values of the training rows, by which a transformer is fitted.
        other: Those of the further rows.
    """
    if not isinstance(estimator, TransformedTargetRegressor):
        return estimator, other
    fitted = clone(estimator.transformer).fit(target.reshape(-1, 1))
    return estimator.regressor, np.asarray(fitted.transform(other.reshape(-1, 1))).ravel()
