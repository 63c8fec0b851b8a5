"""Metrics of rankings: of each group by itself, and of all groups their mean.

Rows with equal scores are in no order: for `ndcg` each order counts the same, as scikit-learn's `ndcg_score` has it;
for the others such a row comes after all that have its score, as in `label_ranking_average_precision_score`.
Groups without a relevant row say nothing about an order, and are left out.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.training.metrics import Metric, Parameter
from factory.training.ranking_rules import GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RANKINGS = ("ranking",)
_SHARE = (0, 1)


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Rows in the order of their groups and, within them, of their scores, the highest first."""

    truth: "NDArray[Any]"
    group: "NDArray[Any]"
    """The number of each row's group, from 0 on without gaps."""
    rank: "NDArray[Any]"
    """The place of each row in its group, from 1."""
    tie: "NDArray[Any]"
    """The number of the rows of one group with one score, from 0 on without gaps."""

    @classmethod
    def of(
        cls, target: "NDArray[Any]", predicted: "NDArray[Any]", group: "NDArray[Any]"
    ) -> "_Ranked":
        """Rows of those groups that have a relevant one.

        Raises:
            ValueError: There is no such group, or a score is no finite number.
        """
        import numpy as np

        truth = np.asarray(target, dtype=float)
        if not np.isfinite(np.asarray(predicted, dtype=float)).all():
            raise ValueError("scores are not finite, and so in no order")
        _, numbers = np.unique(group, return_inverse=True)
        is_told = np.bincount(numbers, weights=truth > 0)[numbers] > 0
        if not is_told.any():
            raise ValueError("no row of these groups is relevant")
        truth, said = truth[is_told], np.asarray(predicted, dtype=float)[is_told]
        _, numbers = np.unique(numbers[is_told], return_inverse=True)
        order = np.lexsort((-said, numbers))
        truth, said, numbers = truth[order], said[order], numbers[order]
        is_first = np.diff(numbers, prepend=-1) != 0
        starts = np.flatnonzero(is_first)
        rank = np.arange(len(numbers)) - starts[numbers] + 1
        is_new = is_first | (np.diff(said, prepend=np.nan) != 0)
        return cls(truth, numbers, rank, np.cumsum(is_new) - 1)

    def last_of_tie(self, values: "NDArray[Any]") -> "NDArray[Any]":
        """For each row the value of the last row that has its score."""
        import numpy as np

        ends = np.flatnonzero(np.diff(self.tie, append=-1) != 0)
        found: NDArray[Any] = values[ends][self.tie]
        return found


def _gain(ranked: _Ranked, k: int | None) -> "NDArray[Any]":
    """The discounted cumulative gain of each group: the mean over all orders of rows with equal scores."""
    import numpy as np

    discount = 1 / np.log2(ranked.rank + 1)
    if k is not None:
        discount[ranked.rank > k] = 0
    shared = np.bincount(ranked.tie, weights=discount) / np.bincount(ranked.tie)
    found: NDArray[Any] = np.bincount(ranked.group, weights=ranked.truth * shared[ranked.tie])
    return found


def ndcg(
    target: "NDArray[Any]",
    predicted: "NDArray[Any]",
    *,
    group: "NDArray[Any]",
    k: int | None = None,
) -> float:
    """The normalized discounted cumulative gain (Järvelin and Kekäläinen 2002), with the relevance itself as gain.

    Args:
        target: How relevant each row is; at least 0.
        predicted: The score of each row, the higher, the further in front.
        group: The number of each row's group.
        k: How many of the first rows of each group count; all if left out.

    Raises:
        ValueError: No row is relevant.
    """
    best = _gain(_Ranked.of(target, target, group), k)
    return float((_gain(_Ranked.of(target, predicted, group), k) / best).mean())


def _average_precision(
    target: "NDArray[Any]", predicted: "NDArray[Any]", *, group: "NDArray[Any]"
) -> float:
    import numpy as np

    ranked = _Ranked.of(target, predicted, group)
    relevant = ranked.truth > 0
    before = np.cumsum(relevant)
    # Those of earlier groups do not count.
    starts = np.flatnonzero(ranked.rank == 1)
    found: NDArray[Any] = before - (before[starts] - relevant[starts])[ranked.group]
    precision = ranked.last_of_tie(found) / ranked.last_of_tie(ranked.rank)
    sums = np.bincount(ranked.group, weights=precision * relevant)
    return float((sums / np.bincount(ranked.group, weights=relevant)).mean())


def _reciprocal_rank(
    target: "NDArray[Any]", predicted: "NDArray[Any]", *, group: "NDArray[Any]"
) -> float:
    import numpy as np

    ranked = _Ranked.of(target, predicted, group)
    found: NDArray[Any] = np.where(ranked.truth > 0, 1 / ranked.last_of_tie(ranked.rank), 0)
    best = np.maximum.reduceat(found, np.flatnonzero(ranked.rank == 1))
    return float(best.mean())


_K = Parameter(
    "a whole number of at least 1",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
)

NDCG = Metric(
    "ndcg",
    _RANKINGS,
    "maximize",
    ndcg,
    bounds=_SHARE,
    about=(GROUP,),
    parameters={"k": _K},
)
"""The normalized discounted cumulative gain of all rows of a group, or of the first `k`."""
NDCG_AT_10 = Metric(
    "ndcg_at_10",
    _RANKINGS,
    "maximize",
    ndcg,
    bounds=_SHARE,
    about=(GROUP,),
    options={"k": 10},
)
MEAN_AVERAGE_PRECISION = Metric(
    "mean_average_precision",
    _RANKINGS,
    "maximize",
    _average_precision,
    bounds=_SHARE,
    about=(GROUP,),
)
"""The mean over groups of the average precision; a row is relevant whose target is above 0."""
MEAN_RECIPROCAL_RANK = Metric(
    "mean_reciprocal_rank",
    _RANKINGS,
    "maximize",
    _reciprocal_rank,
    bounds=_SHARE,
    about=(GROUP,),
)
"""The mean over groups of one divided by the place of the first relevant row."""
