"""Intervals around predicted numbers: split conformal prediction.

The half width of an interval is a quantile of the absolute errors on rows that the model has not learned
from (Lei, G'Sell, Rinaldo, Tibshirani, Wasserman: Distribution-Free Predictive Inference for Regression,
JASA 2018, section 2.2; Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, 2005). Whatever
the model is, the truth of a new row lies within in the given share of cases or more, if new rows and those that
were measured come in no particular order from one source.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from factory.base.values import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS = range(50, 100)
"""In hundredths: the levels that are recorded."""
MEASURED_LEVELS = (0.8, 0.9, 0.95)
"""The levels whose coverage of the test rows is logged with each version."""


class IntervalWidths(Result):
    """Half widths of intervals, recorded with a version."""

    rows: int
    """How many errors they come from."""
    half_widths: tuple[float, ...]
    """Of the levels 0.50, 0.51 … 0.99; those at the end are left out for which the rows are too few."""

    @classmethod
    def of(cls, errors: Iterable[float]) -> Self:
        """The half widths for errors of either sign; those of n rows are the ceil((n + 1) level)-th smallest."""
        ordered = sorted(map(abs, errors))
        # In whole numbers: 0.9 * 10 is more than 9 for some levels and less for others.
        places = [-(-(len(ordered) + 1) * level // 100) for level in _LEVELS]
        return cls(
            rows=len(ordered),
            half_widths=tuple(ordered[place - 1] for place in places if place <= len(ordered)),
        )

    def half_width(self, level: float) -> float | None:
        """What is added to a prediction, and taken from it; None where there were too few rows for the level."""
        place = round(level * 100) - _LEVELS.start
        return self.half_widths[place] if place < len(self.half_widths) else None

    def coverage(self, errors: "NDArray[Any]") -> dict[float, float]:
        """The share of rows whose truth lies within, for each of the levels that are measured.

        Args:
            errors: Of rows that the widths do not come from.
        """
        widths = {level: self.half_width(level) for level in MEASURED_LEVELS}
        return {
            level: float((abs(errors) <= width).mean())
            for level, width in widths.items()
            if width is not None
        }


def rows_needed(level: float) -> int:
    """The fewest errors that a level's half width can come from."""
    return math.ceil(round(level / (1 - level), 6))
