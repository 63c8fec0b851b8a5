"""How a CSV file is laid out, as its first lines tell: delimiter, quotes, preamble, header, footer."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.base.texts import in_quotes
from factory.data.sources.text_forms import DATE, NO_VALUE

_MARKS = (",", ";", "\t", "|")
_WEAK_MARKS = (" ", ":")
"""What is in many texts too: looked at where no other mark makes columns."""
_COMMENTS = ("#", "%")
_ALIKE = 0.9
"""The share of lines with the same number of values that makes a table."""
_PREAMBLE = 50
_FOOTER = 5
_HEADER_ROWS = 200
_NUMBER = re.compile(rf"[+-]?[$€£¥]? ?[0-9][0-9.,' ]*([eE][+-]?[0-9]+)? ?[%$€£¥]?|{DATE}")
_NAME = re.compile(r"[^\W\d]\w*([ ._-]\w+)*", re.ASCII)
_SUM = re.compile("(grand |sub)?total|sums?$|summe|gesamt", re.IGNORECASE)
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blank", ":": "colon"}


@dataclass(frozen=True)
class Layout:
    """What `source` has to be told of a file, beyond what holds for most."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `CsvDialect` that are not as they are by default."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """What tells so, by field; of some that are as by default too."""
    delimiter: str | None = None
    """What is between values; None where there is one value a line."""
    is_aligned: bool = False
    """Whether columns are lined up by several blanks, which is no CSV."""


@dataclass(frozen=True)
class _Row:
    line: int
    """The lines before it."""
    cells: Sequence[str]


@dataclass(frozen=True)
class _Reading:
    """Lines read with one delimiter."""

    delimiter: str
    rows: Sequence[_Row]
    before: int
    """Rows of a preamble."""
    after: int
    """Rows of a footer."""
    width: int
    alike: float

    @property
    def table(self) -> Sequence[_Row]:
        return self.rows[self.before : len(self.rows) - self.after]


def layout_of(lines: Sequence[str], *, is_whole: bool) -> Layout:
    """The layout that some first lines of a file have.

    Args:
        lines: With their ends.
        is_whole: Whether the file has no others; only then its last lines are known.
    """
    quote = _quote(lines)
    options: dict[str, Any] = {} if quote == '"' else {"quote": quote}
    reasons = {} if quote == '"' else {"quote": f"values stand between {quote} and {quote}"}
    text = "".join(lines)
    # A backslash at the end of a value is one of Windows' paths.
    if quote * 2 not in text and re.search(rf"\\{quote}[^,;\t|\r\n]", text):
        options["escape"], reasons["escape"] = (
            "\\",
            f"{quote} within values is written as \\{quote}",
        )
    comment = next((mark for mark in _COMMENTS if _is_comment(mark, lines, quote)), None)
    if comment:
        options["comment"] = comment
        count = sum(line.startswith(comment) for line in lines)
        reasons["comment"] = (
            f"{count} of the first {len(lines)} lines begin with {comment}, and are no rows"
        )
    best = _best(_without(comment, lines), quote, is_whole=is_whole)
    if best is None:
        return _one_column(lines, comment, options, reasons)
    reasons["delimiter"] = (
        f"{_NAMES.get(best.delimiter, best.delimiter)}: makes {best.width} values of "
        f"{'every line' if best.alike == 1 else f'{best.alike:.1%} of the lines'}"
    )
    if best.delimiter not in _MARKS or _first_line_misleads(lines, comment, best):
        options["delimiter"] = best.delimiter
    _add_header(best, options, reasons)
    if best.after:
        start = best.rows[len(best.rows) - best.after].line
        options["skip_footer"] = len(lines) - start
        reasons["skip_footer"] = f"the last lines are no rows: {_shown_line(lines[start])}"
    return Layout(options, reasons, best.delimiter)


def _add_header(best: _Reading, options: dict[str, Any], reasons: dict[str, str]) -> None:
    first, *others = best.table
    what, why = _first_row(first.cells, [row.cells for row in others[:_HEADER_ROWS]])
    skip = others[0].line if what == "neither" and others else first.line if best.before else 0
    if skip:
        options["skip"] = skip
        lead = best.rows[0].cells if best.before else first.cells
        reasons["skip"] = (
            f"{'line 1 is' if skip == 1 else f'the first {skip} lines are'} neither names nor rows: "
            f"{_shown_line(best.delimiter.join(lead))}"
        )
    if what == "header":
        reasons["header"] = f"line {skip + 1}: {why}"
    else:
        options["header"] = False
        reasons["header"] = why


def _first_row(cells: Sequence[str], others: Sequence[Sequence[str]]) -> tuple[str, str]:
    """Whether a first row is the `header`, a row of `data`, or `neither`; and why."""
    cells = [cell.strip() for cell in cells]
    if not others:
        is_named = all(_NAME.fullmatch(cell) for cell in cells)
        return (
            ("header", "names, and no row below")
            if is_named
            else ("data", "there is one row, and no name in it")
        )
    numeric = {
        at for at in range(len(cells)) if _is_numeric([row[at] for row in others if at < len(row)])
    }
    numbers = [cells[at] for at in numeric if _is_number(cells[at])]
    words = {
        at
        for at, cell in enumerate(cells)
        if cell and not _is_number(cell) and not _is_missing(cell)
    }
    texts = [cells[at] for at in sorted(numeric & words)]
    if texts and (not numbers or _are_counted(numbers)):
        return "header", f"{_some(texts)} {'is' if len(texts) == 1 else 'are'} above numbers"
    if texts and len(texts) >= len(numbers):
        return "neither", "there are no names: the first line has both numbers and words"
    if numbers and not (_are_counted(numbers) and words):
        return "data", "there are no names: the first line has numbers as those below"
    repeated = [
        cell
        for at, cell in enumerate(cells)
        if cell and any(at < len(row) and row[at].strip() == cell for row in others)
    ]
    if repeated or len({cell.lower() for cell in cells}) < len(cells) - cells.count(""):
        return "data", f"there are no names: {_some(repeated or cells)} come again below"
    return "header", "differs from all values below"


def _is_numeric(values: Sequence[str]) -> bool:
    known = [value.strip() for value in values if value.strip() and not _is_missing(value)]
    return bool(known) and sum(map(_is_number, known)) >= 0.8 * len(known)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _is_missing(text: str) -> bool:
    return text.strip().lower() in NO_VALUE


def _are_counted(numbers: Sequence[str]) -> bool:
    """Whether numbers are such as name columns: years, or 1, 2, 3."""
    if len(numbers) < 2 or not all(re.fullmatch("[0-9]{1,4}", number) for number in numbers):
        return False
    values = sorted(map(int, numbers))
    steps = {after - before for before, after in itertools.pairwise(values)}
    return len(set(values)) == len(values) and (
        (values[0] >= 1800 and values[-1] <= 2200) or (len(values) > 2 and steps == {1})
    )


def _best(numbered: Sequence[tuple[int, str]], quote: str, *, is_whole: bool) -> _Reading | None:
    for marks in (_MARKS, _WEAK_MARKS):
        found = [
            reading
            for mark in marks
            if (reading := _read(numbered, mark, quote, is_whole=is_whole)) is not None
        ]
        if found:
            return max(found, key=lambda one: (round(one.alike, 2), -one.before, one.width))
    return None


def _read(
    numbered: Sequence[tuple[int, str]], delimiter: str, quote: str, *, is_whole: bool
) -> _Reading | None:
    """The lines read with a delimiter, if most have the same number of values, and more than one."""
    rows = list(_rows(numbered, delimiter, quote))
    if not is_whole:
        rows = rows[:-1] or rows  # the last line may be cut
    if not rows:
        return None
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    fits = [len(row.cells) == width for row in rows]
    _leave_out_padded(rows, fits, is_whole=is_whole)
    if True not in fits:
        return None
    before = fits.index(True)
    after = fits[::-1].index(True) if is_whole else 0
    table = fits[before : len(fits) - after]
    alike = sum(table) / len(table)
    # A few lines after a long preamble say little about what is a row.
    is_short = before <= min(_PREAMBLE, len(rows) / 2) and after <= min(_FOOTER, len(rows) / 4)
    if width < 2 or alike < _ALIKE or not is_short:
        return None
    if delimiter in _WEAK_MARKS and any("" in row.cells for row in rows):
        return None
    return _Reading(delimiter, rows, before, after, width, alike)


def _leave_out_padded(rows: Sequence[_Row], fits: list[bool], *, is_whole: bool) -> None:
    """Mark lines of a title or a sum that have as many delimiters as all others: spreadsheets write them so."""
    full = [
        at for at, row in enumerate(rows) if fits[at] and all(cell.strip() for cell in row.cells)
    ]
    lead = rows[: full[0]] if full else []
    if all(_filled(row) <= max(1, len(row.cells) // 3) for row in lead):
        fits[: len(lead)] = [False] * len(lead)
    last = rows[-1]
    if is_whole and _SUM.match(last.cells[0].strip()) and _filled(last) < len(last.cells):
        fits[-1] = False


def _filled(row: _Row) -> int:
    return sum(bool(cell.strip()) for cell in row.cells)


def _rows(numbered: Sequence[tuple[int, str]], delimiter: str, quote: str) -> Iterator[_Row]:
    lines = [line for _, line in numbered]
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote)
    start = 0
    try:
        for cells in reader:
            if cells:
                yield _Row(numbered[start][0], cells)
            start = reader.line_num
    except csv.Error:
        return  # a value of more than 128 kB: what came before will do


def _without(comment: str | None, lines: Sequence[str]) -> list[tuple[int, str]]:
    """The lines that are no comments, with their numbers."""
    return [
        (at, line) for at, line in enumerate(lines) if not (comment and line.startswith(comment))
    ]


def _is_comment(mark: str, lines: Sequence[str], quote: str) -> bool:
    """Whether lines that begin with a mark are no rows: they have not as many values as the others."""
    marked = [(at, line) for at, line in enumerate(lines) if line.startswith(mark)]
    others = _without(mark, lines)
    if not marked or len(marked) > len(others):
        return False
    best = _best(others, quote, is_whole=False)
    if best is None:
        return False
    return all(len(row.cells) != best.width for row in _rows(marked, best.delimiter, quote))


def _quote(lines: Sequence[str]) -> str:
    text = "".join(lines)
    double = len(re.findall(r'(?:^|[,;\t|])"', text, re.MULTILINE))
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", text, re.MULTILINE))
    return "'" if single > 1 and not double else '"'


def _first_line_misleads(lines: Sequence[str], comment: str | None, best: _Reading) -> bool:
    """Whether the first line that is read has more of another mark, by which sources go."""
    skip = best.rows[best.before].line
    first = next((line for at, line in _without(comment, lines) if at >= skip), "")
    outside = "".join(first.split('"')[::2])
    return max(_MARKS, key=outside.count) != best.delimiter


def _one_column(
    lines: Sequence[str], comment: str | None, options: dict[str, Any], reasons: dict[str, str]
) -> Layout:
    cells = [line.strip() for _, line in _without(comment, lines) if line.strip()]
    widths = {len(cell.split()) for cell in cells[:-1] or cells}
    is_aligned = len(widths) == 1 and max(widths) > 1 and any("  " in cell for cell in cells)
    if is_aligned:
        reasons["delimiter"] = f"none: {max(widths)} values a line are lined up by several blanks"
    else:
        reasons["delimiter"] = "none: there is one value a line"
    if not cells:
        return Layout(options, reasons)
    first = cells[0].split() if is_aligned else cells[:1]
    below = [cell.split() if is_aligned else [cell] for cell in cells[1:_HEADER_ROWS]]
    what, why = _first_row(first, below)
    reasons["header"] = f"line 1: {why}" if what == "header" else why
    if what != "header":
        options["header"] = False
    return Layout(options, reasons, is_aligned=is_aligned)


def _some(cells: Sequence[str]) -> str:
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return ", ".join(in_quotes(cell, 20) for cell in cells[:3]) + more


def _shown_line(line: str) -> str:
    return in_quotes(line.strip(), 40)
