"""Intervals, against a computation of their own and on real rows that nobody has learned from."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn import datasets
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from factory.models.conformal import IntervalWidths, rows_needed


@pytest.mark.parametrize("rows", [1, 9, 10, 19, 99, 100, 101, 442])
def test_half_width_is_the_smallest_error_that_enough_others_do_not_exceed(rows):
    errors = np.random.default_rng(rows).normal(size=rows)
    widths = IntervalWidths.of(errors.tolist())
    sizes = np.abs(errors)
    for level in range(50, 100):
        # Among rows + 1 errors, the new one included, it has this rank or a lower one.
        fit = [
            size
            for size in sizes
            if Fraction(int((sizes <= size).sum()), rows + 1) >= Fraction(level, 100)
        ]
        assert widths.half_width(level / 100) == min(fit, default=None), level
        assert (not fit) == (rows < rows_needed(level / 100))


@pytest.mark.parametrize(("level", "rows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_fewest_rows_of_a_level(level, rows):
    assert rows_needed(level) == rows


@pytest.mark.parametrize("estimator", [Ridge(), RandomForestRegressor(50, random_state=0)])
def test_intervals_hold_the_share_of_new_rows_that_they_promise(estimator):
    features, target = datasets.load_diabetes(return_X_y=True)
    draw, found = np.random.default_rng(7), []
    for _ in range(10):
        order = draw.permutation(len(target))
        learned, measured, new = order[:200], order[200:320], order[320:]
        estimator.fit(features[learned], target[learned])
        errors = target - estimator.predict(features)
        found.append(IntervalWidths.of(errors[measured].tolist()).coverage(errors[new]))
    for level in (0.8, 0.9, 0.95):
        share = np.mean([one[level] for one in found])
        # The expected share is at least the level, and at most 1 / 121 more; of 1220 rows it spreads a little.
        assert level - 0.025 <= share <= level + 1 / 121 + 0.025
