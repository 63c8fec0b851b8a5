"""What every kind of check has in common, and what it is given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic_core import PydanticCustomError

from factory.base import findings
from factory.base.rules import Broken, rule
from factory.base.section import Referring
from factory.data.column_types import Types, family
from factory.data.written_sql import WrittenSql
from factory.kinds import CHECK, KindOf

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

_SAMPLE_ROWS = 5
"""How many failing rows are shown."""


class UnusableCheckError(Exception):
    """A check that cannot run on these rows; the message says why."""


@dataclass(frozen=True)
class CheckFinding:
    """What a check found; without a message the rows pass."""

    message: str = ""
    failing_rows: int = 0
    """How many rows do not pass; 0 where a check is about the rows as a whole."""
    sample: tuple[dict[str, Any], ...] = ()
    """Some of the failing rows, as `CheckedRows.sample` gives them."""


@dataclass(frozen=True)
class CheckedRows:
    """A dataset's rows as they will be once published."""

    connection: "DuckDBPyConnection"
    """Sees the rows as the view `result`; no file, no network."""
    count: int
    """How many rows there are."""
    now: datetime
    """The time of the check."""
    before: int | None = None
    """How many rows the last snapshot has; None where there is none."""

    @property
    def result(self) -> "DuckDBPyRelation":
        """The rows."""
        return self.connection.table("result")

    def failing(
        self, condition: str, first: Sequence[str] = (), counted: int | None = None
    ) -> CheckFinding:
        """The rows for which a SQL condition is true.

        Args:
            condition: SQL of this project, or of a team once `check_condition` has let it pass.
            first: Columns to show before the others.
            counted: How many rows they are, where that is known.
        """
        # The line break ends a comment that the condition may end with.
        failing = self.connection.sql(f"select * from result where ({condition}\n)")  # noqa: S608
        if counted is None:
            [(counted,)] = failing.aggregate("count(*)").fetchall()
        if not counted:
            return CheckFinding()
        return CheckFinding(f"{counted:,} rows", counted, self.sample(failing, first))

    def sample(
        self, rows: "DuckDBPyRelation", first: Sequence[str] = ()
    ) -> tuple[dict[str, Any], ...]:
        """The first five of some rows, for the log.

        Args:
            rows: Failing rows.
            first: Columns to show before the others; names that are no column are left out.
        """
        from factory.lake.engine import quote

        order = list(dict.fromkeys(name for name in first if name in rows.columns))
        order += [name for name in rows.columns if name not in order]
        shown = rows.project(", ".join(map(quote, order))).limit(_SAMPLE_ROWS)
        return tuple(dict(zip(order, map(_plain, row), strict=True)) for row in shown.fetchall())


class Check(Referring):
    """Something that must be true of rows before they are published.

    A kind of check is a subclass with `check: Literal["its_name"]`, a docstring that says what must
    be true, and the fields that a team may write. It says which rows are wrong in one of two ways:
    `failing`, for rows that are looked at one by one, or `find`, for rows that are looked at
    together. Columns that it names in fields `column` or `columns` are known to be there.
    """

    takes: ClassVar[str | None] = None
    """What the values of its columns must be, in a word of `factory.data.column_types.family`; anything if None."""
    needs_all_rows: ClassVar[bool] = False
    """Whether it is about how many rows there are, how they are distributed or how old they are: the few rows of a
    test say nothing of that."""

    check: str
    on_fail: Literal["halt", "warn"] = "halt"
    """`halt`: where the check fails, nothing is published. `warn`: the log says so, and the rows are published."""

    def failing(self) -> str | None:
        """A SQL condition that is true for a row that does not pass, and never null.

        None for a check that looks at rows together, by `find`.
        """
        return None

    def find(self, rows: CheckedRows) -> CheckFinding:
        """What is wrong with the rows; asked where `failing` gives no condition.

        Raises:
            UnusableCheckError: The check cannot run on these rows.
            duckdb.Error: So does this.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `failing` nor `find`")

    def describe(self) -> str:
        """The check in one line, as a person would say it."""
        columns = ", ".join(self.written_columns().values())
        return f"{self.check}({columns})" if columns else self.check

    def parts(self) -> "tuple[Check, ...]":
        """The checks that together are this one; itself, where it cannot be taken apart."""
        return (self,)

    def implies(self, other: "Check") -> bool:
        """Whether rows that pass this check pass another one, whatever rows they are."""
        mine, theirs = (one.model_dump(exclude={"on_fail"}) for one in (self, other))
        return mine == theirs

    def open_data_contract(self) -> dict[str, Any] | None:
        """The check as a metric of the Open Data Contract Standard's library; None where that has none."""
        return None

    def written_columns(self) -> dict[tuple[str | int, ...], str]:
        """The columns that the section names, by their place in it."""
        found: dict[tuple[str | int, ...], str] = {}
        column = getattr(self, "column", None)
        if column is not None:
            found["column",] = column
        for index, name in enumerate(getattr(self, "columns", ())):
            found["columns", index] = name
        return found

    def needed_columns(self) -> tuple[str, ...]:
        """The columns that rows must have for the check to run: those that the section names."""
        return tuple(self.written_columns().values())

    def written_sql(self) -> WrittenSql | None:
        """The SQL that the team has written: a condition that is true for a row that passes, or a query over `result`.

        None for other kinds.
        """
        return None

    def referred_columns(self) -> dict[tuple[str | int, ...], tuple[str, str]]:
        """Columns of other datasets that the section names: dataset and column, by their place in it."""
        return {}

    def unfit(self, types: Types) -> Iterator[findings.Finding]:
        """What in the section does not go with the types of the columns, for `factory validate`."""
        for path, column in self.written_columns().items():
            kind = types.get(column)
            if self.takes is not None and kind is not None and family(kind) != self.takes:
                yield findings.Finding(
                    "column_type",
                    path,
                    f"`{column}` is {kind}, and `{self.check}` takes columns of {self.takes}",
                    "name another column, or cast it in a transform",
                )

    def shown_first(self) -> tuple[str, ...]:
        """The columns that come first where failing rows are shown."""
        return self.needed_columns()


class BoundedCheck(Check):
    """A check that a number lies within bounds, both included."""

    min: float | None = None
    """The lowest number that passes; no lower bound when left out."""
    max: float | None = None
    """The highest number that passes; no upper bound when left out."""

    possible: ClassVar[tuple[float, float]] = (-inf, inf)
    """The lowest and the highest number that there can be."""

    @rule
    def _possible_bounds(self) -> Broken:
        low, high = self.possible
        for name, bound in (("min", self.min), ("max", self.max)):
            if bound is None or low <= bound <= high:
                continue
            between = f"from {low:g} to {high:g}" if high < inf else f"{low:g} or more"
            is_percent = high == 1 and 1 < bound <= 100
            yield PydanticCustomError(
                "bounds",
                "`{name}` {bound} says nothing: what is compared is {between}",
                {
                    "name": name,
                    "bound": f"{bound:g}",
                    "between": between,
                    "advice": f"write {bound / 100:g} for {bound:g} %" if is_percent else None,
                    "at": (name,),
                },
            )

    @rule
    def _some_bound(self) -> Broken:
        if self.min is None and self.max is None:
            yield PydanticCustomError("bounds", "write `min`, `max` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            yield PydanticCustomError(
                "bounds",
                "`min` {min} is above `max` {max}: no value can pass",
                {"min": f"{self.min:g}", "max": f"{self.max:g}", "at": ("min",)},
            )

    def holds(self, value: float) -> bool:
        """Whether a number lies within the bounds."""
        return not (
            (self.min is not None and value < self.min)
            or (self.max is not None and value > self.max)
        )

    def implies(self, other: Check) -> bool:
        """See `Check.implies`: bounds of the same number may lie within others."""
        if not isinstance(other, type(self)):
            return False
        mine, theirs = (one.model_dump(exclude={"on_fail", "min", "max"}) for one in (self, other))
        lowest = other.min is None or (self.min is not None and self.min >= other.min)
        highest = other.max is None or (self.max is not None and self.max <= other.max)
        return mine == theirs and lowest and highest

    def describe(self) -> str:
        """The check with its bounds."""
        if self.min is None:
            bounds = f"at most {self.max:g}"
        elif self.max is None:
            bounds = f"at least {self.min:g}"
        else:
            bounds = f"{self.min:g} to {self.max:g}"
        about = "".join(f"{name}: " for name in self.written_columns().values())
        return f"{self.check}({about}{bounds})"


AnyCheck = Annotated[Check, KindOf(CHECK)]
"""Any kind of check."""


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
