"""The sheets of a workbook and their cells, of which only those that have something are made.

openpyxl reads what a workbook has beside its cells. Its cells take it too long: each is first a tree of XML in pure
Python, since defusedxml needs that; a sheet that does not say its size is read as a whole before it is read; and values
and formulas are two readings.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from xml.parsers import expat

if TYPE_CHECKING:
    from openpyxl.reader.excel import ExcelReader

_CHUNK = 1 << 16
_MOST_COLUMNS = 16_384
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ROW, _CELL, _VALUE, _FORMULA, _INLINE, _TEXT, _PHONETIC = (
    f"{_MAIN} {name}" for name in ("row", "c", "v", "f", "is", "t", "rPh")
)


class CellsError(ValueError):
    """A sheet that is not written as workbooks are."""


class Cell(NamedTuple):
    """A cell that has a value or a formula."""

    at: int
    """The place of its column, from 0."""
    value: Any
    """What it shows, in Python's types; None where a formula has no value."""
    is_error: bool = False
    has_hours: bool = False
    """Whether a point in time is shown with its hours."""
    is_text: bool = False
    """Whether it says so itself, also where the text is empty."""
    has_formula: bool = False


Row = tuple[int, list[Cell]]
"""The number of a row, from 1, and its cells."""


class Book:
    """The sheets of an open workbook that have cells."""

    def __init__(self, reader: "ExcelReader") -> None:
        self._reader = reader
        found = {
            sheet.name: (rel.target, sheet.state == "visible")
            for sheet, rel in reader.parser.find_sheets()
            if rel.target in reader.valid_files and "chartsheet" not in rel.Type
        }
        self.paths = {name: path for name, (path, _) in found.items()}
        """Where each sheet is within the file."""
        self.visible = [name for name, (_, is_visible) in found.items() if is_visible]
        """The sheets that are not hidden."""

    def rows(self, sheet: str) -> Iterator[Row]:
        """The rows of a sheet in which something is written.

        Raises:
            CellsError: The sheet is not written as sheets are.
            ExpatError: It is no XML.
        """
        reading = _SheetReading(self._reader)
        with self._reader.archive.open(self.paths[sheet]) as file:
            yield from reading.rows(file)


@contextmanager
def opened(workbook: Path) -> Iterator[Book]:
    """A workbook whose sheets are read one by one."""
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet

    # Of a path it would look at the suffix.
    with workbook.open("rb") as file:
        reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
        with reader.archive:
            reader.read_manifest()
            reader.read_strings()
            reader.read_workbook()
            apply_stylesheet(reader.archive, reader.wb)
            yield Book(reader)


class _SheetReading:
    """The XML of a sheet, piece by piece."""

    def __init__(self, reader: "ExcelReader") -> None:
        self._strings = reader.shared_strings
        self._values = _Values(reader.wb)
        self._done: deque[Row] = deque()
        self._cells: list[Cell] = []
        self._row = 0
        self._at = -1
        self._kind = "n"
        self._style = 0
        self._texts: list[str] = []
        self._value: str | None = None
        self._has_formula = False
        self._in_inline = self._in_phonetic = False
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._texts.append
        # Sheets have no document type; one that has may make anything of its entities.
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser

    def rows(self, file: IO[bytes]) -> Iterator[Row]:
        """The rows, each as soon as it is read."""
        while chunk := file.read(_CHUNK):
            self._parser.Parse(chunk, False)  # noqa: FBT003 - it takes no name
            while self._done:
                yield self._done.popleft()
        self._parser.Parse(b"", True)  # noqa: FBT003
        yield from self._done

    def _refuse(self, *_: object) -> None:
        raise CellsError("a sheet has a document type, which no program writes")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _CELL:
            reference = attributes.get("r")
            self._at = _column(reference) if reference else self._at + 1
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", 0))
            self._value, self._has_formula = None, False
        elif name == _ROW:
            number = attributes.get("r")
            self._row = int(float(number)) if number else self._row + 1
            self._at, self._cells = -1, []
        elif name == _FORMULA:
            self._has_formula = True
        elif name == _INLINE:
            self._in_inline = True
        elif name == _PHONETIC:
            self._in_phonetic = True
        # Blanks between elements belong to nobody.
        self._texts.clear()

    def _end(self, name: str) -> None:
        if name == _VALUE:
            self._value = "".join(self._texts)
        elif name == _TEXT and self._in_inline and not self._in_phonetic:
            self._value = (self._value or "") + "".join(self._texts)
        elif name == _CELL:
            if self._value or self._has_formula:
                self._cells.append(self._cell())
        elif name == _ROW:
            if self._cells:
                self._done.append((self._row, self._cells))
                self._cells = []
        elif name == _INLINE:
            self._in_inline = False
        elif name == _PHONETIC:
            self._in_phonetic = False
        self._texts.clear()

    def _cell(self) -> Cell:
        text, kind, formula = self._value, self._kind, self._has_formula
        if not text:
            return Cell(self._at, None, is_text=kind != "n", has_formula=formula)
        if kind == "n":
            return self._values.number(self._at, text, self._style)
        if kind == "s":
            return Cell(self._at, self._strings[int(text)], is_text=True)
        if kind == "b":
            return Cell(self._at, bool(int(text)))
        if kind == "d":
            return self._values.iso(self._at, text, self._style)
        return Cell(self._at, text, is_error=kind == "e", is_text=kind != "e")


class _Values:
    """What numbers of cells are, by the formats of the cells."""

    def __init__(self, book: Any) -> None:
        self._epoch = book.epoch
        self._dates: frozenset[int] = frozenset(book._date_formats)  # noqa: SLF001 - openpyxl keeps them to itself
        self._durations: frozenset[int] = frozenset(book._timedelta_formats)  # noqa: SLF001
        self._with_hours = frozenset(one for one in self._dates if _has_hours(book, one))

    def number(self, at: int, text: str, style: int) -> Cell:
        """A number, a date or a duration."""
        value = float(text) if "." in text or "e" in text or "E" in text else int(text)
        if style not in self._dates:
            return Cell(at, value)
        from openpyxl.utils.datetime import from_excel

        try:
            date = from_excel(value, self._epoch, timedelta=style in self._durations)
        except (OverflowError, ValueError):
            # As Excel shows it: the number is outside of its dates.
            return Cell(at, "#VALUE!", is_error=True)
        return Cell(at, date, has_hours=style in self._with_hours)

    def iso(self, at: int, text: str, style: int) -> Cell:
        """A date that is written as ISO has it."""
        from openpyxl.utils.datetime import from_ISO8601

        return Cell(at, from_ISO8601(text), has_hours=style in self._with_hours)


def _has_hours(book: Any, style: int) -> bool:
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

    number = book._cell_styles[style].numFmtId  # noqa: SLF001
    if number < BUILTIN_FORMATS_MAX_SIZE:
        return "h" in BUILTIN_FORMATS.get(number, "").lower()
    return "h" in book._number_formats[number - BUILTIN_FORMATS_MAX_SIZE].lower()  # noqa: SLF001


def _column(reference: str) -> int:
    """The place of a column, from 0, of a cell such as `AB12`."""
    place = 0
    for sign in reference:
        if sign.isdigit():
            break
        place = place * 26 + ord(sign) - 64
    if not 0 < place <= _MOST_COLUMNS:
        raise CellsError(f"{reference!r} is no cell of a sheet")
    return place - 1
