"""`check: not_null_proportion`."""

from typing import ClassVar, Literal

from factory.data.checks.measure import MeasureCheck


class NotNullProportion(MeasureCheck):
    """The share of rows that have a value in a column lies within the bounds, both included."""

    possible: ClassVar[tuple[float, float]] = (0, 1)

    check: Literal["not_null_proportion"]

    def measure(self) -> str:
        """The share; null where there are no rows."""
        from factory.lake.engine import quote

        return f"count({quote(self.column)}) / count(*)"

    def told(self, value: float) -> str:
        """The share."""
        return f"{100 * value:.4g} % of the rows have a value"
