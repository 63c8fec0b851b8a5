"""`check: accepted_values`."""

from typing import Literal

from pydantic import Field

from factory.base.section import ListOf, Text
from factory.data.checks.check import Check


class AcceptedValues(Check):
    """Every value is one of these; nulls pass, as in dbt."""

    check: Literal["accepted_values"]
    column: Text
    """The column whose values must be among the accepted ones."""
    values: ListOf[bool | int | float | str] = Field(
        min_length=1, examples=[["net", "line", "pot"]]
    )
    """All values that may be in the column."""

    def failing(self) -> str:
        """Rows with another value."""
        from factory.lake.engine import literal, quote

        accepted = ", ".join(literal(value) for value in self.values)
        return f"coalesce({quote(self.column)} not in ({accepted}), false)"

    def describe(self) -> str:
        """The column and its values."""
        return f"accepted_values({self.column}: {', '.join(map(str, self.values))})"
