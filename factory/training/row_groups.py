"""The groups that rows are ranked within: read from their column, and drawn as a whole."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from factory.base.errors import TerminalError


def row_groups(rows: pa.Table, column: str) -> NDArray[np.int64]:
    """The number of each row's group, in the order of the column's values.

    Raises:
        TerminalError: Rows are of no group, or no group has rows to be ranked.
    """
    values = rows.column(column)
    unknown = pc.sum(pc.is_null(values, nan_is_null=True)).as_py()
    if unknown:
        raise TerminalError(
            f"group: {unknown} of {len(values)} rows have no {column!r}, so that nothing says what they are ranked "
            f"with: take them out in a transform (`where {column} is not null`)"
        )
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    found: NDArray[np.int64] = pc.rank(values, tiebreaker="dense").to_numpy().astype(np.int64)
    if len(found) and int(found.max()) == len(found):
        raise TerminalError(
            f"group: each of the {len(found)} values of {column!r} has one row, and one row cannot be ranked: name the "
            "column whose equal values are ranked together"
        )
    return found


def some_groups(
    groups: NDArray[np.int64], most_rows: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """The places of the rows of whole groups, drawn at random, as many as have about so many rows; in their order."""
    if len(groups) <= most_rows:
        return np.arange(len(groups))
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    drawn = random.permutation(len(sizes))
    count = max(1, int(np.searchsorted(np.cumsum(sizes[drawn]), most_rows, side="right")))
    return np.flatnonzero(np.isin(numbers, drawn[:count]))
