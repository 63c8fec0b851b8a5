"""`check: changed_rows`."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.data.checks.check import Check, CheckedRows, CheckFinding


class ChangedRows(Check):
    """The number of rows is not much smaller, or larger, than that of the last snapshot; the first one passes."""

    needs_all_rows: ClassVar[bool] = True

    check: Literal["changed_rows"]
    max_fall: float | None = Field(default=None, ge=0, le=100)
    """By how many percent of the last snapshot's rows it may fall."""
    max_rise: float | None = Field(default=None, ge=0)
    """By how many percent it may rise."""

    @rule
    def _some_bound(self) -> Broken:
        if self.max_fall is None and self.max_rise is None:
            yield PydanticCustomError(
                "bounds",
                "write `max_fall`, `max_rise` or both, in percent of the last snapshot's rows",
            )

    def find(self, rows: CheckedRows) -> CheckFinding:
        """By how much the number has changed, if that is too much."""
        if not rows.before:
            return CheckFinding()
        change = 100 * (rows.count - rows.before) / rows.before
        falls = self.max_fall is not None and -change > self.max_fall
        rises = self.max_rise is not None and change > self.max_rise
        if not (falls or rises):
            return CheckFinding()
        word = "fewer" if change < 0 else "more"
        return CheckFinding(
            f"there are {rows.count:,} rows, {abs(change):.3g} % {word} than the {rows.before:,} of the last snapshot"
        )

    def describe(self) -> str:
        """How much it may change."""
        bounds = {"falls": self.max_fall, "rises": self.max_rise}
        said = " and ".join(
            f"{word} by at most {n:g} %" for word, n in bounds.items() if n is not None
        )
        return f"changed_rows({said})"
