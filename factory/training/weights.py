"""The weights of rows: read from their column, and stored beside the parts in the workspace, where jobs get them too."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.data.columns import is_numeric
from factory.training.division import Division, Part


def row_weights(rows: pa.Table, column: str) -> NDArray[np.float64]:
    """How much each row counts.

    Raises:
        TerminalError: Weights are missing, below 0 or infinite, with their counts; or all are 0.
    """
    values = rows.column(column)
    if not is_numeric(values.type):
        raise TerminalError(
            f"weights: {column!r} is of type {values.type}, and a weight is a number: cast it in a transform"
        )
    found: NDArray[np.float64] = values.cast(pa.float64(), safe=False).to_numpy()
    wrong = {
        "missing": int(np.isnan(found).sum()),
        "below 0": int((found < 0).sum()),
        "infinite": int(np.isposinf(found).sum()),
    }
    if any(wrong.values()):
        counts = ", ".join(f"{count} {what}" for what, count in wrong.items() if count)
        raise TerminalError(
            f"weights: {column!r} must be a number of at least 0 in each row, and of {len(found)} values there are {counts}: "
            f"take them out in a transform (`where {column} >= 0`), or fill them in (`coalesce({column}, 1)`)"
        )
    if not found.any():
        raise TerminalError(f"weights: all {len(found)} rows weigh 0 in {column!r}")
    return found


def write_weights(weights: NDArray[np.float64], division: Division, workspace: Path) -> None:
    """Store the weights of the rows that are learned from, or that end a training, beside their parts."""
    for part in (part for part in division if part != "test"):
        file = weights_file(workspace, part)
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as unfinished, unfinished.open("wb") as sink:
            np.save(sink, weights[division[part]])


def read_weights(workspace: Path, part: Part) -> NDArray[np.float64] | None:
    """How much each row of a part counts; None where all count the same."""
    file = weights_file(workspace, part)
    if not file.exists():
        return None
    found: NDArray[np.float64] = np.load(file, allow_pickle=False)
    return found


def weights_file(workspace: Path, part: Part) -> Path:
    """Where weights lie; below the split's folder, which is what a job gets."""
    return workspace / "split" / f"{part}.weights.npy"
