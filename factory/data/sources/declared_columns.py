"""Columns of text whose type is declared, where DuckDB would make something else of them without a word.

It takes `01/02/2024` for the first date that its guess of a format gives, forgets the zone of a point in time, and rounds
`1.5` where a whole number is declared, and `1.234` where two digits are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.base.errors import TerminalError
from factory.base.wider_types import is_wider_number
from factory.data.column_types import is_number
from factory.data.sources.text_columns import Reading, TextColumns
from factory.lake.engine import columns_of, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ZONED = "TIMESTAMP WITH TIME ZONE"
_MADE_OF = {
    "DATE": ("DATE",),
    "TIMESTAMP": ("DATE", "TIMESTAMP", _ZONED),
    _ZONED: ("DATE", "TIMESTAMP", _ZONED),
}
"""The types of texts that make a declared date."""
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")


class UndeclaredValuesError(TerminalError):
    """Values that are not of the type that is declared."""


@dataclass(frozen=True)
class DeclaredColumns:
    """The SQL of columns whose type is declared."""

    expressions: Mapping[str, str]
    """The SQL that reads those columns that are not left to DuckDB."""
    broken: Mapping[str, str]
    """Columns that cannot be read, and their types; DuckDB, which is asked first, names the line."""


def wider_numbers(columns: TextColumns, pinned: Mapping[str, str]) -> dict[str, Reading]:
    """How columns of numbers are read that have a wider type than they had.

    Args:
        columns: All columns as text.
        pinned: The types that they had, by the columns' names.
    """
    numbers = [name for name, kind in pinned.items() if is_number(kind)]
    if not numbers:
        return {}
    readings = columns.readings(numbers)
    kinds = _kinds(columns, readings)
    return {
        name: reading
        for name, reading in readings.items()
        if is_wider_number(kinds[name], pinned[name])
    }


def _kinds(columns: TextColumns, readings: Mapping[str, Reading]) -> dict[str, str]:
    listed = ", ".join(f"{one.expression} as {quote(name)}" for name, one in readings.items())
    return columns_of(columns.connection.sql(f"select {listed} from ({columns.query})"))  # noqa: S608


def read_declared(
    columns: TextColumns,
    declared: Mapping[str, str],
    said: Callable[[str], str],
    place: Callable[[str, str], str],
) -> DeclaredColumns:
    """How columns are read whose type is declared.

    Args:
        columns: All columns as text.
        declared: Types of the lake, by the columns' names.
        said: That a column is of a type, in words.
        place: The file and line where a column has a value, in words.

    Raises:
        AmbiguousDatesError: Dates of a column may begin with the day or with the month.
        UndeclaredValuesError: A column of whole numbers has fractions.
    """
    looked = [name for name, kind in declared.items() if kind in _MADE_OF or kind in _WHOLE]
    decimals = {name: kind for name, kind in declared.items() if kind.startswith("DECIMAL")}
    if not looked:
        _check_digits(columns, decimals, said, place)
        return DeclaredColumns({}, {})
    readings = columns.readings(looked)
    kinds = _kinds(columns, {name: readings[name] for name in looked})
    whole = {
        name: declared[name] for name in looked
        if declared[name] in _WHOLE and kinds[name] != "BIGINT" and not readings[name].is_empty
    }  # fmt: skip
    _check_digits(columns, {**whole, **decimals}, said, place)
    dates = [name for name in looked if declared[name] in _MADE_OF and not readings[name].is_empty]
    expressions = {
        name: f"cast({readings[name].expression} as {declared[name]})"
        for name in dates
        if kinds[name] in _MADE_OF[declared[name]]
    }
    return DeclaredColumns(
        expressions, {name: declared[name] for name in dates if name not in expressions}
    )


def cast_strictly(
    columns: TextColumns,
    declared: Mapping[str, str],
    dates: Mapping[str, str],
    said: Callable[[str], str],
    place: Callable[[str, str], str],
) -> dict[str, str]:
    """The SQL that reads columns whose type is known, and of which every value is of that type.

    Args:
        columns: All columns as text.
        declared: Types of the lake, by the columns' names.
        dates: Those of them that are no dates, though they are declared as such.
        said: That a column is of a type, in words.
        place: Where a column has a value, in words.

    Raises:
        UndeclaredValuesError: A value is not of its column's type; names its place.
    """
    typed = {name: kind for name, kind in declared.items() if kind != "VARCHAR"}
    cast = {
        name: f"({columns.writing.plain(quote(name))} as {kind})"
        if is_number(kind)
        else f"(trim({quote(name)}) as {kind})"
        for name, kind in typed.items()
    }
    tests = {name: f"try_cast{cast[name]} is null" for name in typed}
    advice = "name it in `null_values` if it stands for no value, declare another type"
    _refuse(columns, typed, tests, said, place, advice)
    days = {name: kind for name, kind in dates.items() if kind == "DATE"}
    with_time = {
        name: f"cast(try_cast({quote(name)} as date) as timestamp) != try_cast({quote(name)} as timestamp)"
        for name in days
    }
    _refuse(columns, days, with_time, said, place, "declare it as TIMESTAMP")
    if dates:
        raise _unclear_dates(dates)
    return {name: f"cast{sql}" for name, sql in cast.items()}


def refuse_dates(connection: "DuckDBPyConnection", query: str, broken: Mapping[str, str]) -> None:
    """Say of columns that they are not the dates that are declared.

    Args:
        connection: Where the rows are.
        query: The rows in their declared types.
        broken: Columns that cannot be read, and their types.

    Raises:
        duckdb.Error: A value is not of its column's type; names its line.
        UndeclaredValuesError: DuckDB would read the values, but not in the one way that is meant.
    """
    counted = ", ".join(f"count({quote(name)})" for name in broken)
    connection.sql(f"select {counted} from ({query})").fetchall()  # noqa: S608
    raise _unclear_dates(broken)


def _unclear_dates(broken: Mapping[str, str]) -> UndeclaredValuesError:
    [name, kind] = next(iter(broken.items()))
    return UndeclaredValuesError(
        f"column {name!r} is declared as {kind}, and its values are not all written in one such way: say how they "
        "are written in `date_format` or `timestamp_format`, or declare it as VARCHAR and read it in a transform"
    )


def _check_digits(
    columns: TextColumns,
    declared: Mapping[str, str],
    said: Callable[[str], str],
    place: Callable[[str, str], str],
) -> None:
    """Check that numbers have no more digits behind their point than is declared."""
    tests = {}
    for name, kind in declared.items():
        number = columns.writing.double(quote(name))
        kept = (
            f"trunc({number})"
            if kind in _WHOLE
            else f"cast(try_cast({number} as {kind}) as double)"
        )
        tests[name] = f"{number} != {kept}"
    _refuse(columns, declared, tests, said, place, "declare it as DOUBLE")


def _refuse(
    columns: TextColumns,
    declared: Mapping[str, str],
    tests: Mapping[str, str],
    said: Callable[[str], str],
    place: Callable[[str, str], str],
    advice: str,
) -> None:
    refuse_values(columns.connection, columns.query, declared, tests, said, place, advice)


def refuse_values(
    connection: "DuckDBPyConnection",
    query: str,
    declared: Mapping[str, str],
    tests: Mapping[str, str],
    said: Callable[[str], str],
    place: Callable[[str, str], str],
    advice: str = "declare another type",
) -> None:
    """Refuse values that meet a condition.

    Args:
        connection: Where the rows are.
        query: The rows.
        declared: The types of columns, by name.
        tests: The SQL condition of a value that is not of its column's type, by name.
        said: That a column is of a type, in words.
        place: Where a column has a value, in words.
        advice: What to do about it.

    Raises:
        UndeclaredValuesError: There are such values; of the first such column.
    """
    if not tests:
        return
    listed = ", ".join(_counted(tests.items()))
    found = iter(connection.sql(f"select {listed} from ({query})").fetchall()[0])  # noqa: S608
    for name, count, example in zip(tests, found, found, strict=True):
        if count:
            values = "value" if count == 1 else "values"
            raise UndeclaredValuesError(
                f"{place(name, example)}column {name!r} is {said(declared[name])}, and {example!r} is none "
                f"({count:,} such {values}): {advice} in `columns`, or correct the file"
            )


def _counted(tests: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, test in tests:
        wrong = f"{quote(name)} is not null and {test}"
        yield f"count(*) filter (where {wrong}), min({quote(name)}) filter (where {wrong})"
