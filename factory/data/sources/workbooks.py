"""Workbooks of Excel that are not trusted: a sheet as columns of text, and what each cell was."""

import re
import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from factory.base.errors import TerminalError
from factory.base.texts import hint, one_of, shown
from factory.data.archives import CHUNK, ArchiveError, Limits, members
from factory.data.sources.text_dialect import check_header
from factory.data.sources.workbook_cells import Book, Cell, Row, opened

if TYPE_CHECKING:
    import pyarrow as pa

LIMITS = Limits(max_files=10_000, max_file_bytes=1_000_000_000, max_total_bytes=1_000_000_000)
"""How much a workbook may unpack to."""
ROW = "_row_of_the_sheet"
"""The column of the number that Excel shows beside a row."""
_MOST_COLUMNS = 16_384
_CELLS_AT_ONCE = 500_000
_SHOWN = 3
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MERGED = re.compile(rb"mergeCell ref=\"([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})\"")
_MOST_MERGED = 10_000
_LONGEST_MARK = 48
"""More bytes than any of these marks has."""


class WorkbookError(TerminalError):
    """A workbook that cannot be read as a table."""


@dataclass(frozen=True)
class Layout:
    """Which cells of a workbook are rows, and how their values are written as text."""

    sheet: str | None
    header: bool
    skip: int
    skip_footer: int
    decimal: str
    null_values: Sequence[str]


@dataclass
class SheetTexts:
    """A sheet that was written to a parquet file, each column as text, beside the number of its row."""

    workbook: str
    sheet: str
    others: Sequence[str]
    """The other visible sheets."""
    columns: dict[str, str] = field(default_factory=dict)
    """The letters of each column."""
    kinds: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How many cells of each column are texts, errors, or something else."""
    errors: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """The first cells of each column that have errors, and these."""
    beside: list[str] = field(default_factory=list)
    """The first cells that have a value outside the columns of the header."""
    merged: list[str] = field(default_factory=list)
    """The ranges of cells of rows that were merged, such as `A2:A5`."""

    def cell(self, column: str, row: int) -> str:
        """The place of a value, as Excel has it: `Data!C17`."""
        return f"{self.sheet}!{self.columns[column]}{row}"

    @property
    def doubts(self) -> list[str]:
        """What is in doubt about the cells, in words."""
        told = []
        for name, cells in self.errors.items():
            listed = ", ".join(f"{place} ({error})" for place, error in cells[:_SHOWN])
            more = self.kinds[name]["error"] - len(cells[:_SHOWN])
            others = f" and {more:,} more" if more else ""
            nulls = ", ".join(
                f'"{value}"' for value in ("", *sorted({error for _, error in cells}))
            )
            told.append(
                f"{self.workbook}: column {name!r} has cells with errors, and stays text: {listed}{others}. Correct them, "
                f"or write `null_values: [{nulls}]` if they stand for no value"
            )
        if self.beside:
            told.append(
                f"{self.workbook}: {self.beside[0]} and maybe others have values and are in no column, since the header "
                "ends before them: name the column, or move them to another sheet"
            )
        if self.merged:
            others = f" and {len(self.merged) - 1:,} more" if len(self.merged) > 1 else ""
            told.append(
                f"{self.workbook}: cells are merged ({self.sheet}!{self.merged[0]}{others}), of which only the first has the "
                "value, and the others have none: take the merge back in the workbook, and write the value into each cell"
            )
        return told


def write_texts(
    workbook: Path, layout: Layout, target: Path, most_rows: int | None = None
) -> SheetTexts:
    """Write a sheet's rows to a parquet file, each value as text.

    Args:
        workbook: An .xlsx file, which is looked at before it is opened.
        layout: Which of its cells are rows.
        target: The parquet file to make: the columns, and `ROW`.
        most_rows: How many of the first rows to write; all if None.

    Raises:
        WorkbookError: It is no such file, is locked, lacks the sheet, or unpacks to too much.
    """
    import pyarrow.parquet as pq

    merged = _check(workbook)
    with _opened(workbook) as book:
        found = _sheet(workbook.name, book, layout.sheet)
        rows = _filled(_calculated(book.rows(found.sheet), found), layout)
        names = _names(found, rows, layout)
        reading = _Reading(found, names, layout)
        with ExitStack() as stack:
            writer = None
            for table in reading.tables(rows, most_rows):
                if writer is None:
                    writer = stack.enter_context(pq.ParquetWriter(target, table.schema))
                writer.write_table(table)
        of_sheet = merged.get(book.paths[found.sheet], [])
        found.merged = sorted(filter(reading.holds, of_sheet), key=_row_and_column)
    return found


def _row_and_column(cells: str) -> tuple[int, int]:
    from openpyxl.utils import range_boundaries

    left, top, *_ = range_boundaries(cells)
    return top, left


def first_rows(workbook: Path, most: int) -> list[tuple[int, list[str]]]:
    """The first rows of a workbook's first sheet that have values: the row's number and its values as text.

    Raises:
        WorkbookError: It is no such file, is locked, or unpacks to too much.
    """
    _check(workbook)
    with _opened(workbook) as book:
        rows = book.rows(_sheet(workbook.name, book, None).sheet)
        texts = ((number, [_text(cell, ".")[0] for cell in cells]) for number, cells in rows)
        filled = ((number, [text for text in row if text]) for number, row in texts if any(row))
        return list(islice(filled, most))


def _check(workbook: Path) -> dict[str, list[str]]:
    """Look at a file before it is opened; the ranges of merged cells, by the path of the sheet within the file.

    Raises:
        WorkbookError: It is no workbook, or unpacks to too much.
    """
    with workbook.open("rb") as file:
        start = file.read(8)
    if start == _OLD:
        # An encrypted workbook is a file of the old form, with the new one inside.
        with workbook.open("rb") as file:
            is_locked = "EncryptedPackage".encode("utf-16-le") in file.read(50_000_000)
        raise WorkbookError(
            f"{workbook.name} is locked by a password: save it without one"
            if is_locked
            else f"{workbook.name} is an old workbook (.xls): save it as .xlsx"
        )
    if not start.startswith(b"PK"):
        raise WorkbookError(
            f"{workbook.name} is no workbook (.xlsx): write the `type` that it has, such as csv, or save it as .xlsx"
        )
    names, merged = set(), defaultdict[str, list[str]](list)
    try:
        for member in members(workbook, LIMITS):
            names.add(member.name)
            before = b""
            while chunk := member.content.read(CHUNK):
                if member.name.startswith("xl/worksheets/"):
                    _add_merged(merged[member.name], before + chunk)
                    before = chunk[-_LONGEST_MARK:]
    except ArchiveError as error:
        raise WorkbookError(str(error)) from error
    if "xl/workbook.bin" in names:
        raise WorkbookError(f"{workbook.name} is a binary workbook (.xlsb): save it as .xlsx")
    if "[Content_Types].xml" not in names:
        raise WorkbookError(f"{workbook.name} is no workbook, but an archive: save it as .xlsx")
    return merged


def _add_merged(known: list[str], content: bytes) -> None:
    """Add the ranges that a piece of a sheet has, which may have been seen in part before."""
    for found in _MERGED.findall(content):
        if (cells := found.decode()) not in known[-1:] and len(known) < _MOST_MERGED:
            known.append(cells)


@contextmanager
def _opened(workbook: Path) -> Iterator[Book]:
    from xml.etree.ElementTree import ParseError
    from zipfile import BadZipFile

    from defusedxml import DefusedXmlException
    from openpyxl.utils.exceptions import InvalidFileException

    # No OSError: that the rows cannot be written down is not the workbook's fault, and it was read to its end before.
    broken = (KeyError, ValueError, TypeError, IndexError, AttributeError, ParseError, ExpatError)
    with warnings.catch_warnings():
        # What openpyxl does not keep when it saves (validations, conditional formats) is not read anyway.
        warnings.simplefilter("ignore")
        try:
            with opened(workbook) as book:
                yield book
        except (*broken, BadZipFile, DefusedXmlException, InvalidFileException) as error:
            raise WorkbookError(
                f"{workbook.name} is broken ({type(error).__name__}: {_said(error, workbook)}): open it, and save it as .xlsx anew"
            ) from error


def _said(error: Exception, workbook: Path) -> str:
    """The first line of what a library says, without the folder."""
    return shown(str(error).replace(str(workbook), workbook.name).partition("\n")[0], 200)


def _sheet(name: str, book: Book, wanted: str | None) -> SheetTexts:
    """The sheet to read: the one that is named, or the first that is not hidden."""
    if not book.paths:
        raise WorkbookError(f"{name} has no sheet with cells")
    title = wanted if wanted is not None else next(iter(book.visible or book.paths))
    if title not in book.paths:
        raise WorkbookError(
            f"{name} has no sheet {title!r}{hint(title, book.paths)}; it has {one_of(map(repr, book.paths))}"
        )
    return SheetTexts(name, title, [one for one in book.visible if one != title])


def _calculated(rows: Iterator[Row], found: SheetTexts) -> Iterator[Row]:
    """The rows.

    Raises:
        WorkbookError: A formula has no value, since no program has calculated it.
    """
    from openpyxl.utils import get_column_letter

    for number, cells in rows:
        for cell in cells:
            if cell.has_formula and not cell.is_text:
                raise WorkbookError(
                    f"{found.workbook}, {found.sheet}!{get_column_letter(cell.at + 1)}{number}: a formula that no program "
                    "has calculated yet: open the workbook in one and save it, or write the value"
                )
        yield number, cells


def _filled(rows: Iterator[Row], layout: Layout) -> Iterator[Row]:
    """The rows that have a value, without those to skip."""
    waiting: deque[Row] = deque()
    for number, cells in rows:
        if number <= layout.skip or all(cell.value in (None, "") for cell in cells):
            continue
        waiting.append((number, cells))
        if len(waiting) > layout.skip_footer:
            yield waiting.popleft()


def _names(found: SheetTexts, rows: Iterator[Row], layout: Layout) -> dict[int, str]:
    """The name of each column by its place in the row; with a header its row is taken."""
    from openpyxl.utils import get_column_letter

    if layout.header:
        _, cells = next(rows, (0, []))
        if not cells:
            raise WorkbookError(
                f"{found.workbook}: the sheet {found.sheet!r} is empty, without even a header"
            )
        texts = {cell.at: (_text(cell, ".")[0] or "").strip() for cell in cells}
        check_header(found.workbook, texts.values())
        named = [at for at, text in texts.items() if text]
        if not named:
            raise WorkbookError(
                f"{found.workbook}: the header of the sheet {found.sheet!r} has nothing but blanks: write `skip`, or "
                "`header: false`"
            )
        names = {at: texts.get(at) or f"column{at}" for at in range(min(named), max(named) + 1)}
    else:
        names = {at: f"column{at}" for at in range(_MOST_COLUMNS)}
    found.columns.update({name: get_column_letter(at + 1) for at, name in names.items()})
    return names


@dataclass
class _Reading:
    """Rows on their way to text."""

    found: SheetTexts
    names: dict[int, str]
    layout: Layout
    first: int = 0
    """The number of the first row; 0 before it is read."""
    last: int = 0

    def holds(self, cells: str) -> bool:
        """Whether a range of cells, such as `A2:A5`, is of rows and columns that were read."""
        from openpyxl.utils import range_boundaries

        left, top, right, bottom = range_boundaries(cells)
        is_column = any(left <= at + 1 <= right for at in self.names)
        return bool(self.first) and is_column and top <= self.last and bottom >= self.first

    def tables(self, rows: Iterator[Row], most_rows: int | None) -> "Iterator[pa.Table]":
        """The rows as columns of text, so many cells at once; at least one table."""
        rows = islice(rows if self.layout.header else self._first_decides(rows), most_rows)
        chunk: list[list[str | None]] = []
        numbers: list[int] = []
        for number, cells in rows:
            self.first, self.last = self.first or number, number
            numbers.append(number)
            chunk.append(self._texts(number, cells))
            if len(chunk) * len(self.names) >= _CELLS_AT_ONCE:
                yield self._table(numbers, chunk)
                chunk, numbers = [], []
        yield self._table(numbers, chunk)

    def _first_decides(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Without a header the first row tells how many columns there are."""
        number, cells = next(rows, (0, []))
        width = max((cell.at for cell in cells if cell.value is not None), default=-1) + 1
        if not width:
            raise WorkbookError(
                f"{self.found.workbook}: the sheet {self.found.sheet!r} is empty, without any row"
            )
        self.names = {at: self.names[at] for at in range(width)}
        self.found.columns = {name: self.found.columns[name] for name in self.names.values()}
        yield number, cells
        yield from rows

    def _texts(self, number: int, cells: list[Cell]) -> list[str | None]:
        from openpyxl.utils import get_column_letter

        texts: dict[int, str | None] = {}
        for cell in cells:
            if cell.value is None:
                continue
            text, kind = _text(cell, self.layout.decimal)
            if text in self.layout.null_values:
                continue
            name = self.names.get(cell.at)
            if name is None:
                if not self.found.beside:
                    letters = get_column_letter(cell.at + 1)
                    self.found.beside.append(f"{self.found.sheet}!{letters}{number}")
                continue
            texts[cell.at] = text
            self.found.kinds[name][kind] += 1
            known = self.found.errors[name] if kind == "error" else []
            # The first cells, and the first of each other error.
            if kind == "error" and (len(known) < _SHOWN or text not in dict(known).values()):
                known.append((self.found.cell(name, number), str(text)))
        return [texts.get(at) for at in self.names]

    def _table(self, numbers: list[int], chunk: list[list[str | None]]) -> "pa.Table":
        import pyarrow as pa

        columns = list(zip(*chunk, strict=True)) if chunk else [()] * len(self.names)
        arrays = {
            name: pa.array(values, pa.string())
            for name, values in zip(self.names.values(), columns, strict=True)
        }
        return pa.table({**arrays, ROW: pa.array(numbers, pa.int64())})


def _text(cell: Cell, decimal: str) -> tuple[str | None, str]:
    """A cell's value as text, and whether it is a text, an error or something else."""
    value = cell.value
    if isinstance(value, str):
        return value, "error" if cell.is_error else "text"
    if value is None:
        return None, "none"
    if isinstance(value, bool):
        return str(value).lower(), "value"
    if isinstance(value, int | float):
        return _number(value).replace(".", decimal), "value"
    if isinstance(value, datetime):
        is_day = value.time() == time() and not cell.has_hours
        return (str(value.date()) if is_day else value.isoformat(" ")), "value"
    if isinstance(value, date):
        return value.isoformat(), "value"
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}", "text"
    if isinstance(value, time):
        return value.replace(microsecond=0).isoformat(), "text"
    return str(value), "text"


def _number(value: float) -> str:
    """All digits of a number: Excel has no codes such as `1E5`, and beyond 64 bits no whole numbers."""
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return f"{text}.0" if "." not in text and not -(2**63) <= value < 2**63 else text
