"""`{check: trimmed}`."""

from typing import Literal

from pydantic import Field

from factory.base.section import ListOf, Text
from factory.data.checks.check import Check


class Trimmed(Check):
    """No text in these columns starts or ends with white space; nulls pass."""

    check: Literal["trimmed"]
    columns: ListOf[Text] = Field(min_length=1)

    def failing(self) -> str:
        """The condition of a row in which some text is not trimmed."""
        from factory.lake.engine import quote

        untrimmed = (f"{quote(name)} != trim({quote(name)})" for name in self.columns)
        return f"coalesce({' or '.join(untrimmed)}, false)"
