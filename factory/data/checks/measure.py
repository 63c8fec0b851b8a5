"""What checks of one number about a column have in common."""

from abc import abstractmethod
from typing import ClassVar

from factory.base.section import Text
from factory.data.checks.check import BoundedCheck, CheckedRows, CheckFinding


class MeasureCheck(BoundedCheck):
    """A number that is made of all values of a column lies within the bounds, both included.

    A column without a value passes: `not_null` is for that.
    """

    needs_all_rows: ClassVar[bool] = True

    column: Text
    """The column whose values make the number."""

    @abstractmethod
    def measure(self) -> str:
        """The SQL aggregate that makes the number."""

    @abstractmethod
    def told(self, value: float) -> str:
        """What the number is, for people."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The number, if it is outside the bounds."""
        [(value,)] = rows.result.aggregate(f"cast({self.measure()} as double)").fetchall()
        if value is None or self.holds(value):
            return CheckFinding()
        return CheckFinding(self.told(value))
