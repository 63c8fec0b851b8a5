"""`check: row_count`."""

from math import ceil, floor, inf
from typing import Any, ClassVar, Literal

from factory.data.checks.check import BoundedCheck, CheckedRows, CheckFinding


class RowCount(BoundedCheck):
    """The number of rows lies within the bounds, both included."""

    needs_all_rows: ClassVar[bool] = True
    possible: ClassVar[tuple[float, float]] = (0, inf)

    check: Literal["row_count"]

    def find(self, rows: CheckedRows) -> CheckFinding:
        """How many rows there are, if that is outside the bounds."""
        return (
            CheckFinding()
            if self.holds(rows.count)
            else CheckFinding(f"there are {rows.count:,} rows")
        )

    def open_data_contract(self) -> dict[str, Any]:
        """See `Check.open_data_contract`."""
        low = None if self.min is None else ceil(self.min)
        high = None if self.max is None else floor(self.max)
        if low is None:
            return {"metric": "rowCount", "mustBeLessOrEqualTo": high}
        if high is None:
            return {"metric": "rowCount", "mustBeGreaterOrEqualTo": low}
        if low == high:
            return {"metric": "rowCount", "mustBe": low}
        return {"metric": "rowCount", "mustBeBetween": [low, high]}
