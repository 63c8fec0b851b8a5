"""How much a model leans on each feature: what it loses in its objective once the feature's values are shuffled."""

import csv
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.training.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions
    from factory.training.metrics import Goal

logger = logging.getLogger(__name__)

_MOST_ROWS = 500
_MOST_FEATURES = 100
_REPEATS = 3


@dataclass(frozen=True)
class Importance:
    """One feature's."""

    feature: str
    loss: float
    """How much worse the metric gets, whichever way it counts; at most about 0 for a feature that is not used."""
    deviation: float
    """The standard deviation of the loss between shuffles."""


def importances(
    predict: "Callable[[pd.DataFrame], Predictions]",
    features: "pd.DataFrame",
    target: "NDArray[Any]",
    *,
    metric: Metric,
    goal: "Goal",
    seed: int,
    groups: "NDArray[Any] | None" = None,
) -> list[Importance]:
    """The permutation importance of each feature, the largest first (Breiman 2001, as scikit-learn has it).

    It is measured on 500 of the rows at most, three times. Models of more than 100 features are not
    looked at: it takes three predictions a feature.

    Args:
        predict: Asks the model.
        features: The test rows.
        target: The true values, one a row.
        metric: What is measured.
        goal: Whether more of it is better.
        seed: What shuffling starts from.
        groups: What the rows are ranked with, where they are: whole groups are looked at.

    Returns:
        Nothing if the model has too many features, or the metric is undefined for these rows.
    """
    import numpy as np
    from sklearn.inspection import permutation_importance

    from factory.training.row_groups import some_groups

    if len(features.columns) > _MOST_FEATURES:
        logger.info("No feature importance: there are %d features", len(features.columns))
        return []
    sign = 1 if goal == "maximize" else -1

    def measure(model: _Asked, rows: "pd.DataFrame", truth: "NDArray[Any]") -> float:
        return sign * metric.compute(truth, model.predict(rows))

    if groups is None:
        rows = features.sample(min(len(features), _MOST_ROWS), random_state=seed).sort_index()
    else:
        rows = features.iloc[some_groups(groups, _MOST_ROWS, np.random.default_rng(seed))]
    places = features.index.get_indexer(rows.index)
    try:
        found = permutation_importance(
            _Asked(predict),
            rows,
            target[places],
            scoring=measure,
            n_repeats=_REPEATS,
            random_state=seed,
        )
    except (TypeError, ValueError) as error:
        logger.warning("No feature importance: %s", error)
        return []
    measured = zip(
        features.columns, found["importances_mean"], found["importances_std"], strict=True
    )
    each = [Importance(str(name), float(mean), float(spread)) for name, mean, spread in measured]
    return sorted(each, key=lambda one: -one.loss)


def as_csv(found: Sequence[Importance], metric: str) -> str:
    """A table of importances, one row a feature."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["feature", f"loss_of_{metric}", "deviation"])
    writer.writerows([one.feature, one.loss, one.deviation] for one in found)
    return text.getvalue()


@dataclass(frozen=True)
class _Asked:
    """A model of any library, as scikit-learn wants one."""

    predict: "Callable[[pd.DataFrame], Predictions]"

    def fit(self) -> None:
        """There is nothing to fit: scikit-learn asks whether there is such a method."""
