"""How small the regions are in which an anomaly detector takes rows for normal; needs no labels."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ROWS = 5_000
"""How many rows are drawn at random, to measure volumes by."""
_LEAST, _MOST, _REGIONS = 0.9, 0.999, 100
"""The regions are those that hold so large a share of the rows."""


def mass_volume(scores: "NDArray[Any]", background: "NDArray[Any]") -> float:
    """The mean volume of the regions with the lowest scores that hold 90 % to 99.9 % of the rows.

    It is the area under the mass-volume curve on that interval, divided by its length (N. Goix, How to Evaluate the
    Quality of Unsupervised Anomaly Detection Algorithms?, 2016). A volume is the share of rows drawn at random,
    see `random_rows`, that are in the region: the volume of the box around all rows is 1.

    Args:
        scores: Of the rows: the higher, the more anomalous.
        background: Of the rows that were drawn.

    Returns:
        From 0, for a detector whose normal rows fill nothing of the box, to 1.
    """
    import numpy as np

    shares = np.linspace(_LEAST, _MOST, _REGIONS)
    limits = np.quantile(scores, shares, method="inverted_cdf")
    inside = np.searchsorted(np.sort(background), limits, side="right")
    return float(inside.mean() / len(background))


def random_rows(rows: "pd.DataFrame", *, seed: int, count: int = ROWS) -> "pd.DataFrame":
    """Rows whose values are drawn at random and without regard to each other, from between those of given rows.

    Numbers and points in time: between the lowest and the highest, whole ones where all are whole. Texts: any of
    those that are there. Of a column without values: none.

    Args:
        rows: Features.
        seed: What drawing starts from.
        count: How many are drawn.
    """
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {name: _drawn(rows[name], random, count) for name in rows.columns}, columns=rows.columns
    )


def _drawn(column: "pd.Series[Any]", random: Any, count: int) -> "pd.Series[Any]":
    import numpy as np
    import pandas as pd

    known = column.dropna()
    if known.empty:
        return pd.Series(column.iloc[:1].reindex(range(count)), dtype=column.dtype)
    if pd.api.types.is_datetime64_any_dtype(column):
        low, high = known.min(), known.max()
        return pd.Series(low + (high - low) * random.uniform(size=count)).astype(column.dtype)
    if not pd.api.types.is_numeric_dtype(column):
        values = np.sort(known.unique().astype(object))
        return pd.Series(random.choice(values, count), dtype=column.dtype)
    numbers = known.to_numpy(dtype=np.float64)
    if (numbers == np.floor(numbers)).all():
        whole = random.integers(int(numbers.min()), int(numbers.max()), count, endpoint=True)
        return pd.Series(whole.astype(np.float64), dtype=column.dtype)
    return pd.Series(random.uniform(numbers.min(), numbers.max(), count), dtype=column.dtype)
