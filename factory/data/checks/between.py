"""`check: between`."""

from typing import ClassVar, Literal

from factory.base.section import Text
from factory.data.checks.check import BoundedCheck


class Between(BoundedCheck):
    """Every value lies within the bounds, both included; nulls pass."""

    takes: ClassVar[str | None] = "numbers"

    check: Literal["between"]
    column: Text
    """The column whose values must lie within the bounds."""

    def failing(self) -> str:
        """Rows with a value outside the bounds."""
        from factory.lake.engine import literal, quote

        column = quote(self.column)
        outside = []
        if self.min is not None:
            outside.append(f"{column} < {literal(self.min)}")
        if self.max is not None:
            outside.append(f"{column} > {literal(self.max)}")
        return f"coalesce({' or '.join(outside)}, false)"
