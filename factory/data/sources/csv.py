"""`source: {type: csv}`."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

from factory.data.sources.csv_dialect import CsvDialect
from factory.data.sources.files import FilesToRead
from factory.data.sources.text_files import Texts, TextSource

_SOME_ROWS = 2000
_SOME_FILES = 8


class CsvSource(CsvDialect, TextSource):
    """CSV files; types are found by looking at all rows unless `columns` of the dataset declares them."""

    type: Literal["csv"]

    advice: ClassVar[str] = (
        "\nCorrect the file, say in `source` how it is written (`delimiter`, `quote`, `encoding`, `header`, `skip` …), "
        "or declare the column's type in `columns`"
    )

    def texts(self, read: FilesToRead) -> Texts:
        """See `TextSource.texts`."""
        from factory.data.sources.csv_headers import doubts_of_headers
        from factory.data.sources.text_columns import TextColumns

        copies = self.copies(read.files, read.scratch)
        options = self.options(read.files, copied=copies != list(read.files))
        reading = replace(read, files=copies)
        names = self._names(reading, options)
        columns = TextColumns(
            read.connection,
            reading.by("read_csv", all_varchar=True, union_by_name=True, **options),
            _some_rows(reading, options),
            self.writing,
        )

        def typed(types: Mapping[str, str]) -> str:
            all_types = {name: types.get(name, "VARCHAR") for name in names}
            how = {"types": all_types, **self._typed()}
            return reading.by("read_csv", union_by_name=True, **options, **how)

        # DuckDB itself takes no mark of thousands of several bytes.
        takes_marks = (self.thousands or "").isascii()
        place = partial(self._place, read, options["delim"])
        headers = (
            {file.name: self.names(file, options["delim"]) for file in read.files}
            if self.header
            else {}
        )
        return Texts(
            names,
            columns,
            place,
            typed if takes_marks else None,
            doubts=list(doubts_of_headers(headers)),
        )

    def _names(self, read: FilesToRead, options: Mapping[str, Any]) -> list[str]:
        import duckdb

        query = read.by("read_csv", all_varchar=True, union_by_name=True, **options)
        try:
            return list(read.connection.sql(query).columns)
        except duckdb.Error:
            self._name_broken_line(read, options)
            raise

    def _place(self, read: FilesToRead, delimiter: str, column: str, value: str) -> str:
        for file in read.files:
            line = self.line_of(file, delimiter, column, value)
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
