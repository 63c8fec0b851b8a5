"""`source: {type: csv}`."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from factory.base.errors import TerminalError
from factory.data.sources.csv_dialect import CsvDialect
from factory.data.sources.files import FileSource, FilesToRead

if TYPE_CHECKING:
    from factory.data.sources.text_columns import Reading, TextColumns

log = logging.getLogger(__name__)

_SOME_ROWS = 2000
_SOME_FILES = 8


class DoubtfulColumnError(TerminalError):
    """A column that is numbers or dates but for a few values, where `on_doubt` is `halt`."""


@dataclass(frozen=True)
class CsvTexts:
    """CSV files as columns of text."""

    reading: FilesToRead
    """The files as DuckDB can read them."""
    options: Mapping[str, Any]
    """DuckDB's options for doing so."""
    names: Sequence[str]
    """The columns' names."""
    columns: "TextColumns"


class CsvSource(CsvDialect, FileSource):
    """CSV files; types are found by looking at all rows unless `columns` of the dataset declares them."""

    reads_texts: ClassVar[bool] = True

    type: Literal["csv"]

    advice: ClassVar[str] = (
        "\nCorrect the file, say in `source` how it is written (`delimiter`, `quote`, `encoding`, `header`, `skip` …), "
        "or declare the column's type in `columns`"
    )

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, with the declared types, and those that their texts have."""
        from factory.data.sources.declared_columns import read_declared, wider_numbers
        from factory.lake.engine import canonical_type, quote

        texts = self.texts(read)
        reading, options, names, columns = texts.reading, texts.options, texts.names, texts.columns
        known = read.types.columns
        kinds = {name: canonical_type(known[name]) for name in names if name in known}
        found = columns.readings([name for name in names if name not in kinds])
        self._tell(found.values())
        if read.types.may_widen:
            wider = wider_numbers(columns, kinds)
            found = {**found, **wider}
            kinds = {name: kind for name, kind in kinds.items() if name not in wider}
        declared = read_declared(
            columns, kinds, read.types.said, partial(self._place, reading, options)
        )
        expressions = {
            **{name: one.expression for name, one in found.items()},
            **declared.expressions,
        }
        types = {name: "VARCHAR" if name in expressions else kinds[name] for name in names}
        typed = {"types": types, **self._typed()}
        query = reading.by("read_csv", union_by_name=True, **options, **typed)
        if declared.broken:
            _refuse(read, query, declared.broken)
        replaced = ", ".join(f"{sql} as {quote(name)}" for name, sql in expressions.items())
        return f"select * replace ({replaced}) from ({query})" if replaced else query  # noqa: S608

    def texts(self, read: FilesToRead) -> "CsvTexts":
        """The files' columns as text, of which nobody has said yet what they are."""
        from factory.data.sources.text_columns import TextColumns
        from factory.data.sources.text_forms import Writing

        copies = self.copies(read.files, read.scratch)
        options = self.options(read.files, copied=copies != list(read.files))
        reading = replace(read, files=copies)
        names = self._names(reading, options)
        columns = TextColumns(
            read.connection,
            reading.by("read_csv", all_varchar=True, union_by_name=True, **options),
            _some_rows(reading, options),
            Writing(self.decimal, self.thousands, self.date_format, self.timestamp_format),
        )
        return CsvTexts(reading, options, names, columns)

    def _names(self, read: FilesToRead, options: Mapping[str, Any]) -> list[str]:
        import duckdb

        query = read.by("read_csv", all_varchar=True, union_by_name=True, **options)
        try:
            return list(read.connection.sql(query).columns)
        except duckdb.Error:
            self._name_broken_line(read, options)
            raise

    def _place(self, read: FilesToRead, options: Mapping[str, Any], column: str, value: str) -> str:
        """Where a value stands for the first time: `a.csv, line 4: `; empty if it is not found."""
        for file in read.files:
            line = self.line_of(file, options["delim"], column, value)
            if line is not None:
                return f"{file.name}, line {line}: "
        return ""

    def _typed(self) -> dict[str, Any]:
        """DuckDB's options for columns whose types are declared."""
        options = {
            "decimal_separator": self.decimal if self.decimal != "." else None,
            "thousands": self.thousands,
            # Without a format it guesses one, file by file.
            "dateformat": self.date_format or "%Y-%m-%d",
            "timestampformat": self.timestamp_format,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _tell(self, readings: "Iterable[Reading]") -> None:
        doubts = [reading.doubt for reading in readings if reading.doubt]
        if doubts and self.on_doubt == "halt":
            raise DoubtfulColumnError("\n".join(map(str, doubts)))
        if self.on_doubt == "warn":
            for doubt in doubts:
                log.warning("%s", doubt)

    def _name_broken_line(self, read: FilesToRead, options: Mapping[str, Any]) -> None:
        """Read files without guessing, which tells the line where DuckDB's guess tells nothing.

        Raises:
            duckdb.Error: At the first line that does not have the columns of its file's first line.
        """
        for file in read.files:
            plain = {
                f"c{number}": "VARCHAR"
                for number, _ in enumerate(self.names(file, options["delim"]))
            }
            strict = {**options, "auto_detect": False, "columns": plain}
            query = replace(read, files=[file]).by("read_csv", **strict)
            read.connection.sql(query).aggregate("count(*)").fetchall()


def _some_rows(read: FilesToRead, options: Mapping[str, Any]) -> str:
    """The SQL of the first rows of some files, from the first to the last."""
    step = max(1, -(-len(read.files) // _SOME_FILES))
    files = read.files[::step]
    rows = _SOME_ROWS // len(files)
    return " union all by name ".join(
        f"(from ({replace(read, files=[file]).by('read_csv', all_varchar=True, **options)}) limit {rows})"
        for file in files
    )


def _refuse(read: FilesToRead, query: str, broken: Mapping[str, str]) -> None:
    """Say of columns that they are not what is declared.

    Raises:
        duckdb.Error: A value is not of its column's type; names its line.
        UndeclaredValuesError: DuckDB would read the values, but not in the one way that is meant.
    """
    from factory.data.sources.declared_columns import UndeclaredValuesError
    from factory.lake.engine import quote

    counted = ", ".join(f"count({quote(name)})" for name in broken)
    read.connection.sql(f"select {counted} from ({query})").fetchall()  # noqa: S608
    [name, kind] = next(iter(broken.items()))
    raise UndeclaredValuesError(
        f"column {name!r} is declared as {kind}, and its values are not all written in one such way: say how they "
        "are written in `date_format` or `timestamp_format`, or declare it as VARCHAR and read it in a transform"
    )
