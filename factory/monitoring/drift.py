"""Whether the rows of today are still like those that a model was trained on, column by column.

Significance tests are scipy's. The population stability index is a formula,
`sum((current - reference) * ln(current / reference))` over bins (N. Siddiqi, "Credit Risk
Scorecards", Wiley 2006), on shares that are never zero because half a row is added to every bin
(Jeffreys' prior): an empty bin counts as less the fewer rows there are.

Of two samples of the same rows the index is not zero: times `1 / (1/n + 1/m)` it is distributed as
chi-squared with a degree of freedom less than there are bins (B. Yurdakul, "Statistical Properties of
Population Stability Index", Western Michigan University 2018). What chance reaches once in a hundred
times is no drift, whatever the threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.stats import contingency

from factory.base.values import Result
from factory.monitoring.sections import ChiSquared, Drift, KolmogorovSmirnov, Psi

Kind = Literal["numeric", "categorical"]

BINS = 10
"""Bins of a numeric column, each with a tenth of the reference's values."""
CATEGORIES = 30
"""The most frequent categories that are told apart; the others are one."""
_FREQUENT = 10
"""Rows of the reference from which on a category is told apart where there are more than that: of rare ones,
those that come again and those that do not are chosen by chance."""
_BY_CHANCE = 0.01
"""How often rows that have not changed may be taken for others."""
_FEW = 5
"""Expected rows below which chi-squared is not trusted (Cochran's rule): such categories are pooled."""

MISSING = "(missing)"
NEW = "(new)"
OTHER = "(other)"


class Bin(Result):
    """A range of numbers, a category, or what is missing: how many rows are in it."""

    label: str
    reference: int
    current: int


class ColumnDrift(Result):
    """What came of the comparison of one column."""

    column: str
    kind: Kind
    method: Literal["psi", "kolmogorov_smirnov", "chi_squared"]
    statistic: float
    """PSI, the largest distance of the two distribution functions, or Cramér's V."""
    threshold: float
    """Above it (and, of a test, below `max_p_value`) the column has drifted. Of a PSI, at least what chance does."""
    p_value: float | None = None
    max_p_value: float | None = None
    drifted: bool
    reference_rows: int
    current_rows: int
    bins: tuple[Bin, ...]
    note: str = ""
    """What is remarkable, such as a column without values."""

    @property
    def excess(self) -> float:
        """The statistic in units of its threshold, to compare columns by."""
        return self.statistic / max(self.threshold, 1e-9)

    @property
    def text(self) -> str:
        """The numbers behind the verdict, for a person."""
        text = f"{self.column}: {self.method} {self.statistic:.3g}"
        text += f" ({'above' if self.statistic > self.threshold else 'limit'} {self.threshold:g}"
        if self.p_value is not None:
            text += f", p {self.p_value:.2g}"
        return text + ")"


def kind_of(column: "pd.Series[Any]") -> Kind:
    """What a column that models learn from is: numbers and points in time can be ranked."""
    is_time = pd.api.types.is_datetime64_any_dtype(column.dtype)
    return "numeric" if is_time or pd.api.types.is_numeric_dtype(column.dtype) else "categorical"


def compare(
    name: str, reference: "pd.Series[Any]", current: "pd.Series[Any]", drift: Drift, *, kind: Kind
) -> ColumnDrift:
    """Compare one column of the reference with the same column of the current rows.

    Args:
        name: What the column is called.
        reference: Its values in the rows of the training.
        current: Its values now; of the same form (see `factory.data.columns.learnable`).
        drift: Methods and thresholds.
        kind: How its values are to be read.
    """
    if kind == "numeric":
        is_time = pd.api.types.is_datetime64_any_dtype(reference.dtype)
        show = _show_day if is_time else _show_number
        return _numeric(name, _Sides(_numbers(reference), _numbers(current), show), drift.numeric)
    return _categorical(name, _Sides(_texts(reference), _texts(current)), drift.categorical)


def _show_number(value: float) -> str:
    return f"{value:.4g}"


def _show_day(seconds: float) -> str:
    return str(datetime.fromtimestamp(seconds, UTC).date())


@dataclass(frozen=True)
class _Sides:
    """One column of both tables; missing values are NaN or None."""

    reference: NDArray[Any]
    current: NDArray[Any]
    show: Callable[[float], str] = _show_number

    @property
    def known(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The values that are not missing."""
        return self.reference[~pd.isna(self.reference)], self.current[~pd.isna(self.current)]

    @property
    def note(self) -> str:
        """What is remarkable."""
        reference, current = self.known
        if not len(current):
            return "no values in either" if not len(reference) else "no values any more"
        if not len(reference):
            return "no values in the reference"
        if len(np.unique(reference)) == 1:
            return "constant in the reference"
        return "constant now" if len(np.unique(current)) == 1 else ""


def _numbers(column: "pd.Series[Any]") -> NDArray[Any]:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        seconds = column.to_numpy("datetime64[us]").astype("float64") / 1e6
        seconds[column.isna()] = np.nan
        return seconds
    numbers: NDArray[Any] = column.to_numpy("float64", na_value=np.nan)
    return numbers


def _texts(column: "pd.Series[Any]") -> NDArray[Any]:
    return np.array([None if pd.isna(value) else str(value) for value in column], dtype=object)


def _numeric(name: str, sides: _Sides, method: Psi | KolmogorovSmirnov) -> ColumnDrift:
    bins = _numeric_bins(sides)
    if isinstance(method, Psi):
        return _by_psi(name, "numeric", sides, bins, method)
    reference, current = sides.known
    if len(reference) and len(current):
        # The exact distribution takes very long for many rows, and differs for few only.
        test = stats.ks_2samp(reference, current, method="asymp")
        statistic, p_value = float(test.statistic), float(test.pvalue)
    else:
        # Nothing to rank: either both sides are empty, or they could not differ more.
        same = len(reference) == len(current)
        statistic, p_value = (0.0, 1.0) if same else (1.0, 0.0)
    return _by_test(name, "numeric", sides, bins, method, statistic, p_value)


def _categorical(name: str, sides: _Sides, method: Psi | ChiSquared) -> ColumnDrift:
    bins = _category_bins(sides)
    if isinstance(method, Psi):
        return _by_psi(name, "categorical", sides, bins, method)
    table = _pooled(bins)
    if table.shape[1] < 2:
        statistic, p_value = 0.0, 1.0
    else:
        p_value = float(stats.chi2_contingency(table, correction=False).pvalue)
        statistic = float(contingency.association(table, method="cramer"))
    return _by_test(name, "categorical", sides, bins, method, statistic, p_value)


def _by_psi(name: str, kind: Kind, sides: _Sides, bins: Sequence[Bin], method: Psi) -> ColumnDrift:
    statistic = psi([one.reference for one in bins], [one.current for one in bins])
    chance = psi_by_chance(len(bins), len(sides.reference), len(sides.current))
    raised = f"limit {method.threshold:g} is raised: so few rows differ by chance"
    return ColumnDrift(
        column=name,
        kind=kind,
        method=method.method,
        statistic=statistic,
        threshold=max(method.threshold, chance),
        drifted=statistic > max(method.threshold, chance),
        reference_rows=len(sides.reference),
        current_rows=len(sides.current),
        bins=tuple(bins),
        note="; ".join(filter(None, (sides.note, raised if chance > method.threshold else ""))),
    )


def _by_test(
    name: str,
    kind: Kind,
    sides: _Sides,
    bins: Sequence[Bin],
    method: KolmogorovSmirnov | ChiSquared,
    statistic: float,
    p_value: float,
) -> ColumnDrift:
    return ColumnDrift(
        column=name,
        kind=kind,
        method=method.method,
        statistic=statistic,
        threshold=method.min_effect,
        p_value=p_value,
        max_p_value=method.p_value,
        drifted=p_value < method.p_value and statistic > method.min_effect,
        reference_rows=len(sides.reference),
        current_rows=len(sides.current),
        bins=tuple(bins),
        note=sides.note,
    )


def psi(reference: Sequence[int], current: Sequence[int]) -> float:
    """The population stability index of rows in the same bins; 0 for equal shares.

    Args:
        reference: Rows of the reference in each bin.
        current: Rows of today in each bin.
    """
    expected, actual = (_shares(np.asarray(counts, float)) for counts in (reference, current))
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def psi_by_chance(bins: int, reference: int, current: int) -> float:
    """The index that samples of the same rows exceed once in a hundred times.

    Args:
        bins: How many bins there are.
        reference: Rows of the reference.
        current: Rows of today.
    """
    if bins < 2 or not reference or not current:
        return 0.0
    quantile = float(stats.chi2.ppf(1 - _BY_CHANCE, bins - 1))
    return quantile * (1 / reference + 1 / current)


def _shares(counts: NDArray[Any]) -> NDArray[Any]:
    shares: NDArray[Any] = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return shares


def _numeric_bins(sides: _Sides) -> list[Bin]:
    """Bins with equal shares of the reference; each value its own where there are few."""
    values = np.unique(sides.known[0])
    count = _value_counts if len(values) <= BINS else _range_counts
    counts = count(values, sides)
    return [*counts, *_missing(sides)]


def _value_counts(values: NDArray[Any], sides: _Sides) -> list[Bin]:
    reference, current = sides.known
    bins = [
        Bin(
            label=sides.show(value),
            reference=int(np.sum(reference == value)),
            current=int(np.sum(current == value)),
        )
        for value in values
    ]
    return [*bins, *_new(len(current) - sum(one.current for one in bins))]


def _range_counts(values: NDArray[Any], sides: _Sides) -> list[Bin]:
    reference, current = sides.known
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    # Values that repeat can make neighbouring quantiles equal.
    edges = np.unique(np.quantile(reference, inner, method="inverted_cdf"))
    edges = edges[edges < values[-1]]
    if not len(edges):
        edges = values[-2:-1]  # nearly all values are the largest one
    counts = [
        np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1)
        for side in (reference, current)
    ]
    labels = [f"to {sides.show(edge)}" for edge in edges] + [f"above {sides.show(edges[-1])}"]
    return [
        Bin(label=label, reference=int(before), current=int(now))
        for label, before, now in zip(labels, *counts, strict=True)
    ]


def _category_bins(sides: _Sides) -> list[Bin]:
    """The reference's most frequent categories, its others, those that are new, and missing ones."""
    reference, current = (pd.Series(side).value_counts() for side in sides.known)
    order = sorted(reference.index, key=lambda label: (-reference[label], label))
    shown, rest = order, []
    if len(order) > CATEGORIES:
        shown = [label for label in order[:CATEGORIES] if reference[label] >= _FREQUENT]
        rest = order[len(shown) :]
    bins = [
        Bin(label=str(label), reference=int(reference[label]), current=int(current.get(label, 0)))
        for label in shown
    ]
    unshown = int(current.sum()) - sum(one.current for one in bins)
    if rest:
        # Those that the reference happens to lack are among them: of many, some are always new.
        others = Bin(label=OTHER, reference=int(reference[rest].sum()), current=unshown)
        return [*bins, others, *_missing(sides)]
    return [*bins, *_new(unshown), *_missing(sides)]


def _new(rows: int) -> list[Bin]:
    return [Bin(label=NEW, reference=0, current=rows)] if rows else []


def _missing(sides: _Sides) -> list[Bin]:
    reference, current = (int(pd.isna(side).sum()) for side in (sides.reference, sides.current))
    if reference or current:
        return [Bin(label=MISSING, reference=reference, current=current)]
    return []


def _pooled(bins: Sequence[Bin]) -> NDArray[Any]:
    """Both sides' counts, 2 x categories, those that are too rare to be tested put together."""
    table = np.array([[one.reference for one in bins], [one.current for one in bins]])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return table[:, :0]
    expected = contingency.expected_freq(table)
    rare = expected.min(axis=0) < _FEW
    if rare.any():
        table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    return table
