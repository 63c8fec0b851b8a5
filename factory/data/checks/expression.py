"""`check: expression`."""

from typing import ClassVar, Literal

from factory.base.section import Text
from factory.data.checks.check import Check


class Expression(Check):
    """A SQL condition is true for every row."""

    check: Literal["expression"]
    expression: Text

    # Nobody knows what is in it: a mistake, or a query over all rows.
    counted_alone: ClassVar[bool] = True

    def failing(self) -> str:
        """Rows for which the condition is false or null."""
        # The line break ends a comment that the expression may end with.
        return f"({self.expression}\n) is not true"

    def describe(self) -> str:
        """The condition."""
        return f"expression({self.expression})"
