"""`check: row_count`."""

from typing import ClassVar, Literal

from factory.data.checks.check import BoundedCheck, CheckedRows, CheckFinding


class RowCount(BoundedCheck):
    """The number of rows lies within the bounds, both included."""

    needs_all_rows: ClassVar[bool] = True

    check: Literal["row_count"]

    def find(self, rows: CheckedRows) -> CheckFinding:
        """How many rows there are, if that is outside the bounds."""
        return (
            CheckFinding()
            if self.holds(rows.count)
            else CheckFinding(f"there are {rows.count:,} rows")
        )
