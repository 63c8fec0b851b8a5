"""How CSV files are written: what a team says about it, and what their first lines tell."""

import codecs
import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section

_MARKS = ",;\t|"
"""The delimiters that are looked for."""
_PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name).incrementaldecoder  # noqa: B018 - raises where it is no encoding of text
    except LookupError:
        raise PydanticCustomError(
            "encoding", "Python knows no encoding {name}: write utf-8, utf-16, cp1252, latin-1 …",
            {"name": repr(name)},
        ) from None  # fmt: skip
    return name


def _known_format(form: str) -> str:
    """A format of dates, if DuckDB's strptime knows it."""
    words = re.findall(r"%-?(.?)", form)
    unknown = [word for word in words if word not in "aAbBcdDfgGHIjmMnpSuUVwWxXyYzZ%-" or not word]
    if words and not unknown:
        return form
    raise PydanticCustomError(
        "date_format",
        "{found} says nothing to strptime: write such as '%d/%m/%Y', '%Y-%m-%d %H:%M'",
        {"found": f"%{unknown[0]}" if unknown else repr(form)},
    )


Format = Annotated[str, AfterValidator(_known_format)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class CsvDialect(Section):
    """How CSV files are written."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """As Python calls it: `cp1252`, `latin-1`, `utf-16` …"""
    delimiter: Character | None = None
    """What is between two values; found in the first line of each file when left out."""
    quote: Character = '"'
    """What stands around a value that contains a delimiter or a line break."""
    escape: Character | None = None
    """What stands before a quote within quotes; the quote itself when left out."""
    header: bool = True
    """Whether the first line has the columns' names."""
    skip: int = Field(default=0, ge=0, le=10_000)
    """Lines before the header that are not read."""
    skip_footer: int = Field(default=0, ge=0, le=10_000)
    """Lines at the end that are not read."""
    comment: Character | None = None
    """What a line begins with that is not read."""
    decimal: Literal[".", ","] = "."
    """What is between whole numbers and fractions."""
    thousands: Character | None = None
    """What is between thousands: `1,234` with `thousands: ","`."""
    date_format: Format | None = Field(default=None, examples=["%d.%m.%Y"])
    """How dates are written, in strptime's words: `%d/%m/%Y`."""
    timestamp_format: Format | None = Field(default=None, examples=["%d.%m.%Y %H:%M"])
    """How points in time are written, in strptime's words: `%d/%m/%Y %H:%M`."""
    null_values: ListOf[str] = Field(default=("",), examples=[["", "NA"]])
    """What stands for no value."""
    compression: Literal["auto", "none", "gzip", "zstd", "bz2"] = "auto"
    """`auto` goes by the file's name: `.gz`, `.zst`, `.bz2`."""
    on_doubt: Literal["warn", "halt", "text"] = "warn"
    """What to do about a column that is numbers or dates but for a few values: it stays text, with a warning or without
    one, or the run fails."""

    @rule
    def _different_marks(self) -> Broken:
        """No two marks are the same, which DuckDB would refuse when it reads."""
        pairs = [
            ("thousands", "decimal"),
            ("delimiter", "quote"),
            ("comment", "delimiter"),
            ("comment", "quote"),
        ]
        for one, other in pairs:
            mark = getattr(self, one)
            if mark and mark == getattr(self, other):
                yield PydanticCustomError(
                    "marks",
                    "`{one}` and `{other}` are both {mark}: write how the file has them",
                    {"one": one, "other": other, "mark": repr(mark), "at": (one,)},
                )

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return {
            name: getattr(self, name)
            for name in sorted(CsvDialect.model_fields)
            if name != "on_doubt" and getattr(self, name) != CsvDialect.model_fields[name].default
        }

    @property
    def is_copied(self) -> bool:
        """Whether DuckDB cannot read the files as they are."""
        plain = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
        return not plain or self.skip_footer > 0 or self.compression == "bz2"

    def copies(self, files: Sequence[Path], folder: Path) -> list[Path]:
        """The files in UTF-8, unpacked and without their footers; themselves where that is so already.

        Args:
            files: What to copy.
            folder: Where to; each copy bears the name of its file, in a folder of its own.

        Raises:
            TerminalError: A file is not in the encoding; names the line.
        """
        found = []
        for number, file in enumerate(files):
            if not (self.is_copied or self._packing(file) == "bz2"):
                found.append(file)
                continue
            copy = folder / str(number) / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("w", encoding="utf-8", newline="") as written:
                written.writelines(self._without_footer(self._lines(file)))
            found.append(copy)
        return found

    def options(self, files: Sequence[Path], *, copied: bool) -> dict[str, Any]:
        """DuckDB's options for reading the files.

        Args:
            files: The files as they lie in the data folder.
            copied: Whether their copies are read.

        Raises:
            TerminalError: The files do not have one delimiter, or a name stands twice in a header.
        """
        delimiter = self.delimiter or self._common_delimiter(files)
        if self.header:
            for file in files:
                self._check_header(file, delimiter)
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
            "skip": self.skip,
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
        lines = itertools.islice(self._lines(file, errors="replace"), self.skip, None)
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

    def _check_header(self, file: Path, delimiter: str) -> None:
        seen: dict[str, str] = {}
        for name in map(str.strip, self.names(file, delimiter)):
            if not name:
                continue
            if name.lower() in seen:
                raise TerminalError(
                    f"{file.name}: the header has the columns {seen[name.lower()]!r} and {name!r}, which are "
                    "the same to SQL: rename one where the file is made"
                )
            seen[name.lower()] = name

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
        lines = self._lines(file, errors="replace")
        lines = itertools.islice(lines, self.skip, None)
        return (line for line in lines if not (self.comment and line.startswith(self.comment)))

    def _lines(self, file: Path, errors: str = "strict") -> Iterator[str]:
        """The lines of a file, unpacked and decoded, with their ends."""
        import pyarrow as pa

        name = codecs.lookup(self.encoding).name
        encoding = "utf-8-sig" if name == "utf-8" else name  # a mark at the start is no text
        number = 0
        with (
            pa.input_stream(str(file), compression=self._packing(file)) as stream,
            io.TextIOWrapper(stream, encoding, errors, newline="") as text,
        ):
            try:
                for line in text:
                    number += 1
                    yield line
            except UnicodeDecodeError as error:
                # It stops at the block that it cannot decode; all lines before have been handed out.
                number += 1 + error.object[: error.start].count(b"\n")
                raise TerminalError(
                    f"{file.name}: line {number} is not in {self.encoding} ({error.reason}): write "
                    "`encoding`, such as cp1252"
                ) from None

    def _without_footer(self, lines: Iterator[str]) -> Iterator[str]:
        waiting: deque[str] = deque()
        for line in lines:
            waiting.append(line)
            if len(waiting) > self.skip_footer:
                yield waiting.popleft()

    def _packing(self, file: Path) -> str | None:
        if self.compression == "auto":
            return _PACKED.get(file.suffix)
        return None if self.compression == "none" else self.compression
