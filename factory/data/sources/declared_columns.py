"""Columns of text whose type is declared, where DuckDB would make something else of them without a word.

It takes `01/02/2024` for the first date that its guess of a format gives, forgets the zone of a point in time, and rounds
`1.5` where a whole number is declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from factory.base.errors import TerminalError
from factory.data.sources.text_columns import TextColumns
from factory.lake.engine import columns_of, quote

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


def read_declared(columns: TextColumns, declared: Mapping[str, str]) -> DeclaredColumns:
    """How columns are read whose type is declared.

    Args:
        columns: All columns as text.
        declared: Types of the lake, by the columns' names.

    Raises:
        AmbiguousDatesError: Dates of a column may begin with the day or with the month.
        UndeclaredValuesError: A column of whole numbers has fractions.
    """
    looked = [name for name, kind in declared.items() if kind in _MADE_OF or kind in _WHOLE]
    if not looked:
        return DeclaredColumns({}, {})
    readings = columns.readings(looked)
    listed = ", ".join(f"{readings[name].expression} as {quote(name)}" for name in looked)
    kinds = columns_of(columns.connection.sql(f"select {listed} from ({columns.query})"))  # noqa: S608
    _check_whole(columns, {
        name: declared[name] for name in looked
        if declared[name] in _WHOLE and kinds[name] != "BIGINT" and not readings[name].is_empty
    })  # fmt: skip
    dates = [name for name in looked if declared[name] in _MADE_OF and not readings[name].is_empty]
    expressions = {
        name: f"cast({readings[name].expression} as {declared[name]})"
        for name in dates
        if kinds[name] in _MADE_OF[declared[name]]
    }
    return DeclaredColumns(
        expressions, {name: declared[name] for name in dates if name not in expressions}
    )


def _check_whole(columns: TextColumns, declared: Mapping[str, str]) -> None:
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
                f"column {name!r} is declared as {kind}, and {example!r} is none ({count:,} such values): "
                "declare it as DOUBLE in `columns`, or correct the file"
            )
