"""What is wrong with the first lines of CSV files, and what is in doubt about them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.texts import did_you_mean, one_of
from factory.data.sources.text_forms import DATE

_NUMBER = re.compile(r"[+-]?[0-9]+")
_VALUE = re.compile(rf"[+-]?[0-9]*[.,][0-9]+|{DATE}")
_YEAR = re.compile("(19|20)[0-9]{2}")
_SHOWN = 3
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_OTHERS = {
    b"PK\x03\x04": "a workbook or an archive: write `type: excel` for a workbook, and unpack an archive",
    b"\xd0\xcf\x11\xe0": "an old workbook (.xls): save it as .xlsx, and write `type: excel`",
    b"PAR1": "a Parquet file: write `type: parquet`",
    b"%PDF": "a PDF document",
}
"""How files begin that are none of text."""
_PAGE = re.compile(rb"\s*<(!doctype html|html)\b", re.IGNORECASE)


def check_start(file: Path, start: bytes, encoding: str) -> None:
    """Refuse a file that begins as no CSV file in the encoding does.

    Args:
        file: Its name is told.
        start: Its first bytes, unpacked.
        encoding: What it is read in.

    Raises:
        TerminalError: It is something else; says what to write.
    """
    start = start.removeprefix(b"\xef\xbb\xbf")
    what = next((told for mark, told in _OTHERS.items() if start.startswith(mark)), None)
    if _PAGE.match(start):
        what = "a web page, as servers send it in place of a file: look at it, and bring the file"
    if what is not None:
        raise TerminalError(f"{file.name} is {what}")
    if start.startswith(_UTF_16) and "16" not in encoding:
        raise TerminalError(
            f"{file.name} is in UTF-16, and is read as {encoding}: write `encoding: utf-16`"
        )
    if match := re.match(rb"sep=(.)\r?\n", start):
        mark = match[1].decode("latin-1")
        raise TerminalError(
            f"{file.name}: the first line, 'sep={mark}', is for Excel alone: write `skip: 1` and `delimiter: {mark!r}`"
        )


def doubts_of_headers(headers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is in doubt about the names of columns.

    Args:
        headers: The names in the first line of each file.
    """
    for file, names in headers.items():
        stripped = [name.strip() for name in names]
        if values := _values(stripped):
            yield (
                f"{file}: the header has {one_of(map(repr, values), _SHOWN)}, which are values rather than names: write "
                "`header: false` if the first line is a row"
            )
            break
        # One at the end comes of a delimiter behind the last value.
        if nameless := [at for at, name in enumerate(stripped[:-1]) if not name and at]:
            called = one_of((f"'column{at}'" for at in nameless), _SHOWN)
            yield (
                f"{file}: columns without a name are called {called}: name them in the file; where two signs stand "
                "between values, one `delimiter` makes a column of what is between them"
            )
            break
    yield from _other_names(headers)


def _values(names: Sequence[str]) -> list[str]:
    """Names that are rather the values of a row."""
    found = [name for name in names if _VALUE.fullmatch(name)]
    whole = [name for name in names if _NUMBER.fullmatch(name) and not _YEAR.fullmatch(name)]
    return found or (whole if len(whole) < len(list(filter(None, names))) else [])


def _other_names(headers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A file that lacks a column of the first one, and has another: that is rather renamed than new."""
    if len(headers) < 2:
        return
    (first, names), *others = headers.items()
    known = {name.strip().lower(): name.strip() for name in names if name.strip()}
    for file, found in others:
        own = {name.strip().lower(): name.strip() for name in found if name.strip()}
        lacks = [known[name] for name in known if name not in own]
        more = [own[name] for name in own if name not in known]
        if lacks and more:
            meant = did_you_mean(more[0], lacks)
            hint = f" ({meant})" if meant else ""
            yield (
                f"{file} has {one_of(map(repr, more), _SHOWN)}{hint}, and not {one_of(map(repr, lacks), _SHOWN)} as {first}: "
                "columns are matched by their names, and have no value where a file lacks them. Name them alike, or write "
                "`header: false` if a file has no header"
            )
            return
