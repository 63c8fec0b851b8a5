"""What a model costs: limits of `promotion.require` that are no metrics, and how they are measured."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

LATENCY, SIZE, FIT = "latency_p95_ms", "model_mb", "fit_seconds"
COSTS: Mapping[str, str] = MappingProxyType(
    {
        LATENCY: "the 95th percentile of the time of a prediction of one row, in milliseconds",
        SIZE: "the size of the stored model, in megabytes",
        FIT: "the time in which the winner was trained, in seconds",
    }
)
"""What `promotion.require` may limit beside metrics; less of it is better."""

_MOST_ROWS = 200
_WARM_UP = 20


def latency_p95_ms(
    predict: Callable[["pd.DataFrame"], Any],
    rows: "pd.DataFrame",
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The 95th percentile of the time of a prediction of one row, in milliseconds.

    Measured on one thread, on at most 200 rows from all over, one after the other, after 20 predictions that
    do not count.

    Args:
        predict: What is measured.
        rows: At least one.
        clock: Seconds since any time.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    places = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS), dtype=np.int64)
    singles = [rows.iloc[[place]] for place in places]
    with threadpool_limits(limits=1):
        for number in range(_WARM_UP):
            predict(singles[number % len(singles)])
        seconds = []
        for single in singles:
            start = clock()
            predict(single)
            seconds.append(clock() - start)
    return 1000 * p95(seconds)


def p95(values: Sequence[float]) -> float:
    """The smallest of some values that 95 % of them do not exceed (the nearest-rank percentile)."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
