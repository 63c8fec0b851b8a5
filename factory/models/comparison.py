"""Challenger and champion on the same test rows: how sure the difference is, and how it is in slices."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.base.texts import did_you_mean, one_of
from factory.models.gate_decision import GainInterval, SliceScore, SliceScores
from factory.models.promotion import Slices
from factory.training.metrics import Goal, Metric, score
from factory.training.ranking_rules import GROUP

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from factory.trainers.trainer import Predictions

_RESAMPLES = 1000
_FEWEST_RESAMPLES = 200
"""Below which there is no interval."""
_MOST_ROWS = 10_000
_MOST_SECONDS = 300.0
_NULL = -1
_WORST = 10


@dataclass(frozen=True, eq=False)
class Comparison:
    """What two versions say of the same rows, and by which metric they are compared."""

    metric: Metric
    goal: Goal
    target: "NDArray[Any] | None"
    """The truth, one value a row; None where there is none."""
    challenger: "Predictions"
    champion: "Predictions"

    def scores(
        self, places: "NDArray[Any]", groups: "NDArray[Any] | None" = None
    ) -> tuple[float, float] | None:
        """The scores of challenger and champion on some rows; None where one of them cannot be computed.

        Args:
            places: The places of the rows; one may be there several times.
            groups: What the rows are ranked with, if not by their own groups.
        """
        truth = None if self.target is None else self.target[places]
        some = [each.of_rows(places) for each in (self.challenger, self.champion)]
        if groups is not None:
            some = [each.with_about({**each.about, GROUP: groups}) for each in some]
        found = [score([self.metric], truth, each).values for each in some]
        own, other = (values.get(self.metric.name) for values in found)
        return None if own is None or other is None else (own, other)

    def gain(self, places: "NDArray[Any]", groups: "NDArray[Any] | None" = None) -> float | None:
        """By how much the challenger is better on some rows, see `scores`; None where that cannot be computed."""
        scores = self.scores(places, groups)
        if scores is None:
            return None
        own, other = scores
        return own - other if self.goal == "maximize" else other - own


def gain_interval(
    comparison: Comparison,
    confidence: float,
    *,
    seed: int,
    clock: Callable[[], float] = time.monotonic,
) -> GainInterval:
    """The interval of the gain, by the percentiles of a paired bootstrap: both versions on the same resampled rows.

    Of 1,000 resamples of the test rows (of 10,000 of them, where there are more), as many as 300 seconds last for. Rows
    that are ranked within groups are drawn by whole groups.
    Those for which the metric cannot be computed do not count; there is no interval of fewer than 200.

    See B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Args:
        comparison: Both versions.
        confidence: The share of gains that lie in the interval; of the others, half lie below it.
        seed: What the resamples are drawn with.
        clock: Seconds since any time.
    """
    import numpy as np

    from factory.training.row_groups import some_groups

    random = np.random.default_rng(seed)
    groups = comparison.challenger.about.get(GROUP)
    draw: Callable[[], tuple[NDArray[Any], NDArray[Any] | None]]
    if groups is not None:
        places = some_groups(groups, _MOST_ROWS, random)
        draw = partial(_of_groups, places, groups[places], random)
    else:
        places = np.arange(len(comparison.challenger.values))
        if len(places) > _MOST_ROWS:
            places = random.choice(places, _MOST_ROWS, replace=False)
        draw = partial(_of_rows, places, random)
    end = clock() + _MOST_SECONDS
    gains: list[float] = []
    for _ in range(_RESAMPLES):
        if (gain := comparison.gain(*draw())) is not None:
            gains.append(gain)
        if clock() > end:
            break
    low = high = None
    if len(gains) >= _FEWEST_RESAMPLES:
        outside = (1 - confidence) / 2
        low, high = (float(each) for each in np.quantile(gains, [outside, 1 - outside]))
    return GainInterval(
        confidence=confidence, low=low, high=high, resamples=len(gains), rows=len(places)
    )


def _of_rows(places: "NDArray[Any]", random: "np.random.Generator") -> "tuple[NDArray[Any], None]":
    return places[random.integers(0, len(places), len(places))], None


def _of_groups(
    places: "NDArray[Any]", groups: "NDArray[Any]", random: "np.random.Generator"
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """The rows of as many groups as there are; one that is drawn twice becomes two groups."""
    import numpy as np

    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    drawn = random.integers(0, len(starts), len(starts))
    counts = sizes[drawn]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[np.repeat(starts[drawn], counts) + within]
    return places[rows], np.repeat(np.arange(len(drawn)), counts)


def check_groups(named: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse groups of test rows by columns that they do not have.

    Args:
        named: The columns that make the groups.
        columns: The columns of the test rows.

    Raises:
        TerminalError: Says which one, and what to write.
    """
    for column in named:
        if column not in columns:
            advice = did_you_mean(column, columns, f"they have {one_of(columns)}")
            raise TerminalError(
                f"promotion: the test rows have no column {column!r}, only the features: {advice}"
            )


def slice_scores(comparison: Comparison, slices: Slices, features: "pd.DataFrame") -> SliceScores:
    """Both versions on each slice of the test rows that is large enough.

    Args:
        comparison: Both versions.
        slices: Which slices, see `check_groups`.
        features: The test rows.
    """
    too_small = undefined = 0
    found: list[SliceScore] = []
    for column in slices.columns:
        for value, places in _by_value(features[column]):
            if len(places) < slices.min_rows:
                too_small += 1
            elif (scores := comparison.scores(places)) is None:
                undefined += 1
            else:
                found.append(_scored(comparison, column, value, len(places), scores))
    found.sort(key=lambda one: -one.loss)
    return SliceScores(
        max_loss=slices.max_loss,
        min_rows=slices.min_rows,
        compared=len(found),
        worst=tuple(found[:_WORST]),
        too_bad=sum(_is_more(one.loss, slices.max_loss) for one in found),
        too_small=too_small,
        undefined=undefined,
    )


def _scored(
    comparison: Comparison, column: str, value: str, rows: int, scores: tuple[float, float]
) -> SliceScore:
    own, other = scores
    return SliceScore(
        column=column,
        value=value,
        rows=rows,
        champion=other,
        challenger=own,
        loss=other - own if comparison.goal == "maximize" else own - other,
    )


def _by_value(column: "pd.Series[Any]") -> "Iterator[tuple[str, NDArray[np.int64]]]":
    """Each value of a column, `null` among them, and the places of its rows."""
    import numpy as np
    import pandas as pd

    codes, values = pd.factorize(column)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=_NULL - 1))
    for places in np.split(order, starts[1:]):
        code = codes[places[0]]
        yield ("null" if code == _NULL else str(values[code])), places


def _is_more(loss: float, limit: float) -> bool:
    # Decimal fractions such as 0.91 - 0.9 are a little off 0.01 in binary.
    return loss > limit and not math.isclose(loss, limit, rel_tol=1e-9)
