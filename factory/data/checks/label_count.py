"""`check: label_count`."""

from typing import ClassVar, Literal

from factory.base.section import Text
from factory.base.texts import one_of, quoted_if_needed
from factory.data.checks.check import BoundedCheck, CheckedRows, CheckFinding

_SHOWN = 10


class LabelCount(BoundedCheck):
    """The number of rows of every label lies within the bounds, both included."""

    needs_all_rows: ClassVar[bool] = True

    check: Literal["label_count"]
    column: Text = "label"
    """The column with the labels."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The labels that have too few rows, or too many.

        A label that no row has is not known, so it is not found.
        """
        from factory.lake.engine import quote

        label = quote(self.column)
        labelled = rows.result.filter(f"{label} is not null")
        counted = labelled.aggregate(f"{label}, count(*) as n", label)
        found = counted.order(f"n, {label}").fetchall()
        if not found:
            return CheckFinding("no row has a label")
        wrong = [(name, count) for name, count in found if not self.holds(count)]
        if not wrong:
            return CheckFinding()
        counts = (f"{quoted_if_needed(str(name))} ({count:,})" for name, count in wrong)
        return CheckFinding(f"{len(wrong)} of {len(found)} labels: {one_of(counts, _SHOWN)}")
