"""What the values of each column are: how many, how different, how they are distributed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from factory.data.sources import text_forms as forms
from factory.data.sources.text_forms import Writing, matches
from factory.lake.engine import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BINS = 24
TOP = 20
"""The most frequent values that are kept."""
_AT_ONCE = 40
"""Columns that one query looks at."""
NUMBERS = frozenset({
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE",
})  # fmt: skip
WHOLE = NUMBERS - {"FLOAT", "DOUBLE"}
TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"})


@dataclass(frozen=True)
class TextFacts:
    """How many values of a column of text are what; the other facts count every value as it is."""

    shortest: int
    """Characters."""
    longest: int
    padded: int
    """Whole numbers with zeros before them: `02139`."""
    integers: int
    numbers: int
    powers: int
    """Such as `1E5`, a code or a number."""
    dates: int
    """What has the form of a date."""
    missing: int
    """What often stands for no value: `NA`, `-`."""
    surrounded: int
    """Values with blanks before or behind them."""
    same_but_for_case: int
    """How many values less there would be, if neither case nor blanks made a difference."""


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each of some ranges of the same size."""

    start: float
    end: float
    """Numbers as they are, points in time as seconds since 1970."""
    width: float
    """Of a range."""
    counts: Sequence[int]


@dataclass(frozen=True)
class ColumnFacts:
    """The values of one column."""

    name: str
    kind: str
    """Its DuckDB type."""
    rows: int
    nulls: int
    """NaN among them."""
    distinct: int
    """Different values, null left out."""
    minimum: Any = None
    """A number, a point in time as text, a text."""
    maximum: Any = None
    mean: float | None = None
    """Of numbers."""
    deviation: float | None = None
    quartiles: Sequence[Any] = ()
    infinite: int = 0
    histogram: Histogram | None = None
    top: Sequence[tuple[str, int]] = ()
    """The most frequent values and how often they come, as text."""
    text: TextFacts | None = None

    @property
    def values(self) -> int:
        """How many values there are."""
        return self.rows - self.nulls

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers; booleans are not."""
        return self.kind in NUMBERS or self.kind.startswith("DECIMAL")

    @property
    def is_time(self) -> bool:
        """Whether the values are points in time."""
        return self.kind in TIMES

    @property
    def is_text(self) -> bool:
        """Whether the values are texts."""
        return self.kind == "VARCHAR"

    @property
    def is_nested(self) -> bool:
        """Whether the values are lists, structs or bytes."""
        return not (self.is_number or self.is_time or self.is_text or self.kind == "BOOLEAN")

    def as_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    measures: dict[str, str] = field(default_factory=dict)


def facts_of(
    connection: "DuckDBPyConnection", table: str, columns: Mapping[str, str]
) -> list[ColumnFacts]:
    """The facts of some columns.

    Args:
        connection: Where the table is.
        table: Its name.
        columns: Names and DuckDB types of columns of it.
    """
    asked = [_Column(name, kind, _measures(name, kind)) for name, kind in columns.items()]
    found = []
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        listed = ", ".join(sql for column in some for sql in column.measures.values())
        row = iter(connection.sql(f"select count(*), {listed} from {quote(table)}").fetchall()[0])  # noqa: S608
        rows = next(row)
        for column in some:
            measured = {name: next(row) for name in column.measures}
            found.append(_facts(connection, table, column, rows, measured))
    return found


def _measures(name: str, kind: str) -> dict[str, str]:
    """SQL of what is measured in one pass for all columns."""
    column = _known(name, kind)
    base = {"values": f"count({column})"}
    probe = ColumnFacts(name, kind, 0, 0, 0)
    if probe.is_nested:
        return base
    base["distinct"] = f"count(distinct {column})"
    if probe.is_number:
        finite = f"case when isfinite({column}::double) then {column}::double end"
        return {
            **base,
            "minimum": f"min({column})", "maximum": f"max({column})",
            "mean": f"avg({finite})", "deviation": f"stddev_samp({finite})",
            "infinite": f"count(*) filter (where isinf({column}::double))",
            "start": f"min({finite})", "end": f"max({finite})",
        }  # fmt: skip
    if probe.is_time:
        finite = f"case when isfinite({column}) then {column} end"
        return {
            **base,
            "minimum": f"min({column})::varchar", "maximum": f"max({column})::varchar",
            "start": f"epoch(min({finite}))", "end": f"epoch(max({finite}))",
        }  # fmt: skip
    if probe.is_text:
        text, other = f"left(trim({column}), 100)", f"lower(trim({column}))"
        counted = {
            "padded": matches(text, forms.PADDED), "integers": matches(text, forms.INTEGER),
            "numbers": forms.is_number(text, Writing()), "powers": matches(text, forms.POWER),
            "dates": matches(text, forms.DATE), "missing": forms.is_no_value(text),
            "surrounded": f"{column} != trim({column})",
        }  # fmt: skip
        return {
            **base,
            "minimum": f"left(min({column}), 100)", "maximum": f"left(max({column}), 100)",
            "shortest": f"min(length({column}))", "longest": f"max(length({column}))",
            **{key: f"count(*) filter (where {test})" for key, test in counted.items()},
            "folded": f"count(distinct {other})",
        }  # fmt: skip
    return base


def _known(name: str, kind: str) -> str:
    """The SQL of a column, with null where a float is no number."""
    column = quote(name)
    return (
        f"case when not isnan({column}) then {column} end"
        if kind in ("FLOAT", "DOUBLE")
        else column
    )


def _facts(
    connection: "DuckDBPyConnection",
    table: str,
    column: _Column,
    rows: int,
    measured: Mapping[str, Any],
) -> ColumnFacts:
    name, kind, values = column.name, column.kind, measured["values"]
    facts = ColumnFacts(name, kind, rows, rows - values, measured.get("distinct", 0))
    if not values or facts.is_nested:
        return facts
    histogram, text = None, None
    if facts.is_number or facts.is_time:
        histogram = _histogram(connection, table, column, measured["start"], measured["end"])
    if facts.is_text:
        keys = (
            "shortest",
            "longest",
            "padded",
            "integers",
            "numbers",
            "powers",
            "dates",
            "missing",
            "surrounded",
        )
        folded = facts.distinct - measured["folded"]
        text = TextFacts(**{key: measured[key] for key in keys}, same_but_for_case=folded)
    return ColumnFacts(
        name, kind, rows, rows - values, facts.distinct,
        _plain(measured.get("minimum")), _plain(measured.get("maximum")),
        measured.get("mean"), measured.get("deviation"),
        _quartiles(connection, table, column) if facts.is_number else (),
        measured.get("infinite", 0), histogram, _top(connection, table, column), text,
    )  # fmt: skip


def _quartiles(connection: "DuckDBPyConnection", table: str, column: _Column) -> tuple[float, ...]:
    """By a query for each column, which holds its numbers in memory."""
    number = f"{_known(column.name, column.kind)}::double"
    query = f"select quantile_cont({number}, [0.25, 0.5, 0.75]) from {quote(table)} where isfinite({number})"  # noqa: S608
    [(found,)] = connection.sql(query).fetchall()
    return tuple(found or ())


def _histogram(
    connection: "DuckDBPyConnection",
    table: str,
    column: _Column,
    start: float | None,
    end: float | None,
) -> Histogram | None:
    if start is None or end is None:
        return None
    known = _known(column.name, column.kind)
    is_time = column.kind in TIMES
    number = f"epoch({known})" if is_time else f"{known}::double"
    finite = f"isfinite({known})" if is_time else f"isfinite({number})"
    if column.kind in WHOLE:
        # As many whole numbers in each bin, or some would look more frequent.
        width = float(max(1, math.ceil((end - start + 1) / BINS)))
        bins = math.ceil((end - start + 1) / width)
    else:
        bins, width = BINS, (end - start) / BINS
    if not width or width == float("inf"):
        bins, width = 1, 1.0
    place = f"least({bins - 1}, greatest(0, floor(({number} - {start!r}) / {width!r})))::bigint"
    query = (
        f"select {place if bins > 1 else 0}, count(*) from {quote(table)} "  # noqa: S608
        f"where {known} is not null and {finite} group by 1"
    )
    counts = [0] * bins
    for at, count in connection.sql(query).fetchall():
        counts[at] = count
    return Histogram(float(start), float(end), width, counts)


def _top(connection: "DuckDBPyConnection", table: str, column: _Column) -> list[tuple[str, int]]:
    known = _known(column.name, column.kind)
    query = (
        f"select left({known}::varchar, 100) as value, count(*) as n from {quote(table)} "  # noqa: S608
        f"where {known} is not null group by {known} order by n desc, {known} limit {TOP}"
    )
    return [(value, count) for value, count in connection.sql(query).fetchall()]


def _plain(value: object) -> object:
    from decimal import Decimal

    return float(value) if isinstance(value, Decimal) else value
