"""`check: mean_between`."""

from typing import ClassVar, Literal

from factory.data.checks.measure import MeasureCheck


class MeanBetween(MeasureCheck):
    """The mean of a column lies within the bounds, both included."""

    takes: ClassVar[str | None] = "numbers"

    check: Literal["mean_between"]

    def measure(self) -> str:
        """The mean."""
        from factory.lake.engine import quote

        return f"avg({quote(self.column)})"

    def told(self, value: float) -> str:
        """The mean."""
        return f"the mean is {value:g}"
