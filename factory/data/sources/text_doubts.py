"""What is in doubt about columns of text, in words: what was found, and what to write."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from factory.base.errors import TerminalError
from factory.data.sources.text_forms import (
    CURRENCY,
    INFINITE,
    MINUS,
    NO_BREAK,
    Writing,
)

TRUTHS = "true or false"
SHOWN = 5
"""Values that a message shows."""


class AmbiguousDatesError(TerminalError):
    """Dates that can be read in more than one way."""

    def __init__(self, message: str, column: str, example: str, formats: Sequence[str]) -> None:
        super().__init__(message)
        self.column = column
        self.example = example
        self.formats = tuple(formats)
        """The formats that every value of the column has, in strptime's words."""


@dataclass(frozen=True)
class Doubt:
    """A column that is something but for a few values."""

    column: str
    what: str
    """What the others are: `numbers`, `dates`, `TRUTHS`."""
    share: float
    found: Sequence[tuple[str, int]]
    """Values that are not, and how often each comes, the most frequent first."""
    different: int
    """How many different such values there are."""
    advice: str

    @property
    def is_about_dates(self) -> bool:
        """Whether the others are dates."""
        return self.what.startswith("dates")

    @property
    def is_about_truths(self) -> bool:
        """Whether the others are true and false."""
        return self.what == TRUTHS

    @property
    def values(self) -> frozenset[str]:
        """The values that are something else."""
        return frozenset(value for value, _ in self.found)

    def __str__(self) -> str:
        shown = ", ".join(f"{value!r} ({_times(count)})" for value, count in self.found[:SHOWN])
        others = self.different - len(self.found[:SHOWN])
        if not self.found:
            return f"{self.column!r} is {percent(self.share)} {self.what}, and stays text: {self.advice}"
        more = f" and {others:,} other {'value' if others == 1 else 'values'}" if others else ""
        return (
            f"{self.column!r} is {percent(self.share)} {self.what}, and stays text because of {shown}"
            f"{more}: {self.advice}"
        )


_UNITS = rf"%|{CURRENCY}"
_GROUPING = f"(?<=[0-9])['\u2019{NO_BREAK}](?=[0-9]{{3}})"
_BELOW_ZERO = rf"^\(.*\)$|{MINUS}|[0-9]-$"
_SUMS = ("total", "totals", "sum", "subtotal", "grand total", "summe", "gesamt", "somme")
ABOUT_HEADERS = (
    "the header stands among the rows: write `skip: 1` if it is the first line that is read, and take it out where the file is "
    "made if it comes again"
)
ABOUT_DATES = "name what stands for no value in `null_values`, say how dates are written in `date_format`, or correct them"


def about_numbers(values: Sequence[str], writing: Writing) -> str:
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
    if len(values) == 1 and values[0].strip(" :").lower() in _SUMS:
        return (
            "write `skip_footer: 1` if it is a sum below the table, with the number of such lines"
        )
    if advice := _about_signs(values):
        return advice
    if all(re.fullmatch(INFINITE, value.lower()) for value in values):
        return "no model learns from infinite numbers: name them in `null_values`, or correct them"
    if len(values) <= SHOWN and not any(re.search("[0-9]", value) for value in values):
        listed = ", ".join(f'"{value}"' for value in ("", *values))
        return f"write `null_values: [{listed}]` if they stand for no value"
    return "correct them, name what stands for no value in `null_values`, or declare the column in `columns`"


def _about_signs(values: Sequence[str]) -> str | None:
    """What reads numbers with signs that no option reads, or with marks of thousands that one does."""
    if any(re.search(_BELOW_ZERO, value) for value in values):
        return "write the minus before the number, as in -12.5, where the file is made, or in a transform"
    if any(re.search(_UNITS, value) for value in values):
        if all(value.rstrip().endswith("%") for value in values):
            return "take the sign away in a transform, such as `cast(replace(x, '%', '') as double) / 100`"
        return (
            "take the signs away in a transform, such as `cast(regexp_replace(x, '[^0-9.-]', '', 'g') as double)` where "
            "fractions have a point"
        )
    marks = {match[0] for value in values for match in re.finditer(_GROUPING, value)}
    if len(marks) != 1:
        return None
    [mark] = marks
    return f'write `thousands: "{mark if mark.isprintable() else ascii(mark)[1:-1]}"`'


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def percent(share: float) -> str:
    """A share in words: `98.9 %`."""
    # 999,999 of a million are not 100 %.
    text = f"{100 * share:.4g}"
    return "nearly 100 %" if text == "100" and share < 1 else f"{text} %"
