"""`check: column_pair`."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base import findings
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Text
from factory.data.checks.check import Check
from factory.data.column_types import Types, family


class ColumnPair(Check):
    """In each row, the first column has a relation to the second, such as being smaller; nulls pass."""

    check: Literal["column_pair"]
    columns: ListOf[Text] = Field(min_length=2, max_length=2, examples=[["sold_kg", "weight_kg"]])
    """Two columns, compared in this order in each row."""
    relation: Literal["<", "<=", "=", "!=", ">=", ">"]
    """What the first value must be to the second: `<=` passes where it is smaller or equal."""

    @rule
    def _two_columns(self) -> Broken:
        if len(set(self.columns)) == 1:
            yield PydanticCustomError(
                "bounds",
                "`{column}` is compared with itself: name two columns",
                {"column": self.columns[0], "at": ("columns", 1)},
            )

    def failing(self) -> str:
        """Rows in which it has not."""
        from factory.lake.engine import quote

        first, second = map(quote, self.columns)
        return f"coalesce(not ({first} {self.relation} {second}), false)"

    def unfit(self, types: Types) -> Iterator[findings.Finding]:
        """Two columns that cannot be compared."""
        first, second = (types.get(name) for name in self.columns)
        if first is not None and second is not None and family(first) != family(second):
            yield findings.Finding(
                "column_type",
                ("columns", 1),
                f"`{self.columns[0]}` is {first} and `{self.columns[1]}` is {second}, which cannot be compared",
                "cast one of them in a transform",
            )

    def describe(self) -> str:
        """The relation."""
        return f"column_pair({f' {self.relation} '.join(self.columns)})"
