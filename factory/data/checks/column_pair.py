"""`check: column_pair`."""

from typing import Literal

from pydantic import Field

from factory.base.section import ListOf, Text
from factory.data.checks.check import Check


class ColumnPair(Check):
    """In each row, the first column has a relation to the second, such as being smaller; nulls pass."""

    check: Literal["column_pair"]
    columns: ListOf[Text] = Field(min_length=2, max_length=2, examples=[["sold_kg", "weight_kg"]])
    """Two columns, compared in this order in each row."""
    relation: Literal["<", "<=", "=", "!=", ">=", ">"]
    """What the first value must be to the second: `<=` passes where it is smaller or equal."""

    def failing(self) -> str:
        """Rows in which it has not."""
        from factory.lake.engine import quote

        first, second = map(quote, self.columns)
        return f"coalesce(not ({first} {self.relation} {second}), false)"

    def describe(self) -> str:
        """The relation."""
        return f"column_pair({f' {self.relation} '.join(self.columns)})"
