"""`check: not_null`."""

from typing import Literal

from pydantic import Field

from factory.base.section import ListOf, Text
from factory.data.checks.check import Check


class NotNull(Check):
    """No value of these columns is null."""

    check: Literal["not_null"]
    columns: ListOf[Text] = Field(min_length=1)
    """Columns that may not be null."""

    def failing(self) -> str:
        """Rows with a null in one of the columns."""
        from factory.lake.engine import quote

        return " or ".join(f"{quote(name)} is null" for name in self.columns)
