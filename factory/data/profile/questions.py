"""What only a person can decide about files: in which of several ways dates are to be read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.base.texts import either, in_quotes, one_of, shown

if TYPE_CHECKING:
    from factory.data.profile.csv_files import CsvReading

_READ_AS = re.compile(r"strptime\(.*, '([^']+)'\)")


@dataclass(frozen=True)
class DateQuestion:
    """How dates are written that can be read in several ways; one answer for all of a source."""

    field: str
    """Of the source: `date_format` or `timestamp_format`."""
    formats: Sequence[str]
    """The possible answers, in strptime's words."""
    columns: Sequence[str]
    """The columns that are read by the answer."""
    example: str
    """One of their values."""

    @property
    def kind(self) -> str:
        """The columns' DuckDB type, whatever the answer is."""
        return "DATE" if self.field == "date_format" else "TIMESTAMP"

    @property
    def text(self) -> str:
        """The question in one line."""
        are = "is" if len(self.columns) == 1 else "are"
        answers = either([f"'{form}'" for form in self.formats])
        example = in_quotes(self.example, 20)
        names = one_of((shown(name, 40) for name in self.columns), 3)
        return f"how {names} {are} written, such as {example}: write {answers}"


def date_question(reading: "CsvReading") -> DateQuestion | None:
    """The question whose answer reads all dates of some files; None where there is none, or one answer is not enough."""
    if not reading.ambiguous:
        return None
    [first, *others] = reading.ambiguous.values()
    formats = set(first.formats)
    if any(set(other.formats) != formats for other in others) or any(
        form not in formats for form in _formats(reading)
    ):
        return None
    field = "timestamp_format" if "%H" in first.formats[0] else "date_format"
    if field in reading.options:
        return None
    return DateQuestion(field, first.formats, tuple(reading.ambiguous), first.example)


def _formats(reading: "CsvReading") -> Iterator[str]:
    """The formats that other columns of dates are read by."""
    for one in reading.readings.values():
        if found := _READ_AS.search(one.expression):
            yield found[1]
