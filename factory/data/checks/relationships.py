"""`check: relationships`."""

from typing import Literal

from factory.base.section import Reference, Text
from factory.data.checks.check import Check, CheckedRows, CheckFinding


class Relationships(Check):
    """Every value is one of the values in a column of another dataset; nulls pass, as in dbt.

    The other dataset's newest snapshot is read, or the one that the run chooses: it is an input of the dataset's DAG.
    Its own changes start no run.
    """

    check: Literal["relationships"]
    column: Text
    """The column whose values must be keys of the other dataset; nulls pass."""
    to: Reference | None = None
    """The dataset with the keys, of this team or shared by another; the checked rows themselves when left out."""
    field: Text | None = None
    """The column with the keys; the one of the same name when left out."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The rows whose value the other dataset does not have."""
        from factory.lake.engine import quote

        field, column = quote(self._field), quote(self.column)
        others = ".".join(map(quote, self.to.split("."))) if self.to is not None else "result"
        # By the table's name, or a column that it lacks would be taken for one of the checked rows.
        keys = f"select keys.{field} from {others} as keys where keys.{field} is not null"  # noqa: S608
        return rows.failing(
            f"{column} is not null and {column} not in ({keys})", self.shown_first()
        )

    def references(self) -> dict[str, str]:
        """The dataset with the keys."""
        return {"to": self.to} if self.to is not None else {}

    def referred_columns(self) -> dict[tuple[str | int, ...], tuple[str, str]]:
        """The column with the keys."""
        if self.to is None:
            return {}
        return {("field" if self.field is not None else "to",): (self.to, self._field)}

    def written_columns(self) -> dict[tuple[str | int, ...], str]:
        """The column, and that with the keys where it is of the same rows."""
        found = super().written_columns()
        if self.to is None and self.field is not None:
            found["field",] = self.field
        return found

    def describe(self) -> str:
        """Which column is among which."""
        to = f"{self.to}.{self._field}" if self.to is not None else self._field
        return f"relationships({self.column}: in {to})"

    @property
    def _field(self) -> str:
        return self.field if self.field is not None else self.column
