"""`check: accepted_values`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from factory.base import findings
from factory.base.section import ListOf, Text
from factory.base.texts import quoted_if_needed
from factory.data.checks.check import Check
from factory.data.column_types import Types, family


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

    def unfit(self, types: Types) -> Iterator[findings.Finding]:
        """Values that no value of the column can be."""
        kind = types.get(self.column)
        if kind is None:
            return
        for index, value in enumerate(self.values):
            if (advice := _advice(value, family(kind))) is not None:
                message = f"`{self.column}` is {kind}, which is never {value!r}"
                yield findings.Finding("column_type", ("values", index), message, advice)

    def implies(self, other: Check) -> bool:
        """See `Check.implies`: fewer values are among more."""
        if not isinstance(other, AcceptedValues) or self.column != other.column:
            return False
        return {*map(str, self.values)} <= {*map(str, other.values)}

    def open_data_contract(self) -> dict[str, Any]:
        """See `Check.open_data_contract`."""
        valid = {"validValues": list(self.values)}
        return {"metric": "invalidValues", "arguments": valid, "mustBe": 0}

    def describe(self) -> str:
        """The column and its values."""
        return f"accepted_values({self.column}: {', '.join(quoted_if_needed(str(value)) for value in self.values)})"


def _advice(value: object, wanted: str) -> str | None:
    """What to write in place of a value that no value of a column is; None where it may be one."""
    text = str(value)
    is_truth = isinstance(value, bool)
    if wanted == "text":
        written = text.lower() if is_truth else text
        return None if isinstance(value, str) else f'write it in quotes: "{written}"'
    if wanted == "numbers" and (is_truth or not _is_number(text)):
        return "write numbers, or name another column"
    if wanted == "times" and not (isinstance(value, str) and _is_time(text)):
        return 'write a date such as "2026-01-31", or name another column'
    if wanted == "true or false" and text.lower() not in ("true", "false", "0", "1"):
        return "write true or false, or name another column"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
