"""`check: row_count`."""

from typing import Literal

from factory.data.checks.check import BoundedCheck, CheckedRows, Finding


class RowCount(BoundedCheck):
    """The number of rows lies within the bounds, both included."""

    check: Literal["row_count"]

    def find(self, rows: CheckedRows) -> Finding:
        """How many rows there are, if that is outside the bounds."""
        return Finding() if self.holds(rows.count) else Finding(f"there are {rows.count:,} rows")
