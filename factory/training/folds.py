"""Folds: the rows that are not for the test, divided into those that a model learns from and those it is measured on.

Each fold is one row of a matrix with one number for each row of the part `train`: `LEARNED`, `MEASURED`
or `LEFT_OUT`. With `split.window` one more row says what the model itself learns from, on which nothing is
measured. The matrix lies beside the parts in the workspace, and so do jobs get it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.training.division import (
    Divided,
    Folds,
    Method,
    Split,
    end_before,
    hashed_place,
    window_begin,
)

LEARNED, MEASURED, LEFT_OUT = 0, 1, 2

FoldMatrix = NDArray[np.int8]
"""Folds x rows of the part `train`; with a window, the last row is that of the model itself."""


def assign_folds(
    split: Split,
    folds: Folds,
    method: Method,
    given: Divided,
    *,
    classes: NDArray[Any] | None = None,
    always_learned: NDArray[np.bool_] | None = None,
) -> FoldMatrix:
    """Divide rows into folds; the same rows and seed give the same ones.

    Args:
        split: The section.
        folds: How many.
        method: The section's method, or what is usual for the task.
        given: What is known of the rows of the part `train`.
        classes: The classes of the rows, where the target has some.
        always_learned: Rows that each fold learns from, and none is measured on.

    Raises:
        TerminalError: The rows cannot be divided so; says what to write instead.
    """
    if always_learned is None:
        always_learned = np.zeros(given.rows, dtype=bool)
    divided = np.flatnonzero(~always_learned)
    matrix = np.full((folds.trainings, given.rows), LEARNED, dtype=np.int8)
    matrix[:, divided] = _METHODS[method](split, folds, given.take(divided))
    for number, fold in enumerate(matrix, start=1):
        _check_fold(number, fold, classes, folds)
    if not split.window:
        return matrix
    return with_window(matrix, always_learned | _in_window(split, given))


def with_window(matrix: FoldMatrix, learned: NDArray[np.bool_]) -> FoldMatrix:
    """The folds, and which rows the model itself learns from."""
    return np.vstack([matrix, np.where(learned, LEARNED, LEFT_OUT).astype(np.int8)])


def _in_window(split: Split, given: Divided) -> NDArray[np.bool_]:
    """The rows that are as new as `window` asks for."""
    (values,) = given.columns
    order = np.argsort(values, kind="stable")
    found = np.zeros(given.rows, dtype=bool)
    found[order[window_begin(values[order], given.rows, split.window) :]] = True
    return found


def _check_fold(
    number: int, fold: NDArray[np.int8], classes: NDArray[Any] | None, folds: Folds
) -> None:
    learned, measured = fold == LEARNED, fold == MEASURED
    if not learned.any() or not measured.any():
        missing = "in" if learned.any() else "to learn from for"
        raise TerminalError(
            f"split.validation: {len(fold)} rows are too few for {folds.in_words}: none would be "
            f"{missing} fold {number}: write fewer folds, or bring more rows"
        )
    if classes is not None and len(np.unique(classes[learned])) < 2:
        raise TerminalError(
            f"split.validation: all {int(learned.sum())} rows that fold {number} learns from are of the class "
            f"{str(classes[learned][0])!r}: use `method: stratified`, fewer folds, or another `split.column`"
        )


def _random(split: Split, folds: Folds, given: Divided) -> FoldMatrix:
    from sklearn.model_selection import RepeatedKFold

    _, unit = _units(split, given)
    _check_count(int(unit.max()) + 1, folds, "different rows")
    found = RepeatedKFold(
        n_splits=folds.folds, n_repeats=folds.repeats, random_state=split.seed
    ).split(np.arange(int(unit.max()) + 1))
    return _measured_units(found, unit)


def _stratified(split: Split, folds: Folds, given: Divided) -> FoldMatrix:
    from sklearn.model_selection import RepeatedStratifiedKFold

    # Each class is in every fold: the division has left enough rows of each.
    first, unit = _units(split, given)
    found = RepeatedStratifiedKFold(
        n_splits=folds.folds, n_repeats=folds.repeats, random_state=split.seed
    ).split(first, given.classes[first])
    return _measured_units(found, unit)


def _units(split: Split, given: Divided) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What is not taken apart: the first row of each unit, and each row's unit."""
    if split.duplicates is None:
        rows = np.arange(given.rows)
        return rows, rows
    _, first, unit = np.unique(given.features, return_index=True, return_inverse=True)
    return first, unit


def _measured_units(found: Any, unit: NDArray[np.int64]) -> FoldMatrix:
    return np.stack([np.where(np.isin(unit, measured), MEASURED, LEARNED) for _, measured in found])


def _group(split: Split, folds: Folds, given: Divided) -> FoldMatrix:
    from sklearn.model_selection import GroupKFold

    (values,) = given.columns
    _, codes = np.unique(np.asarray(values), return_inverse=True)
    _check_count(int(codes.max()) + 1, folds, f"groups in {split.column!r}")
    found = GroupKFold(n_splits=folds.folds).split(codes, groups=codes)
    return _measured_units(found, np.arange(given.rows))


def _time(split: Split, folds: Folds, given: Divided) -> FoldMatrix:
    """Each fold is measured on later rows than it learns from, which grow from fold to fold unless there is a window."""
    (values,) = given.columns
    order = np.argsort(values, kind="stable")
    times = values[order]
    _check_count(given.rows - 1, folds, "later rows")
    size = given.rows // (folds.folds + 1)
    ends = [given.rows - size * later for later in range(folds.folds + 1)][::-1]
    # All rows of one moment are on the newer side, as they are between the parts.
    borders = [int(np.searchsorted(times, times[end], side="left")) for end in ends[:-1]]
    matrix = np.full((folds.folds, given.rows), LEFT_OUT, dtype=np.int8)
    for fold, begin, end in zip(matrix, borders, [*borders[1:], given.rows], strict=True):
        learned_end = end_before(times, begin, split.gap)
        fold[order[window_begin(times, learned_end, split.window) : learned_end]] = LEARNED
        fold[order[begin:end]] = MEASURED
    return matrix


def _hash(split: Split, folds: Folds, given: Divided) -> FoldMatrix:
    """Each row's key decides on its fold, in which it stays as others come."""
    lowest = split.test if isinstance(split.test, float) else 0.0
    place = (hashed_place(split, given) - lowest) / (1 - lowest)
    fold = np.minimum((place * folds.folds).astype(np.int64), folds.folds - 1)
    return np.where(np.arange(folds.folds)[:, None] == fold, MEASURED, LEARNED)


def _check_count(found: int, folds: Folds, what: str) -> None:
    if found < folds.folds:
        raise TerminalError(
            f"split.validation: {folds.folds} folds need as many {what}, and {found} are left beside "
            "the test rows: write fewer folds, or bring more rows"
        )


_METHODS: dict[Method, Callable[[Split, Folds, Divided], FoldMatrix]] = {
    "random": _random,
    "stratified": _stratified,
    "time": _time,
    "group": _group,
    "hash": _hash,
}


def write_folds(matrix: FoldMatrix, workspace: Path) -> None:
    """Store folds beside the parts; a reader never sees half of them."""
    file = folds_file(workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as unfinished, unfinished.open("wb") as sink:
        np.save(sink, matrix)


def read_folds(workspace: Path) -> FoldMatrix:
    """The folds that `write_folds` stored, without what the model itself learns from.

    Raises:
        TerminalError: They are not in the workspace.
    """
    matrix = _read(workspace)
    return matrix if (matrix[-1] == MEASURED).any() else matrix[:-1]


def read_window(workspace: Path) -> NDArray[np.intp] | None:
    """The rows of the part `train` that the model itself learns from; None where these are all of them.

    Raises:
        TerminalError: The folds are not in the workspace.
    """
    last = _read(workspace)[-1]
    return None if (last == MEASURED).any() else np.flatnonzero(last == LEARNED)


def _read(workspace: Path) -> FoldMatrix:
    try:
        found: FoldMatrix = np.load(folds_file(workspace), mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise TerminalError(
            "the folds are not in the workspace any more: clear the DAG run from `split` on"
        ) from None
    return found


def folds_file(workspace: Path) -> Path:
    """Where folds lie; below the split's folder, which is what a job gets."""
    return workspace / "split" / "folds.npy"
