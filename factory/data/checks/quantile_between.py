"""`check: quantile_between`."""

from typing import ClassVar, Literal

from pydantic import Field

from factory.data.checks.measure import MeasureCheck


class QuantileBetween(MeasureCheck):
    """A quantile of a column lies within the bounds, both included; 0.5 is the median."""

    takes: ClassVar[str | None] = "numbers"

    check: Literal["quantile_between"]
    quantile: float = Field(ge=0, le=1, examples=[0.5, 0.99])
    """Which quantile, from 0 to 1: at 0.99, the value that 99 % of the others do not exceed."""

    def measure(self) -> str:
        """The quantile, between two values where it falls between them."""
        from factory.lake.engine import quote

        return f"quantile_cont({quote(self.column)}, {self.quantile!r})"

    def told(self, value: float) -> str:
        """The quantile."""
        return f"the quantile {self.quantile:g} is {value:g}"
