"""`source: {type: csv}`."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from factory.base.section import ListOf
from factory.data.sources.files import SAMPLE_ROWS, FileSource, FilesToRead


class CsvSource(FileSource):
    """CSV files; types are found by DuckDB unless `columns` of the dataset declares them."""

    type: Literal["csv"]
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    header: bool = True
    null_values: ListOf[str] = ("",)

    advice: ClassVar[str] = (
        "\nCorrect the file (CSV in UTF-8), write `delimiter`, `header` or `null_values` in "
        "`source`, or declare the column's type in `columns`"
    )

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, with the declared types."""
        import duckdb

        from factory.lake.engine import canonical_type

        options = {**self._options(read.files[0]), **read.compression}
        guessing = {**options, "sample_size": SAMPLE_ROWS, "union_by_name": True}
        query = read.by("read_csv", **guessing)
        try:
            found = read.connection.sql(query).columns
        except duckdb.Error:
            _name_broken_line(read, options)
            raise
        declared = read.columns
        types = {name: canonical_type(declared[name]) for name in found if name in declared}
        return read.by("read_csv", **guessing, types=types) if types else query

    def _options(self, first: Path) -> dict[str, Any]:
        return {
            "header": self.header,
            "nullstr": list(self.null_values),
            "delim": self.delimiter or _delimiter(first),
            "quote": '"',
            "escape": '"',
            "comment": "",
            # Left to itself DuckDB takes a broken file's first lines for a preamble and skips them.
            "skip": 0,
        }


def _name_broken_line(read: FilesToRead, options: Mapping[str, Any]) -> None:
    """Read files without guessing, which tells the line where DuckDB's guess tells nothing.

    Raises:
        duckdb.Error: At the first line that does not have the columns of its file's first line.
    """
    for file in filter(_is_plain_text, read.files):
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            names = next(csv.reader(lines, delimiter=options["delim"]), [])
        plain = {f"c{number}": "VARCHAR" for number, _ in enumerate(names)}
        strict = {**options, "auto_detect": False, "columns": plain}
        query = replace(read, files=[file]).by("read_csv", **strict)
        read.connection.sql(query).aggregate("count(*)").fetchall()


def _delimiter(file: Path) -> str:
    """The delimiter that the first line has most of.

    DuckDB looks at more lines, and takes a file with one broken line for a file with one column.
    """
    if not _is_plain_text(file):
        return ","
    with file.open("rb") as lines:
        first = lines.readline(1 << 20)
    outside_quotes = b"".join(first.split(b'"')[::2])
    return max(",;\t|", key=lambda mark: outside_quotes.count(mark.encode()))


def _is_plain_text(file: Path) -> bool:
    return file.suffix not in (".gz", ".zst", ".bz2")
