"""Columns of text whose type is declared, where DuckDB would make something else of them without a word.

It takes `01/02/2024` for the first date that its guess of a format gives, forgets the zone of a point in time, and rounds
`1.5` where a whole number is declared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from factory.base.errors import TerminalError
from factory.data.column_types import is_number
from factory.data.sources.text_columns import Reading, TextColumns
from factory.lake.engine import columns_of, quote
from factory.lake.fitting import is_wider_number

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
    if not looked:
        return DeclaredColumns({}, {})
    readings = columns.readings(looked)
    kinds = _kinds(columns, {name: readings[name] for name in looked})
    whole = {
        name: declared[name] for name in looked
        if declared[name] in _WHOLE and kinds[name] != "BIGINT" and not readings[name].is_empty
    }  # fmt: skip
    _check_whole(columns, whole, said, place)
    dates = [name for name in looked if declared[name] in _MADE_OF and not readings[name].is_empty]
    expressions = {
        name: f"cast({readings[name].expression} as {declared[name]})"
        for name in dates
        if kinds[name] in _MADE_OF[declared[name]]
    }
    return DeclaredColumns(
        expressions, {name: declared[name] for name in dates if name not in expressions}
    )


def _check_whole(
    columns: TextColumns,
    declared: Mapping[str, str],
    said: Callable[[str], str],
    place: Callable[[str, str], str],
) -> None:
    if not declared:
        return
    fractions = {
        name: f"{number} != trunc({number})"
        for name, number in ((name, columns.writing.double(quote(name))) for name in declared)
    }
    listed = ", ".join(
        f"count(*) filter (where {test}), min({quote(name)}) filter (where {test})"
        for name, test in fractions.items()
    )
    found = iter(columns.connection.sql(f"select {listed} from ({columns.query})").fetchall()[0])  # noqa: S608
    for (name, kind), count, example in zip(declared.items(), found, found, strict=True):
        if count:
            raise UndeclaredValuesError(
                f"{place(name, example)}column {name!r} is {said(kind)}, and {example!r} is none ({count:,} such "
                "values): declare it as DOUBLE in `columns`, or correct the file"
            )
