"""What the texts of a column are: numbers, dates, or texts; and which of them are in doubt.

All rows are looked at, not a sample. A type is taken if every value has it and only one reading is possible. What is
nearly so is a doubt: whoever wrote the file, or reads it, says what was meant.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.base.texts import either
from factory.lake.engine import literal, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEARLY = 0.8
"""The share of values that make a column a column of numbers, or of dates, with exceptions."""
_SHOWN = 5
"""Values that a message shows."""

_INTEGER = r"[+-]?[0-9]+"
_PADDED = r"[+-]?0[0-9]+"
_POWER = r"[0-9]+[eE][0-9]+"
_DATE = r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}"
_TIME = r"[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
_ZONE = r"( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))"
_ISO = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_DECORATED = r"[+-]?[$€£¥]? ?[+-]?([0-9]{1,3}([,. '][0-9]{3})+|[0-9]+)([.,][0-9]+)?([eE][+-]?[0-9]+)? ?[$€£¥%]?"
_INFINITE = r"[+-]?(inf|infinity)"

# Dates that begin with a day, or with a month; with points between them it is always the day.
_ORDERS = {
    "/": ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d"),
    "-": ("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    ".": ("%d.%m.%Y", "%Y.%m.%d", "%d.%m.%y"),
}
_TIMES = ("", " %H:%M", " %H:%M:%S")


@dataclass(frozen=True)
class Writing:
    """How numbers and dates are written, as far as somebody has said so."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    timestamp_format: str | None = None

    @property
    def number(self) -> str:
        """The pattern of a number."""
        point = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.thousands:
            whole = f"([0-9]{{1,3}}({re.escape(self.thousands)}[0-9]{{3}})+|[0-9]+)"
        return rf"[+-]?({whole}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"

    def plain(self, text: str) -> str:
        """The SQL for a number as SQL writes it."""
        if self.thousands:
            text = f"replace({text}, {literal(self.thousands)}, '')"
        return text if self.decimal == "." else f"replace({text}, {literal(self.decimal)}, '.')"


@dataclass(frozen=True)
class Doubt:
    """A column that is something but for a few values."""

    column: str
    what: str
    """What the others are: `numbers`, `dates`."""
    share: float
    examples: Sequence[tuple[str, int]]
    """Values that are not, and how often each comes, the most frequent first."""
    others: int
    """How many further such values there are."""
    advice: str

    def __str__(self) -> str:
        shown = ", ".join(f"{value!r} ({count:,} times)" for value, count in self.examples)
        more = f" and {self.others:,} other values" if self.others else ""
        return (
            f"{self.column!r} is {100 * self.share:.4g} % {self.what}, and stays text because of {shown}"
            f"{more}: {self.advice}"
        )


class AmbiguousDatesError(TerminalError):
    """Dates that can be read in more than one way."""


@dataclass(frozen=True)
class Reading:
    """How a column is read: the SQL that makes it of its text, and what is in doubt about it."""

    expression: str
    doubt: Doubt | None = None


@dataclass(frozen=True)
class TextColumns:
    """Columns of text that are looked at.

    Args:
        connection: Where the rows are.
        query: The rows, each column as text.
        writing: How numbers and dates are written.
    """

    connection: "DuckDBPyConnection"
    query: str
    writing: Writing

    def readings(self, names: Sequence[str]) -> Mapping[str, Reading]:
        """How each of the columns is read.

        Raises:
            AmbiguousDatesError: Dates of a column may begin with the day or with the month.
        """
        if not names:
            return {}
        facts = self._facts(names)
        return {name: self._reading(name, facts[name]) for name in names}

    def _facts(self, names: Sequence[str]) -> dict[str, "_Facts"]:
        measures = [measure for name in names for measure in self._measures(name)]
        row = self._row(measures)
        size = len(_Facts.__dataclass_fields__)
        return {
            name: _Facts(*row[place * size : (place + 1) * size])
            for place, name in enumerate(names)
        }

    def _measures(self, name: str) -> Iterator[str]:
        text = _trimmed(name)
        yield f"count({text})"
        for pattern in (_INTEGER, _PADDED, _POWER, self.writing.number, f"{_DATE}.*"):
            yield _matches(text, pattern)
        yield f"count_if({text} not similar to {literal(_PADDED)} and try_cast({text} as bigint) is not null)"
        yield f"count_if(lower({text}) in ('true', 'false'))"

    def _reading(self, name: str, facts: "_Facts") -> Reading:
        column, text = quote(name), _trimmed(name)
        if not facts.values:
            return Reading(column)
        if facts.truths == facts.values:
            return Reading(f"cast({text} as boolean)")
        if facts.numbers == facts.values:
            return Reading(self._number(column, text, facts))
        if (
            facts.dates >= NEARLY * facts.values
            or self.writing.date_format
            or self.writing.timestamp_format
        ):
            found = self._date(name, facts)
            if found:
                return found
        return Reading(column, self._doubt_about_numbers(name, facts))

    def _number(self, column: str, text: str, facts: "_Facts") -> str:
        """Numbers, unless they are codes: `02139`, `1E5`; or too long for any number."""
        if facts.padded:
            return column
        if facts.integers == facts.values:
            return f"cast({text} as bigint)" if facts.fitting == facts.values else column
        if facts.powers and facts.powers + facts.integers == facts.values:
            return column
        return f"cast({self.writing.plain(text)} as double)"

    def _date(self, name: str, facts: "_Facts") -> Reading | None:
        text = _trimmed(name)
        zoned = rf"{_ISO}{_TIME}{_ZONE}"
        readings = {
            f"cast({text} as date)": f"count_if({text} similar to {literal(_ISO)} and try_cast({text} as date) is not null)",
            f"cast({text} as timestamp)": f"count_if({text} similar to {literal(f'{_ISO}({_TIME})?')} and try_cast({text} as timestamp) is not null)",
            f"cast({text} as timestamptz)": f"count_if({text} similar to {literal(zoned)} and try_cast({text} as timestamptz) is not null)",
        }
        formats = self._formats()
        for form in formats:
            readings[_strptime(text, form)] = f"count(try_strptime({text}, {literal(form)}))"
        counts = dict(zip(readings, self._row(list(readings.values())), strict=True))
        whole = [expression for expression, count in counts.items() if count == facts.values]
        named = [form for form in formats if _strptime(text, form) in whole]
        if len(named) > 1 and not (self.writing.date_format or self.writing.timestamp_format):
            self._refuse(name, named)
        if whole:
            return Reading(whole[0])
        best = max(counts, key=lambda expression: counts[expression])
        share = counts[best] / facts.values
        if share < NEARLY:
            return None
        return Reading(
            quote(name), self._doubt(name, "dates", share, f"try({best}) is null", _NULL_VALUES)
        )

    def _formats(self) -> list[str]:
        said = [form for form in (self.writing.date_format, self.writing.timestamp_format) if form]
        return said or [
            f"{order}{time}" for orders in _ORDERS.values() for order in orders for time in _TIMES
        ]

    def _refuse(self, name: str, formats: Sequence[str]) -> None:
        text = _trimmed(name)
        query = f"select {text} from ({self.query}) where {text} is not null limit 1"  # noqa: S608
        ((example,),) = self._answer(query)
        read = [
            str(self._answer(f"select strptime({literal(example)}, {literal(form)})")[0][0])
            for form in formats
        ]
        meanings = either(
            [
                f"{meaning.removesuffix(' 00:00:00')} ({form})"
                for meaning, form in zip(read, formats, strict=True)
            ]
        )
        key = "timestamp_format" if "%H" in formats[0] else "date_format"
        raise AmbiguousDatesError(
            f"column {name!r}: {example!r} is {meanings}, and no value of the column tells which: write "
            f"`{key}: '{formats[0]}'` in `source`, or the other one; or declare the column as text in `columns`"
        )

    def _doubt_about_numbers(self, name: str, facts: "_Facts") -> Doubt | None:
        text = _trimmed(name)
        decorated = f"{text} similar to {literal(_DECORATED)}"
        plain = f"{text} similar to {literal(self.writing.number)}"
        infinite = f"lower({text}) similar to {literal(_INFINITE)}"
        (alike,) = self._row([f"count_if({plain} or {decorated} or {infinite})"])
        if facts.padded or facts.powers or alike < NEARLY * facts.values:
            return None
        share = facts.numbers / facts.values
        return self._doubt(name, "numbers", share, f"not ({plain})", "")

    def _doubt(self, name: str, what: str, share: float, condition: str, advice: str) -> Doubt:
        text = _trimmed(name)
        found = self._answer(
            f"select {text}, count(*) from ({self.query}) where {text} is not null and {condition} "  # noqa: S608
            "group by 1 order by 2 desc, 1 limit 1000"
        )
        return Doubt(
            name, what, share, found[:_SHOWN], len(found) - len(found[:_SHOWN]),
            advice or _advice([value for value, _ in found], self.writing),
        )  # fmt: skip

    def _row(self, measures: Sequence[str]) -> Sequence[int]:
        query = f"select {', '.join(measures)} from ({self.query})"  # noqa: S608
        return tuple(int(count or 0) for count in self._answer(query)[0])

    def _answer(self, query: str) -> list[tuple[Any, ...]]:
        return list(self.connection.sql(query).fetchall())


@dataclass(frozen=True)
class _Facts:
    """How many values of a column are what; in the order in which they are measured."""

    values: int
    integers: int
    padded: int
    powers: int
    numbers: int
    dates: int
    fitting: int
    """Whole numbers that fit 64 bits."""
    truths: int


_NULL_VALUES = "name what stands for no value in `null_values`, say how dates are written in `date_format`, or correct them"


def _advice(values: Sequence[str], writing: Writing) -> str:
    """What reads values that are no plain numbers."""
    if all(re.fullmatch(r"[+-]?[0-9]+,[0-9]+", value) for value in values):
        if all(re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+", value) for value in values):
            return (
                'write `thousands: ","` if they are thousands, `decimal: ","` if they are fractions'
            )
        return 'write `decimal: ","`'
    if not writing.thousands and all(
        re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", value) for value in values
    ):
        return 'write `thousands: ","`'
    if any(re.search(r"[$€£¥%]", value) for value in values):
        return (
            "take the sign away in a transform, such as `cast(replace(x, '%', '') as double) / 100`"
        )
    if all(re.fullmatch(_INFINITE, value.lower()) for value in values):
        return "no model learns from infinite numbers: name them in `null_values`, or correct them"
    if len(values) <= _SHOWN and not any(re.search("[0-9]", value) for value in values):
        listed = ", ".join(f'"{value}"' for value in ("", *values))
        return f"write `null_values: [{listed}]` if they stand for no value"
    return "correct them, name what stands for no value in `null_values`, or declare the column in `columns`"


def _trimmed(name: str) -> str:
    return f"trim({quote(name)})"


def _matches(text: str, pattern: str) -> str:
    return f"count_if({text} similar to {literal(pattern)})"


def _strptime(text: str, form: str) -> str:
    kind = "timestamp" if "%H" in form or "%I" in form else "date"
    return f"cast(strptime({text}, {literal(form)}) as {kind})"
