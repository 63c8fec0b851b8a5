"""In which forms texts are written, and the SQL that reads them.

Patterns say what people may write, and are slow. A form is one of the ways in which nearly all columns are written: its
test is quick enough for every value of a large file, and nothing passes it that the patterns would read otherwise.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from factory.lake.engine import literal

INTEGER = r"[+-]?[0-9]+"
PADDED = r"[+-]?0[0-9]+"
POWER = r"[0-9]+[eE][0-9]+"
INFINITE = r"[+-]?(inf|infinity)"
CURRENCY = "([$€£¥]|AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|NOK|NZD|PLN|SEK|USD)"
MINUS = "\u2212"
"""A minus that is longer than a hyphen."""
NO_BREAK = "\u00a0\u202f"
"""Blanks at which no line breaks."""
THOUSANDS = f",. '\u2019{NO_BREAK}"
"""What people write between thousands."""
_SIGN = f"[+{MINUS}-]"
_BLANK = f"[ {NO_BREAK}]"
DECORATED = (
    rf"[(]?{_SIGN}?{CURRENCY}?{_BLANK}?{_SIGN}?([0-9]{{1,3}}([{THOUSANDS}][0-9]{{3}})+|[0-9]+)([.,][0-9]+)?"
    rf"([eE][+-]?[0-9]+)?{_BLANK}?({CURRENCY}|%)?-?[)]?"
)
NO_VALUE = (
    "na",
    "n/a",
    "n.a.",
    "nan",
    "null",
    "none",
    "nil",
    "-",
    "--",
    "---",
    "?",
    ".",
    "#n/a",
    "\\n",
)
"""What often stands for no value, in lower case."""
_TIME = r"[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
_ZONE = r"( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))"
_ISO = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
DATE = (
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{4}|[0-9]{2}))"
    rf"({_TIME}{_ZONE}?)?"
)
_MONTH = r"([A-Za-zä]{3,9}[.]?)"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?"
NAMED_DATE = (
    rf"([A-Za-z]{{3}},? )?[0-9]{{1,2}}[. /-]{{1,2}}{_MONTH}[. /-]([0-9]{{4}}|[0-9]{{2}})([ T:]{_CLOCK})?"
    rf"|{_MONTH} [0-9]{{1,2}},? [0-9]{{4}}( {_CLOCK})?"
    rf"|[0-9]{{1,4}}[-/.][0-9]{{1,2}}[-/.][0-9]{{1,4}} {_CLOCK} ?[AaPp][Mm]"
)
"""Dates with the names of months, and times of half a day, which are read only where it is said how."""
_WITH_NAMES = (
    "%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d.%b.%Y", "%b %Y",
    "%a, %d %b %Y", "%d. %B %Y",
)  # fmt: skip
_HALF_DAYS = tuple(
    f"{day} {time}"
    for day in ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d")
    for time in ("%I:%M %p", "%I:%M:%S %p")
)
WORDED = (
    *(("date_format", form) for form in _WITH_NAMES),
    *(
        ("timestamp_format", form)
        for form in (
            "%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M", "%d %b %Y %H:%M", "%d/%b/%Y:%H:%M:%S", "%b %d %Y %H:%M:%S",
            *_HALF_DAYS,
        )
    ),
)  # fmt: skip
"""Formats of such dates, and the options that say them."""
_SIGNS = r"-+0-9$€£¥.,' :/eETZUC%"
"""What numbers and dates are made of."""

# Dates that begin with a day, a month, or a year; with points between them no month comes first.
_ORDERS = {
    "/": ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d"),
    "-": ("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    ".": ("%d.%m.%Y", "%Y.%m.%d", "%d.%m.%y", "%y.%m.%d"),
}
_TIMES = (" %H:%M", " %H:%M:%S")

_EXACT = 2**53
"""Up to here a DOUBLE has every whole number."""

_TAKEN = {
    "date": frozenset({"date", "timestamp"}),
    "timestamp": frozenset({"timestamp"}),
    "timestamptz": frozenset({"timestamptz"}),
}
"""The readings that take every value which has ISO's form."""

_NO_WORDS = (
    *(("I", "J"), ("i", "j")),  # infinite numbers
    *(("£", "¦"), ("€", "₭")),
    *(("?", "@"), ("N", "O"), ("\\", "]"), ("n", "o")),  # what stands for no value
)
"""Where texts begin that are no words, and where they end, as UTF-8 is sorted."""

Kind = Literal["whole", "number", "truth", "date", "code", "text"]


@dataclass(frozen=True)
class Writing:
    """How numbers and dates are written, as far as somebody has said so."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    timestamp_format: str | None = None

    @property
    def said(self) -> Sequence[str]:
        """The formats of dates that somebody has said, and those that follow from it."""
        found = [self.date_format] if self.date_format else []
        if self.timestamp_format:
            return [*found, self.timestamp_format]
        return [*found, *(f"{date}{time}" for date in found for time in _TIMES)]

    @property
    def formats(self) -> Sequence[str]:
        """The formats that dates may have beside ISO's."""
        dates = [] if self.date_format else [date for dates in _ORDERS.values() for date in dates]
        times = [] if self.said else [f"{date}{time}" for date in dates for time in _TIMES]
        return [*self.said, *dates, *times]

    @property
    def number(self) -> str:
        """The pattern of a number."""
        point = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.thousands:
            whole = f"([0-9]{{1,3}}({re.escape(self.thousands)}[0-9]{{3}})+|[0-9]+)"
        return rf"[+-]?({whole}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"

    def double(self, text: str) -> str:
        """The SQL that makes a number of its text, and null of what is none."""
        return f"try_cast({self.plain(text)} as double)"

    def plain(self, text: str) -> str:
        """The SQL of a number's text as SQL itself writes numbers."""
        if self.thousands:
            text = f"replace({text}, {literal(self.thousands)}, '')"
        if self.decimal != ".":
            text = f"replace({text}, {literal(self.decimal)}, '.')"
        return text


@dataclass(frozen=True)
class Form:
    """One way in which the values of a column may be written."""

    kind: Kind
    test: str
    """The SQL condition of a value that is written so."""
    expression: str
    """The SQL that reads such values."""
    dates: frozenset[str] = frozenset()
    """The keys in `dates` of the readings that take every such value."""
    format: str | None = None
    """The format of a date, in strptime's words."""


@dataclass(frozen=True)
class DateReading:
    """A way to read dates, where `Form` is too narrow: ISO's dates have many forms."""

    test: str
    expression: str
    format: str | None = None


def matches(text: str, pattern: str) -> str:
    """The SQL condition of a text that a pattern matches as a whole."""
    return f"({text} similar to {literal(pattern)})"


def is_no_value(text: str) -> str:
    """The SQL condition of a text that often stands for no value."""
    return f"(lower({text}) in ({', '.join(map(literal, NO_VALUE))}))"


def is_number(text: str, writing: Writing) -> str:
    """The SQL condition of a number, by patterns: slow, and exact."""
    return f"({matches(text, writing.number)} and isfinite({writing.double(text)}))"


def loses_digits(text: str, writing: Writing) -> str:
    """The SQL condition of a number that has more digits before its fraction than a DOUBLE keeps."""
    number, plain = writing.double(text), writing.plain(text)
    kept = f"try_cast(cast({number} as varchar) as hugeint)"
    written = f"try_cast(regexp_extract({plain}, '^[+-]?[0-9]+') as hugeint)"
    has_power = f"contains(lower({text}), 'e')"
    return (
        f"(abs({number}) >= {_EXACT} and not {has_power} and coalesce({written} != {kept}, false))"
    )


def dates(text: str, writing: Writing) -> Mapping[str, DateReading]:
    """Every way in which dates are read, the preferred ones first.

    Args:
        text: The SQL of the column.
        writing: What somebody has said about it.
    """
    trimmed = f"trim({text})"
    patterns = {
        "date": _ISO,
        "timestamp": f"{_ISO}({_TIME})?",
        "timestamptz": f"{_ISO}{_TIME}{_ZONE}",
    }
    found = {
        kind: DateReading(
            f"({matches(trimmed, pattern)} and try_cast({text} as {kind}) is not null)",
            f"cast({text} as {kind})",
        )
        for kind, pattern in patterns.items()
    }
    for form in writing.formats:
        found[form] = DateReading(_has_format(text, form), _strptime(text, form), form)
    return found


def forms(text: str, writing: Writing) -> Mapping[str, Form]:
    """The forms, the preferred ones first.

    Args:
        text: The SQL of the column.
        writing: What somebody has said about it.
    """
    found = {form: _date(text, form) for form in writing.said}
    # A number's text is the same after it was read: no zeros or plus before it, no blanks, no hexadecimal.
    found["whole"] = Form(
        "whole", f"(cast(try_cast({text} as bigint) as varchar) = {text})", f"cast({text} as bigint)"
    )  # fmt: skip
    found["number"] = Form("number", _is_plain_number(text, writing), f"{writing.double(text)}")
    found["truth"] = Form(
        "truth",
        f"({text} in ('true', 'false', 'True', 'False', 'TRUE', 'FALSE'))",
        f"cast({text} as boolean)",
    )
    iso = dates(text, writing)
    quick = f"(strlen({text}) = 10 and cast(try_cast({text} as date) as varchar) = {text})"
    found["ten signs"] = Form("date", quick, iso["date"].expression, _TAKEN["date"])
    for between in " T":
        form = f"%Y-%m-%d{between}%H:%M:%S"
        found[form] = Form(
            "date", _has_format(text, form), iso["timestamp"].expression, _TAKEN["timestamp"]
        )
    for name, reading in iso.items():
        if name in _TAKEN:
            found[name] = Form("date", reading.test, reading.expression, _TAKEN[name])
        elif name not in writing.said:
            found[name] = _date(text, name)
    # Postcodes and the like: a column of which one value has a zero before it, and enough are no dates.
    found["code"] = Form("code", f"(try_cast({text} as bigint) is not null)", text)
    found["word"] = Form("text", _is_word(text, writing), text)
    found["text"] = Form("text", _is_text(text, writing), text)
    return found


def _date(text: str, form: str) -> Form:
    return Form("date", _has_format(text, form), _strptime(text, form), frozenset({form}), form)


def _strptime(text: str, form: str) -> str:
    kind = "timestamp" if re.search("%[HIcX]", form) else "date"
    return f"cast(strptime({text}, {literal(form)}) as {kind})"


def _has_format(text: str, form: str) -> str:
    time = f"try_strptime({text}, {literal(form)})"
    # `%Y` takes `24` for the year 24, `%y` takes versions such as `1.2.3`, and any format takes `Infinity` for 1900.
    conditions = [
        f"{time} between timestamp '1000-01-01' and timestamp '9999-12-31 23:59:59.999999'",
        f"({time} != timestamp '1900-01-01' or {matches(text, '.*[0-9].*')})",
    ]
    if "%y" in form:
        pattern = re.sub(
            "%[dmHMS]", "[0-9]{1,2}", form.replace("%y", "[0-9]{2}").replace(".", "[.]")
        )
        conditions += [] if "%" in pattern else [matches(text, f" *{pattern} *")]
    return f"({' and '.join(conditions)})"


def _is_plain_number(text: str, writing: Writing) -> str:
    if writing.thousands:
        return f"({is_number(text, writing)} and not {matches(text, PADDED)})"
    # Casts take `1_000` and `+-1`, and `007` is a code. Texts are compared by their first bytes. So many digits are for
    # the patterns.
    point = "" if writing.decimal == "." else f" and not contains({text}, '.')"
    return (
        f"(isfinite({writing.double(text)}) and not contains({text}, '_') and {text} >= '-' "
        f"and not ({text} >= '00' and {text} < '0:') and not ({text} >= '-00' and {text} < '-0:'){point} "
        f"and abs({writing.double(text)}) < {_EXACT})"
    )


def _is_word(text: str, writing: Writing) -> str:
    """The condition of a text that begins like no number and no date: quick, and for most words."""
    others = " and ".join(
        f"not ({text} >= '{start}' and {text} < '{end}')" for start, end in _NO_WORDS
    )
    return f"({text} >= ':' and {others}{_not_said(text, writing)})"


def _is_text(text: str, writing: Writing) -> str:
    """The condition of a text that has what no number and no date has."""
    signs = f"[{_SIGNS}{re.escape(writing.thousands or '')}]*"
    others = (
        f"not {matches(f'lower(trim({text}))', INFINITE)} and not {is_no_value(f'trim({text})')}"
    )
    return f"(not {matches(text, signs)} and {others}{_not_said(text, writing)})"


def _not_said(text: str, writing: Writing) -> str:
    return "".join(f" and try_strptime({text}, {literal(form)}) is null" for form in writing.said)
