"""A picture of what a model has learned from: the values of each column, on the training and on the test rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas.api.types import (
    is_bool_dtype,
    is_datetime64_any_dtype,
    is_numeric_dtype,
    is_string_dtype,
)

from factory.base.texts import shortened
from factory.data.roles import are_sentences
from factory.training.plots import save

_MOST_COLUMNS = 24
_MOST_ROWS = 10_000
_MOST_VALUES = 10
_BINS = 30
_ACROSS = 4
_LONGEST_NAME, _LONGEST_VALUE = 28, 14

Column: TypeAlias = "pd.Series[Any]"
Parts = Mapping[str, pd.DataFrame]
"""Rows by the part that they are in, such as `train`; all with the same columns."""


def save_columns(parts: Parts, columns: Sequence[str], file: Path) -> Path:
    """Draw the values of columns: histograms of numbers and times, the most frequent of other values.

    Each part is drawn by shares of its own rows, so that parts of different sizes can be compared. Of more
    than 10,000 rows, so many at equal distances are looked at.

    Args:
        parts: The rows.
        columns: What is drawn, at most the first 24.
        file: Where the picture is stored.

    Returns:
        The file.
    """
    some = {name: rows.iloc[:: -(-len(rows) // _MOST_ROWS) or 1] for name, rows in parts.items()}
    shown = columns[:_MOST_COLUMNS]
    across = min(_ACROSS, len(shown))
    down = -(-len(shown) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(3.4 * across, 2.5 * down + 0.6), layout="constrained", squeeze=False
    )
    for axes, column in zip(grid.flat, shown, strict=False):
        _draw(axes, {name: rows[column] for name, rows in some.items()})
        axes.set_title(_title(column, some), fontsize=9)
        axes.tick_params(labelsize=7)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    _name_parts(figure, parts)
    left_out = len(columns) - len(shown)
    figure.suptitle(
        f"Columns{f', the first {len(shown)} of {len(columns)}' if left_out else ''}: shares of rows",
        fontsize=10,
    )
    return save(figure, file)


def _title(column: str, parts: Parts) -> str:
    rows = pd.concat([part[column] for part in parts.values()])
    missing = float(rows.isna().mean()) if len(rows) else 0.0
    name = shortened(column, _LONGEST_NAME)
    return f"{name}\n{missing:.1%} missing" if missing else name


def _draw(axes: Axes, parts: Mapping[str, Column]) -> None:
    known = {name: values.dropna() for name, values in parts.items()}
    together = pd.concat(list(known.values()))
    if together.empty:
        _say(axes, "no values")
    elif is_datetime64_any_dtype(together) or (
        is_numeric_dtype(together) and not is_bool_dtype(together)
    ):
        _histogram(axes, known, together)
    elif is_string_dtype(together) and are_sentences(together):
        _bars(axes, {name: _words(values) for name, values in known.items()}, _words(together))
        axes.set_ylabel("rows with the word", fontsize=7)
    else:
        _bars(axes, known, together)


def _histogram(axes: Axes, parts: Mapping[str, Column], together: Column) -> None:
    finite = together[np.isfinite(together)] if is_numeric_dtype(together) else together
    if finite.empty:
        _say(axes, "no finite values")
        return
    edges = np.histogram_bin_edges(_as_numbers(finite), bins=_BINS)
    places = pd.to_datetime(edges) if is_datetime64_any_dtype(together) else edges
    for values in parts.values():
        counts, _ = np.histogram(_as_numbers(values), bins=edges)
        axes.stairs(counts / max(len(values), 1), places, fill=True, alpha=0.45)
    if is_datetime64_any_dtype(together):
        axes.tick_params(axis="x", rotation=30)


def _as_numbers(values: Column) -> NDArray[Any]:
    if is_datetime64_any_dtype(values):
        naive = values.dt.tz_localize(None) if values.dt.tz is not None else values
        values = naive.astype("datetime64[ns]").astype("int64")
    numbers: NDArray[Any] = values.to_numpy(dtype=float)
    finite: NDArray[Any] = numbers[np.isfinite(numbers)]
    return finite


def _bars(axes: Axes, parts: Mapping[str, Column], together: Column) -> None:
    """The most frequent values; a row may have several, at as many places of the same index."""
    counts = together.astype(str).value_counts()
    if len(counts) > _MOST_VALUES and counts.iloc[0] == 1:
        _say(axes, "no value occurs twice")
        return
    frequent = counts.index[:_MOST_VALUES]
    places = np.arange(len(frequent))[::-1]
    height = 0.8 / len(parts)
    for number, values in enumerate(parts.values()):
        rows = max(values.index.nunique(), 1)
        shares = values.astype(str).value_counts().reindex(frequent, fill_value=0) / rows
        axes.barh(places - number * height, shares, height=height, alpha=0.7)
    middle = height * (len(parts) - 1) / 2
    axes.set_yticks(places - middle, [shortened(value, _LONGEST_VALUE) for value in frequent])
    others = len(counts) - len(frequent)
    if others > 0:
        axes.set_xlabel(f"and {others:,} other values", fontsize=7)


def _words(values: Column) -> Column:
    """The words of each text, each once."""
    return values.str.lower().str.findall(r"\w+").map(set).explode().dropna()


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def _name_parts(figure: Figure, parts: Parts) -> None:
    handles = [plt.Rectangle((0, 0), 1, 1, color=f"C{number}") for number in range(len(parts))]
    labels = [f"{name}: {len(rows):,} rows" for name, rows in parts.items()]
    figure.legend(handles, labels, loc="outside lower right", ncols=len(parts), fontsize=8)
