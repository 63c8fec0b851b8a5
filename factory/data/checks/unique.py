"""`check: unique`."""

from typing import Any, Literal

from pydantic import Field

from factory.base.section import ListOf, Text
from factory.data.checks.check import Check, CheckedRows, CheckFinding


class Unique(Check):
    """No two rows have the same values in these columns, taken together."""

    check: Literal["unique"]
    columns: ListOf[Text] = Field(min_length=1, examples=[["landing_id"], ["port", "day"]])
    """Columns whose values, taken together, no two rows may share; rows with a null in one of them are left out."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The values that several rows have, the most frequent first; nulls are left out."""
        from factory.lake.engine import quote

        names = ", ".join(quote(name) for name in self.columns)
        known = " and ".join(f"{quote(name)} is not null" for name in self.columns)
        repeated = (
            rows.result.filter(known)
            .aggregate(f'{names}, count(*) as "number of rows"', names)
            .filter('"number of rows" > 1')
        )
        [(count, values)] = repeated.aggregate(
            'coalesce(sum("number of rows"), 0)::bigint, count(*)'
        ).fetchall()
        if not count:
            return CheckFinding()
        sample = rows.sample(repeated.order('"number of rows" desc'))
        return CheckFinding(f"{count:,} rows share {values:,} values", count, sample)

    def implies(self, other: Check) -> bool:
        """See `Check.implies`: what some columns tell apart, more columns tell apart too."""
        return isinstance(other, Unique) and set(self.columns) <= set(other.columns)

    def open_data_contract(self) -> dict[str, Any]:
        """See `Check.open_data_contract`."""
        return {"metric": "duplicateValues", "mustBe": 0}
