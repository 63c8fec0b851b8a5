"""How CSV files are written: what a team says about it, and what their first lines tell."""

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.data.sources.text_dialect import Character, TextDialect, check_header, same_marks

_MARKS = ",;\t|"
"""The delimiters that are looked for."""


class CsvDialect(TextDialect):
    """How CSV files are written."""

    delimiter: Character | None = None
    """What is between two values; found in the first line of each file when left out."""
    quote: Character = '"'
    """What stands around a value that contains a delimiter or a line break."""
    escape: Character | None = None
    """What stands before a quote within quotes; the quote itself when left out."""
    header: bool = True
    """Whether the first line has the columns' names."""

    @rule
    def _different_marks(self) -> Broken:
        pairs = [("delimiter", "quote"), ("comment", "delimiter"), ("comment", "quote")]
        yield from same_marks(self, pairs)

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return self.said_of(CsvDialect)

    def options(self, files: Sequence[Path], *, copied: bool) -> dict[str, Any]:
        """DuckDB's options for reading the files.

        Args:
            files: The files as they lie in the data folder.
            copied: Whether their copies are read.

        Raises:
            TerminalError: The files do not have one delimiter, or a name stands twice in a header.
        """
        from factory.data.sources.csv_headers import check_start

        for file in files:
            check_start(file, self.start(file), self.encoding)
        delimiter = self.delimiter or self._common_delimiter(files)
        if self.header:
            for file in files:
                check_header(file.name, self.names(file, delimiter))
        packing = {} if self.compression == "auto" and not copied else {
            "compression": "none" if copied else self.compression
        }  # fmt: skip
        return {
            "header": self.header,
            "nullstr": list(self.null_values),
            "delim": delimiter,
            "quote": self.quote,
            "escape": self.escape or self.quote,
            "comment": self.comment or "",
            # Left to itself DuckDB takes a broken file's first lines for a preamble and skips them.
            "skip": 0 if self.skips_beside_comments else self.skip,
            **packing,
        }

    def names(self, file: Path, delimiter: str) -> list[str]:
        """What the first line that is read has between its delimiters."""
        return next(self._rows(self._head(file), delimiter), [])

    def line_of(self, file: Path, delimiter: str, column: str, value: str) -> int | None:
        """The first line of a file in which a column has a value; None where it has none.

        Args:
            file: The file.
            delimiter: What is between two values.
            column: The column's name, or `column0` and so on where there is no header.
            value: What to look for.
        """
        lines = itertools.islice(self.lines(file, errors="replace"), self.skip, None)
        # Lines that are left out are counted: one without a value stands in for them.
        kept = ("\n" if self.comment and line.startswith(self.comment) else line for line in lines)
        reader = self._rows(kept, delimiter)
        first: list[str] = next((row for row in reader if row), []) if self.header else []
        names = [name.strip() for name in first]
        index = names.index(column) if column in names else -1
        if not self.header and re.fullmatch("column[0-9]+", column):
            index = int(column.removeprefix("column"))
        if index < 0:
            return None
        before = reader.line_num
        for row in reader:
            if index < len(row) and row[index].strip() == value.strip():
                return int(self.skip + before + 1)
            before = reader.line_num
        return None

    def _rows(self, lines: Iterable[str], delimiter: str) -> Any:
        return csv.reader(
            lines,
            delimiter=delimiter,
            quotechar=self.quote,
            escapechar=self.escape if self.escape not in (None, self.quote) else None,
            doublequote=self.escape in (None, self.quote),
        )

    def _common_delimiter(self, files: Sequence[Path]) -> str:
        """The one that each file's first line has most of.

        DuckDB looks at more lines, and takes a file with one broken line for a file with one column.
        """
        found: dict[str, Path] = {}
        for file in files:
            first = next(iter(self._head(file)), "")
            outside = "".join(first.split(self.quote)[::2])
            mark = max(_MARKS, key=outside.count)
            if outside.count(mark):
                found.setdefault(mark, file)
        if len(found) > 1:
            (one, first_file), (other, second_file) = list(found.items())[:2]
            raise TerminalError(
                f"{first_file.name} has {one!r} between its columns, and {second_file.name} has {other!r}: "
                "files of one `path` are written alike. Read them as two datasets, or write `delimiter`"
            )
        return next(iter(found), ",")

    def _head(self, file: Path) -> Iterator[str]:
        """The lines of a file from its header on; text that is not in the encoding is replaced."""
        lines = self.lines(file, errors="replace")
        lines = itertools.islice(lines, self.skip, None)
        return (line for line in lines if not (self.comment and line.startswith(self.comment)))
