"""Which features made a prediction what it is: Shapley values, estimated by sampling.

A feature's contribution is what it changes when the row's value takes the place of another row's, on the
average over other rows and over the orders in which features take their places (Štrumbelj and Kononenko:
Explaining prediction models and individual predictions with feature contributions, 2014). Each order is gone
through forwards and backwards, which makes the estimate more precise (Mitchell, Cooper, Frank, Holmes: Sampling
Permutations for Shapley Value Estimation, 2022). It asks the model and nothing else, so that it
works for all of them, with columns as they were before any preprocessing.
"""

import logging
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factory.trainers.trainer import Predictions

logger = logging.getLogger(__name__)

Floats: TypeAlias = "NDArray[np.float64]"

_AT_ONCE = 50_000
"""How many rows the model is asked about at once."""
_TOLD_EVERY = 10
"""A line in the log for each tenth of the rows."""


class Explainer:
    """Explains rows, a batch at a time, until so many are explained."""

    def __init__(
        self,
        predict: Callable[[pd.DataFrame], Predictions],
        others: pd.DataFrame,
        max_rows: int,
        seed: int = 0,
    ) -> None:
        """An explainer.

        Args:
            predict: Asks the model.
            others: The rows that each row is compared with, with the features and nothing else.
            max_rows: How many rows are explained; of those that come later nothing is said.
            seed: What the orders of features are drawn from.
        """
        self._predict = predict
        self._others = others.reset_index(drop=True)
        self._said_of_others = predict(self._others)
        self._left = self._max_rows = max_rows
        draw = np.random.default_rng(seed)
        orders = [draw.permutation(others.shape[1]) for _ in range(len(others))]
        # Position of each feature in each order, and in its reverse: 2 x others, features.
        positions = np.array([np.argsort(order) for order in orders])
        self._positions = np.concatenate([positions, others.shape[1] - 1 - positions])
        self._other = np.tile(np.arange(len(others)), 2)

    def explain(self, rows: pd.DataFrame, said: Predictions) -> Floats:
        """The contribution of each feature to what the model says of each row.

        They add up to the difference between what it says of the row, and of the other rows on the average: a number,
        or the probability of the row's predicted class; without probabilities, 1 where it predicts that class.

        Args:
            rows: The features, in the order of the other rows'.
            said: What the model says of these rows.

        Returns:
            Rows x features; fewer rows than there are once as many as are to be explained are.
        """
        rows = rows.iloc[: self._left].reset_index(drop=True)
        found = np.empty(rows.shape)
        steps = max(1, rows.shape[1] - 1)
        size = max(1, _AT_ONCE // (len(self._other) * steps))
        for start in range(0, len(rows), size):
            part = np.arange(start, min(start + size, len(rows)))
            found[part] = self._contributions(rows.iloc[part], said.of_rows(part))
            self._tell(len(part))
        return found

    def _tell(self, done: int) -> None:
        before, self._left = self._max_rows - self._left, self._left - done
        after, step = before + done, max(1, self._max_rows // _TOLD_EVERY)
        if before // step != after // step:
            logger.info("Explained %s rows", f"{after:,}")

    def _contributions(self, rows: pd.DataFrame, said: Predictions) -> Floats:
        count, features = rows.shape
        walks = len(self._other)
        # What the model says along each walk from another row to this one: rows, walks, steps.
        values = np.empty((count, walks, features + 1))
        values[:, :, -1] = _value(said, said)[:, None]
        everywhere = np.repeat(np.arange(count), walks)
        values[:, :, 0] = _value(
            self._said_of_others.of_rows(np.tile(self._other, count)), said.of_rows(everywhere)
        ).reshape(count, walks)
        if features > 1:
            values[:, :, 1:-1] = self._between(rows, said)
        changes = np.diff(values, axis=2)
        by_feature = np.take_along_axis(changes, self._positions[None, :, :], axis=2)
        averages: Floats = by_feature.mean(axis=1)
        return averages

    def _between(self, rows: pd.DataFrame, said: Predictions) -> Floats:
        """What the model says of rows with some features of theirs, and the others of another row."""
        count, features = rows.shape
        walks, steps = len(self._other), features - 1
        shape = (count, walks, steps)
        step = np.arange(1, features)
        row = np.broadcast_to(np.arange(count)[:, None, None], shape).ravel()
        other = np.broadcast_to(self._other[None, :, None], shape).ravel()
        both = pd.concat([self._others, rows], ignore_index=True)
        mixed = {}
        for place, name in enumerate(rows.columns):
            is_own = self._positions[:, place][None, :, None] < step
            is_own = np.broadcast_to(is_own, shape).ravel()
            chosen = np.where(is_own, len(self._others) + row, other)
            mixed[name] = both[name].take(chosen).reset_index(drop=True)
        answers = self._predict(pd.DataFrame(mixed))
        return _value(answers, said.of_rows(row)).reshape(shape)


def _value(answers: Predictions, of: Predictions) -> Floats:
    """What is explained, row by row: a number, or how probable the class is that is predicted for another row."""
    if answers.classes is None:
        return np.asarray(answers.values, dtype=float)
    found: Floats | None = answers.probability_of(of.values)
    if found is None:
        return np.asarray(answers.values == of.values, dtype=float)
    return found


def largest(contributions: Floats, names: list[str], count: int) -> list[tuple[list[str], Floats]]:
    """The features that contribute the most to each row, in either direction: names and contributions, first to last.

    Args:
        contributions: Rows x features.
        names: The features' names.
        count: How many; fewer where there are fewer features.
    """
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :count]
    ranked = np.take_along_axis(contributions, order, axis=1)
    return [([names[at] for at in order[:, n]], ranked[:, n]) for n in range(order.shape[1])]
