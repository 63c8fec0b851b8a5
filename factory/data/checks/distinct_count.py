"""`check: distinct_count`."""

from math import inf
from typing import ClassVar, Literal

from factory.data.checks.measure import MeasureCheck


class DistinctCount(MeasureCheck):
    """The number of different values of a column lies within the bounds, both included."""

    possible: ClassVar[tuple[float, float]] = (0, inf)

    check: Literal["distinct_count"]

    def measure(self) -> str:
        """How many there are; nulls are none."""
        from factory.lake.engine import quote

        return f"count(distinct {quote(self.column)})"

    def told(self, value: float) -> str:
        """How many there are."""
        return f"there are {value:,.0f} different values"
