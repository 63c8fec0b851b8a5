"""Workbooks and files of fixed width that nobody has described: where their rows begin, and where columns stand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.texts import in_quotes
from factory.data.profile.csv_files import CsvReading, as_they_lie, read_as
from factory.data.profile.layout import Layout
from factory.data.profile.samples import Sample
from factory.data.sources.excel import ExcelSource
from factory.data.sources.files import FilesToRead
from factory.data.sources.fixed_width import FixedWidthSource
from factory.data.sources.source import KnownTypes

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HEAD_LINES = 1000
_HEAD_ROWS = 20
_SOME_ROWS = 1000
"""Rows that options are tried on first."""


def read_workbooks(
    files: Sequence[Path], scratch: Path, connection: "DuckDBPyConnection", most_rows: int
) -> CsvReading:
    """Find out how the first sheet of some workbooks is written.

    Args:
        files: The workbooks.
        scratch: A folder for copies.
        connection: To look into them.
        most_rows: How many of the first rows of each are looked at.

    Raises:
        TerminalError: A file is no workbook.
    """
    from factory.data.sources.workbooks import first_rows

    def source_of(options: Mapping[str, Any]) -> ExcelSource:
        return ExcelSource.model_validate(
            {"type": "excel", "path": "sample", "on_doubt": "text", **options}
        )

    options, reasons = {}, {}
    rows = first_rows(files[0], _HEAD_ROWS)
    widest = max((len(texts) for _, texts in rows), default=0)
    for at, (number, texts) in enumerate(rows):
        if len(texts) * 2 > widest:
            if at:
                options["skip"] = number - 1
                reasons["skip"] = f"row {rows[0][0]} is a title: {in_quotes(rows[0][1][0], 40)}"
            break
    read = FilesToRead(connection, files, KnownTypes(), {}, scratch)
    return read_as(read, source_of, Layout(options, reasons), (_SOME_ROWS, most_rows))


def read_fixed_width(sample: Sample, scratch: Path, connection: "DuckDBPyConnection") -> CsvReading:
    """Find out where the columns of text files stand: between places that are blank in all lines.

    Args:
        sample: Copies of the files.
        scratch: A folder for further copies.
        connection: To look into them.

    Raises:
        TerminalError: The files cannot be read.
    """

    def source_of(options: Mapping[str, Any]) -> FixedWidthSource:
        return FixedWidthSource.model_validate(
            {"type": "fixed_width", "path": "sample", "on_doubt": "text", **options}
        )

    lines = [line.rstrip() for line in sample.lines[:_HEAD_LINES] if line.strip()]
    spans = _spans(lines)
    names, has_header = _names(lines, spans)
    options: dict[str, Any] = {
        "fields": {
            name: f"{first}-{last}" for name, (first, last) in zip(names, spans, strict=True)
        }
    }
    reasons = {"fields": "the places between them are blank in all lines that were looked at"}
    if has_header:
        options["skip"] = 1
        reasons["skip"] = "line 1 has the names of the columns"
    read = FilesToRead(connection, sample.files, KnownTypes(), {}, scratch)
    found = read_as(read, source_of, Layout(options, reasons))
    told, why = as_they_lie(sample, found.options, found.reasons)
    return CsvReading(
        told,
        why,
        found.readings,
        found.ambiguous,
        found.named_dates,
        found.settled,
        found.layout,
        found.source,
    )


def _spans(lines: Sequence[str]) -> list[tuple[int, int]]:
    """The first and the last place of each run of places that are not blank in some line."""
    width = max(map(len, lines))
    used = [False] * (width + 1)
    for line in lines:
        for at, sign in enumerate(line):
            used[at] = used[at] or not sign.isspace()
    spans, start = [], None
    for at, is_used in enumerate(used):
        if is_used and start is None:
            start = at
        elif not is_used and start is not None:
            spans.append((start + 1, at))
            start = None
    return spans


def _names(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> tuple[list[str], bool]:
    """The columns' names, and whether the first line has them."""
    first = [lines[0][start - 1 : end].strip() for start, end in spans]
    others = "".join(lines[1:])
    is_header = (
        all(first)
        and len({name.lower() for name in first}) == len(first)
        and not any(sign.isdigit() for sign in lines[0])
        and any(sign.isdigit() for sign in others)
    )
    return (first, True) if is_header else ([f"column{at}" for at in range(len(spans))], False)
