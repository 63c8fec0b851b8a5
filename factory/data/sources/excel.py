"""`source: {type: excel}`."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import Text
from factory.data.sources.files import FilesToRead
from factory.data.sources.text_files import Texts, TextSource

if TYPE_CHECKING:
    from pathlib import Path

    from factory.data.sources.workbooks import SheetTexts

log = logging.getLogger(__name__)

NEEDS = ("openpyxl", "defusedxml")
"""The packages of the extra `excel`."""
_SOME_ROWS = 2000


class ExcelSource(TextSource):
    """One sheet of workbooks (.xlsx); what a cell is counts, and what differs within a column is told as for `csv`."""

    type: Literal["excel"]
    sheet: Text | None = None
    """The name of the sheet; the first one that is not hidden when left out."""
    header: bool = True
    """Whether the first row has the columns' names."""

    advice: ClassVar[str] = "\nCorrect the workbook, or declare the column's type in `columns`"

    @rule
    def _installed(self) -> Broken:
        yield from missing_packages("`type: excel`", "type")

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return {**super().written_how(), "sheet": self.sheet, "header": self.header}

    def texts(self, read: FilesToRead) -> Texts:
        """See `TextSource.texts`."""
        from factory.data.sources.text_columns import TextColumns
        from factory.data.sources.workbooks import ROW, Layout, write_texts
        from factory.lake.engine import literal, quote

        layout = Layout(
            self.sheet, self.header, self.skip, self.skip_footer, self.decimal, self.null_values
        )
        sheets: dict[Path, SheetTexts] = {}
        for number, file in enumerate(read.files):
            target = read.scratch / f"{number}.parquet"
            sheets[target] = write_texts(file, layout, target, read.looked_at)
        parquet = (
            f"read_parquet({literal([str(target) for target in sheets])}, union_by_name = true)"
        )
        query = f"select * exclude ({quote(ROW)}) from {parquet}"  # noqa: S608
        names = list(dict.fromkeys(name for one in sheets.values() for name in one.columns))
        columns = TextColumns(
            read.connection, query, f"from ({query}) limit {_SOME_ROWS}", self.writing
        )
        return Texts(
            names,
            columns,
            partial(self._place, read, sheets),
            doubts=self._doubts(list(sheets.values())),
            told=_errors(list(sheets.values())),
            are_texts=_texts_only(list(sheets.values())),
        )

    def _doubts(self, sheets: "Sequence[SheetTexts]") -> list[str]:
        for one in sheets:
            if self.sheet is None and one.others:
                log.info(
                    "%s: reading the sheet %r; others: %s", one.workbook, one.sheet, one.others
                )
        return [doubt for one in sheets for doubt in one.doubts]

    def _place(
        self, read: FilesToRead, sheets: "Mapping[Path, SheetTexts]", column: str, value: str
    ) -> str:
        from factory.data.sources.workbooks import ROW
        from factory.lake.engine import literal, quote

        for file, sheet in sheets.items():
            if column in sheet.columns:
                rows = read.connection.sql(
                    f"select min({quote(ROW)}) from read_parquet({literal(str(file))}) "  # noqa: S608
                    f"where {quote(column)} = {literal(value)}"
                ).fetchall()
                if rows != [(None,)]:
                    return f"{sheet.workbook}, {sheet.cell(column, rows[0][0])}: "
        return ""


def missing_packages(what: str, at: str) -> Broken:
    """What is wrong with a section where the extra is not installed."""
    if any(find_spec(name) is None for name in NEEDS):
        yield PydanticCustomError(
            "not_installed",
            '{what} needs the extra `excel`: pip install "ml-dag-factory[excel]"',
            {"what": what, "at": (at,)},
        )


def _errors(sheets: "Sequence[SheetTexts]") -> dict[str, frozenset[str]]:
    """The errors in cells, by column."""
    found: dict[str, frozenset[str]] = {}
    for sheet in sheets:
        for name, cells in sheet.errors.items():
            found[name] = found.get(name, frozenset()) | {error for _, error in cells}
    return found


def _texts_only(sheets: "Sequence[SheetTexts]") -> frozenset[str]:
    """Columns of which every cell is a text, or an error: numbers and dates among them are codes, as they are."""
    found: dict[str, set[str]] = {}
    for sheet in sheets:
        for name, kinds in sheet.kinds.items():
            found.setdefault(name, set()).update(kinds)
    return frozenset(name for name, kinds in found.items() if "value" not in kinds)
