"""`check: matches`."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.section import Text
from factory.data.checks.check import Check


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise PydanticCustomError(
            "pattern", "not a regular expression: {why}", {"why": str(error)}
        ) from None
    return value


class Matches(Check):
    """Every value contains a match of the pattern (anchor with ^ and $); nulls pass."""

    check: Literal["matches"]
    column: Text
    """The column whose values are searched, as text."""
    pattern: Annotated[str, AfterValidator(_check_pattern)] = Field(examples=["^[A-Z]{3}$"])
    """A regular expression of which each value must contain a match; `^` and `$` tie it to the whole value."""

    def failing(self) -> str:
        """Rows with a value that does not match."""
        from factory.lake.engine import literal, quote

        found = f"regexp_matches({quote(self.column)}::varchar, {literal(self.pattern)})"
        return f"coalesce(not {found}, false)"

    def open_data_contract(self) -> dict[str, Any]:
        """See `Check.open_data_contract`."""
        return {"metric": "invalidValues", "arguments": {"pattern": self.pattern}, "mustBe": 0}

    def describe(self) -> str:
        """The column and the pattern."""
        return f"matches({self.column}: {self.pattern})"
