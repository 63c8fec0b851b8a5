"""`check: not_null`."""

from typing import Any, Literal

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

    def parts(self) -> "tuple[NotNull, ...]":
        """See `Check.parts`: one for each column."""
        return tuple(self.model_copy(update={"columns": (name,)}) for name in self.columns)

    def implies(self, other: Check) -> bool:
        """See `Check.implies`."""
        return isinstance(other, NotNull) and set(self.columns) >= set(other.columns)

    def open_data_contract(self) -> dict[str, Any]:
        """See `Check.open_data_contract`."""
        return {"metric": "nullValues", "mustBe": 0}
