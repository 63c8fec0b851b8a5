"""`check: freshness`."""

from datetime import UTC, date, datetime, time
from typing import ClassVar, Literal

from factory.base.section import Seconds, Text
from factory.data.checks.check import Check, CheckedRows, CheckFinding, UnusableCheckError


class Freshness(Check):
    """The newest value of a timestamp column is not older than `max_age`."""

    takes: ClassVar[str | None] = "times"
    needs_all_rows: ClassVar[bool] = True

    check: Literal["freshness"]
    column: Text
    """A column of dates or points in time; those without a zone are in UTC."""
    max_age: Seconds
    """How old the newest value may be at the time of the check."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """How old the newest value is, if that is too old."""
        from factory.lake.engine import quote

        [(newest,)] = rows.result.aggregate(f"max({quote(self.column)})").fetchall()
        if newest is None:
            return CheckFinding("there is no time in any row")
        seconds = (rows.now - self._as_time(newest)).total_seconds()
        if seconds <= self.max_age:
            return CheckFinding()
        return CheckFinding(f"the newest is {newest}, {seconds:,.0f} s old")

    def implies(self, other: Check) -> bool:
        """See `Check.implies`."""
        if not isinstance(other, Freshness) or self.column != other.column:
            return False
        return self.max_age <= other.max_age

    def describe(self) -> str:
        """The column and the age."""
        return f"freshness({self.column}: at most {self.max_age} s old)"

    def _as_time(self, value: object) -> datetime:
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if not isinstance(value, datetime):
            raise UnusableCheckError(
                f"{self.column} holds {type(value).__name__} instead of times: "
                f"cast it in a transform (`{self.column}::timestamp`)"
            )
        # Times without a zone are taken for UTC, as everywhere in the lake.
        return value if value.tzinfo else value.replace(tzinfo=UTC)
