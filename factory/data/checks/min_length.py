"""`check: min_length`."""

from typing import ClassVar, Literal

from pydantic import Field

from factory.base.section import Text
from factory.data.checks.check import Check


class MinLength(Check):
    """Every text has at least so many characters, spaces around it left out; nulls pass."""

    takes: ClassVar[str | None] = "text"

    check: Literal["min_length"]
    column: Text
    """The column of the texts."""
    characters: int = Field(ge=1)
    """How many at least."""

    def failing(self) -> str:
        """Rows with a text that is shorter."""
        from factory.lake.engine import quote

        return f"coalesce(length(trim({quote(self.column)}::varchar)) < {self.characters}, false)"

    def implies(self, other: Check) -> bool:
        """See `Check.implies`: what is long enough for more is long enough for less."""
        return (
            isinstance(other, MinLength)
            and self.column == other.column
            and self.characters >= other.characters
        )

    def describe(self) -> str:
        """The column and the number."""
        return f"min_length({self.column}: {self.characters:,} characters)"
