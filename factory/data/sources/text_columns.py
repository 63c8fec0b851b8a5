"""What the texts of a column are: numbers, dates, or texts; and which of them are in doubt.

A type is taken if every value of every file has it and only one reading is possible. What is nearly so is a doubt: whoever
wrote the file, or reads it, says what was meant. Some rows tell in which form a column is written; all rows
are held against that form, and those that do not have it are looked at by patterns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from factory.base.texts import either
from factory.data.sources import text_forms as forms
from factory.data.sources.text_doubts import (
    ABOUT_DATES,
    ABOUT_HEADERS,
    TRUTHS,
    AmbiguousDatesError,
    Doubt,
    about_numbers,
)
from factory.data.sources.text_forms import Form, Writing, matches
from factory.lake.engine import literal, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEARLY = 0.8
"""The share of values that make a column a column of numbers, or of dates, with exceptions."""
_ENOUGH_TEXT = 0.3
"""The share of texts in some rows that lets expect more than 1 - NEARLY of them in all rows."""
_FEW_VALUES = 12
"""Different values of a column of which some may be `true` and `false`, and others stand for no value."""
_LISTED = 1000
_ANY = "any"
"""The key of the values that some reading of dates takes."""
_OTHERS = "csv_others"
"""The table of the values that do not have the form of their column: name, value, n."""


@dataclass(frozen=True)
class Reading:
    """How a column is read: the SQL that makes it of its text, and what is in doubt about it."""

    expression: str
    doubt: Doubt | None = None
    is_empty: bool = False
    """Whether the column has no value."""


@dataclass(frozen=True)
class _Guess:
    """The forms that a column may have as far as some rows tell; several are dates of several readings."""

    forms: Sequence[Form]

    @property
    def test(self) -> str:
        """The condition of a value that has one of the forms."""
        return " or ".join(form.test for form in self.forms) or "false"


@dataclass(frozen=True)
class _Held:
    """A guess held against all rows."""

    guess: _Guess
    values: int
    passed: int
    """Values that have one of the forms."""
    by_form: Sequence[int]
    """Values that have each of the forms."""

    @property
    def kind(self) -> str | None:
        """What the values that passed are; None where it is for patterns to say."""
        return self.guess.forms[0].kind if self.guess.forms else None

    @property
    def is_text(self) -> bool:
        """Whether the column is text without a doubt."""
        return not self.values or (
            self.kind in ("text", "code") and self.values - self.passed < NEARLY * self.values
        )

    @property
    def for_patterns(self) -> "_Held":
        """What is known when values of other forms are looked at: nothing, if most values have none of these forms.

        A column can be written in several forms of texts, and of dates that begin with a day or a month.
        """
        is_known = self.kind in ("whole", "number", "date") and self.passed >= self.values / 2
        if is_known and not any(form.format for form in self.guess.forms):
            return self
        return _Held(_Guess(()), self.values, 0, ())

    @property
    def whole(self) -> Sequence[Form]:
        """The forms that every value has."""
        return [
            form
            for form, count in zip(self.guess.forms, self.by_form, strict=True)
            if count == self.values and form.kind not in ("text", "code")
        ]


@dataclass(frozen=True)
class _Facts:
    """How many values of a column are what."""

    integers: int = 0
    padded: int = 0
    powers: int = 0
    numbers: int = 0
    dates: int = 0
    fitting: int = 0
    """Whole numbers that fit 64 bits."""
    truths: int = 0
    alike: int = 0
    """What somebody may have meant as a number."""
    missing: int = 0
    """What often stands for no value."""
    named_dates: int = 0
    """Dates with the names of months, or with times of half a day."""


@dataclass(frozen=True)
class TextColumns:
    """Columns of text that are looked at.

    Args:
        connection: Where the rows are.
        query: The rows, each column as text.
        some: A few rows of them.
        writing: How numbers and dates are written.
    """

    connection: "DuckDBPyConnection"
    query: str
    some: str
    writing: Writing = field(default_factory=Writing)

    def readings(self, names: Sequence[str]) -> Mapping[str, Reading]:
        """How each of the columns is read.

        Raises:
            AmbiguousDatesError: Dates of a column may begin with the day or with the month.
        """
        if not names:
            return {}
        held = self._hold(self._guesses(names))
        found = {name: self._settled(name, column) for name, column in held.items()}
        unclear = {name: held[name].for_patterns for name, reading in found.items() if not reading}
        return {
            **{name: reading for name, reading in found.items() if reading},
            **self._by_patterns(unclear),
        }

    def _guesses(self, names: Sequence[str]) -> dict[str, _Guess]:
        """What some rows tell: the form that each value has, or else that most have."""
        tests = {name: form.test for name, form in forms.forms("value", self.writing).items()}
        tests["true or false"] = "lower(trim(value)) in ('true', 'false')"
        tests["padded"] = matches("value", forms.PADDED)
        tests["decorated"] = matches("trim(value)", forms.DECORATED)
        tests["named date"] = matches("trim(value)", forms.NAMED_DATE)
        tests["fraction"] = (
            f"({tests['number']} and contains(value, {literal(self.writing.decimal)}))"
        )
        sums = ", ".join(f"count(*) filter (where {test})" for test in tests.values())
        cells = f"unpivot ({self.some}) on columns(*) into name name value value"
        rows = self._answer(
            f"select lower(name), count(*), {sums} from "  # noqa: S608
            f"(select distinct name, left(value, 100) as value from ({cells})) group by 1"
        )
        counts = {
            name: (values, dict(zip(tests, found, strict=True))) for name, values, *found in rows
        }
        return {
            name: self._guess(name, *counts[name.lower()]) if name.lower() in counts else _Guess(())
            for name in names
        }

    def _guess(self, name: str, values: int, counts: Mapping[str, int]) -> _Guess:
        candidates = forms.forms(quote(name), self.writing)
        if counts["padded"] and counts["code"] > _ENOUGH_TEXT * values:
            return _Guess([candidates["code"]])
        typed = [
            key for key, form in candidates.items()
            if form.kind not in ("text", "code") and (key != "number" or counts["fraction"])
        ]  # fmt: skip
        if whole := [key for key in typed if counts[key] == values]:
            first = candidates[whole[0]]
            several = [candidates[key] for key in whole if candidates[key].format]
            is_open = first.format and first.format not in self.writing.said
            return _Guess(several if is_open else [first])
        best = max(typed, key=lambda key: counts[key])
        if counts["true or false"] == values:
            return _Guess(())
        # What is written with other signs begins as words do, and so do few values that say yes or no.
        is_few = counts["true or false"] and values <= _FEW_VALUES
        if is_few or max(counts["decorated"], counts["named date"]) >= NEARLY * values:
            return _Guess(())
        if counts[best] > values / 2:
            return _Guess([candidates[best]])
        for key in ("word", "text"):
            if counts[key] > _ENOUGH_TEXT * values:
                return _Guess([candidates[key]])
        return _Guess(())

    def _hold(self, guesses: Mapping[str, _Guess]) -> dict[str, _Held]:
        measures, sizes = [], []
        for name, guess in guesses.items():
            tests = [guess.test, *(form.test for form in guess.forms)]
            measures += [
                f"count({quote(name)})",
                *(f"count(*) filter (where {test})" for test in tests),
            ]
            sizes.append(len(tests) + 1)
        row = iter(self._answer(f"select {', '.join(measures)} from ({self.query})")[0])  # noqa: S608
        held = {}
        for (name, guess), size in zip(guesses.items(), sizes, strict=True):
            values, passed, *by_form = (next(row) for _ in range(size))
            held[name] = _Held(guess, values, passed, by_form)
        return held

    def _settled(self, name: str, held: _Held) -> Reading | None:
        """How a column is read whose values have the form that was guessed."""
        if held.is_text:
            return Reading(quote(name), is_empty=not held.values)
        if not held.whole:
            return None
        if len(held.whole) > 1:
            self._refuse(name, [form.format or "" for form in held.whole])
        return Reading(held.whole[0].expression)

    def _by_patterns(self, unclear: Mapping[str, _Held]) -> dict[str, Reading]:
        """How columns are read that have values of other forms than the one that was guessed."""
        if not unclear:
            return {}
        cases = ", ".join(
            f"case when {column.guess.test} then null else trim({quote(name)}) end as {quote(name)}"
            for name, column in unclear.items()
        )
        self.connection.execute(
            f"create or replace temp table {_OTHERS} as select name, value, count(*) as n from "  # noqa: S608
            f"(unpivot (select {cases} from ({self.query})) on columns(*) into name name value value) "
            "group by name, value"
        )
        others = self._facts()
        facts = {
            name: _with_passed(others.get(name, _Facts()), held) for name, held in unclear.items()
        }
        dates = self._dates(
            [
                name
                for name, held in unclear.items()
                if self.writing.said or _is_nearly(facts[name].dates, facts[name], held.values)
            ]
        )
        return {
            name: self._reading(name, held, facts[name], dates.get(name))
            for name, held in unclear.items()
        }

    def _facts(self) -> dict[str, _Facts]:
        padded, number = matches("value", forms.PADDED), forms.is_number("value", self.writing)
        integer, infinite = matches("value", forms.INTEGER), matches("lower(value)", forms.INFINITE)
        measures = {
            "integers": integer,
            "padded": padded,
            "powers": matches("value", forms.POWER),
            "numbers": number,
            "dates": matches("value", forms.DATE),
            "fitting": f"({integer} and not {padded} and try_cast(value as bigint) is not null)",
            "truths": "lower(value) in ('true', 'false')",
            "missing": forms.is_no_value("value"),
            "named_dates": matches("value", forms.NAMED_DATE),
            "alike": f"({number} or {matches('value', forms.DECORATED)} or {infinite})",
        }
        sums = ", ".join(
            f"coalesce(sum(n) filter (where {measures[fact.name]}), 0)" for fact in fields(_Facts)
        )
        rows = self._answer(f"select name, {sums} from {_OTHERS} group by name")  # noqa: S608
        return {name: _Facts(*map(int, found)) for name, *found in rows}

    def _dates(self, names: Sequence[str]) -> dict[str, Mapping[str, int]]:
        """How many of the values in `_OTHERS` each reading of dates takes."""
        if not names:
            return {}
        tests = {key: reading.test for key, reading in forms.dates("value", self.writing).items()}
        tests[_ANY] = " or ".join(tests.values())
        sums = ", ".join(f"coalesce(sum(n) filter (where {test}), 0)" for test in tests.values())
        rows = self._answer(
            f"select name, {sums} from {_OTHERS} where name in {_listed(names)} group by name"  # noqa: S608
        )
        none = dict.fromkeys(names, dict.fromkeys(tests, 0))
        return none | {
            name: dict(zip(tests, map(int, found), strict=True)) for name, *found in rows
        }

    def _reading(
        self, name: str, held: _Held, facts: _Facts, dates: Mapping[str, int] | None
    ) -> Reading:
        column, text = quote(name), f"trim({quote(name)})"
        if facts.truths == held.values:
            return Reading(f"cast({text} as boolean)")
        # A format that somebody has said comes before numbers: `%Y%m%d`.
        is_number = facts.numbers == held.values
        date = self._date(name, held, facts, dates) if dates else None
        if date and not (is_number and date.doubt):
            return date
        if is_number:
            lost = self._lost(name, held.values, facts)
            return (
                Reading(column, lost)
                if lost
                else Reading(self._number(column, text, held.values, facts))
            )
        doubt = (
            self._doubt_about_truths(name, held.values, facts)
            or self._doubt_about_names(name, held.values, facts)
            or self._doubt_about_numbers(name, held.values, facts)
        )
        return Reading(column, doubt)

    def _number(self, column: str, text: str, values: int, facts: _Facts) -> str:
        """Numbers, unless they are codes: `02139`, `1E5`; or too long for any number."""
        if facts.padded:
            return column
        if facts.integers == values:
            return f"cast({text} as bigint)" if facts.fitting == values else column
        if facts.powers and facts.powers + facts.integers == values:
            return column
        return self.writing.double(text)

    def _date(
        self, name: str, held: _Held, facts: _Facts, others: Mapping[str, int]
    ) -> Reading | None:
        readings = forms.dates(quote(name), self.writing)
        passed: dict[str, int] = {}
        for form, count in zip(held.guess.forms, held.by_form, strict=True):
            passed |= dict.fromkeys(form.dates, count)
        of_any = others[_ANY] + (held.passed if held.kind == "date" else 0)
        counts = {key: count + passed.get(key, 0) for key, count in others.items() if key != _ANY}
        whole = [key for key, count in counts.items() if count == held.values]
        said = [key for key in whole if key in self.writing.said]
        named = [key for key in whole if readings[key].format]
        if len(named) > 1 and not said:
            self._refuse(name, named)
        if whole:
            return Reading(readings[(said or whole)[0]].expression)
        best = max(counts, key=lambda key: counts[key])
        is_nearly = _is_nearly(counts[best], facts, held.values)
        # What looks like a date, and is not written as it was said, is told too.
        is_otherwise = self.writing.said and _is_nearly(facts.dates, facts, held.values)
        # Dates of several forms, of which each value has one.
        is_mixed = _is_nearly(of_any, facts, held.values)
        if not (is_nearly or is_otherwise or is_mixed):
            return None
        share = counts[best] / held.values
        test = forms.dates("value", self.writing)[best].test
        said = [form for form in (self.writing.date_format, self.writing.timestamp_format) if form]
        what = f"dates written as {either(said)}" if said else "dates"
        if is_mixed and not (said or is_nearly):
            what = "dates in one form"
        return Reading(quote(name), self._doubt(name, what, share, f"not {test}", ABOUT_DATES))

    def _refuse(self, name: str, formats: Sequence[str]) -> None:
        column = quote(name)
        query = f"select {column} from ({self.query}) where {column} is not null limit 1"  # noqa: S608
        ((example,),) = self._answer(query)
        read = self._answer(
            f"select {', '.join(f'strptime({literal(example)}, {literal(form)})' for form in formats)}"
        )[0]
        meanings = either(
            [
                f"{str(meaning).removesuffix(' 00:00:00')} ({form})"
                for meaning, form in zip(read, formats, strict=True)
            ]
        )
        key = "timestamp_format" if "%H" in formats[0] else "date_format"
        raise AmbiguousDatesError(
            f"column {name!r}: {example!r} is {meanings}, and no value of the column tells which: write "
            f"`{key}: '{formats[0]}'` in `source`, or the other one; or declare the column as text in `columns`",
            name,
            example,
            formats,
        )

    def _doubt_about_numbers(self, name: str, values: int, facts: _Facts) -> Doubt | None:
        if facts.padded or facts.powers or not _is_nearly(facts.alike, facts, values):
            return None
        share = facts.numbers / values
        return self._doubt(
            name, "numbers", share, f"not {forms.is_number('value', self.writing)}", ""
        )

    def _doubt_about_truths(self, name: str, values: int, facts: _Facts) -> Doubt | None:
        """A column that is `true` and `false` but for a few values."""
        if not _is_nearly(facts.truths, facts, values):
            return None
        condition = "lower(value) not in ('true', 'false')"
        return self._doubt(name, TRUTHS, facts.truths / values, condition, "")

    def _doubt_about_names(self, name: str, values: int, facts: _Facts) -> Doubt | None:
        """A column of dates that only a format reads, which nobody has said."""
        if self.writing.said or not _is_nearly(facts.named_dates, facts, values):
            return None
        is_one = matches("value", forms.NAMED_DATE)
        of_column = f"from {_OTHERS} where name = {literal(name)} and {is_one}"
        known = [
            (option, form, forms.dates("value", _said(option, form))[form].test)
            for option, form in forms.WORDED
        ]
        counts = ", ".join(f"count(*) filter (where {test})" for _, _, test in known)
        different, example, *taken = self._answer(
            f"select count(*), min(value), {counts} {of_column}"
        )[0]
        options = [
            f"`{option}: '{form}'`"
            for (option, form, _), count in zip(known, taken, strict=True)
            if count == different
        ]
        if not options:
            return None
        which = ", whichever it is" if len(options) > 1 else ""
        return self._doubt(
            name, f"dates such as {example!r}", facts.named_dates / values, f"not {is_one}",
            f"write {either(options)}{which}",
        )  # fmt: skip

    def _lost(self, name: str, values: int, facts: _Facts) -> Doubt | None:
        """A column of numbers and fractions, of which some have more digits than are kept."""
        if facts.padded or facts.integers == values or facts.powers + facts.integers == values:
            return None
        column = f"trim({quote(name)})"
        rows = self._answer(
            f"select {column}, count(*) from ({self.query}) where {forms.loses_digits(column, self.writing)} "  # noqa: S608
            f"group by all order by 2 desc, 1 limit {_LISTED}"
        )
        if not rows:
            return None
        share = 1 - sum(count for _, count in rows) / values
        advice = (
            "a DOUBLE does not keep all of their digits: declare the column in `columns`, as `DECIMAL(38, 2)` if they are "
            "numbers, as VARCHAR if they are codes"
        )
        return Doubt(name, "numbers of up to 15 digits", share, rows, len(rows), advice)

    def _doubt(self, name: str, what: str, share: float, condition: str, advice: str) -> Doubt:
        of_column = f"from {_OTHERS} where name = {literal(name)} and coalesce({condition}, true)"
        query = f"select value, n {of_column} order by n desc, value limit {_LISTED}"
        found = self._answer(query)
        ((different,),) = self._answer(f"select count(*) {of_column}")
        advice = advice or about_numbers([value for value, _ in found], self.writing)
        if [value.lower() for value, _ in found] == [name.lower()]:
            advice = ABOUT_HEADERS
        return Doubt(name, what, share, found, different, advice)

    def _answer(self, query: str) -> list[tuple[Any, ...]]:
        return list(self.connection.sql(query).fetchall())


def _said(option: str, form: str) -> Writing:
    return Writing(date_format=form) if option == "date_format" else Writing(timestamp_format=form)


def _is_nearly(count: int, facts: _Facts, values: int) -> bool:
    """Whether so many values make all but a few, those apart that often stand for none."""
    return count > 0 and count + facts.missing >= NEARLY * values


def _listed(names: Sequence[str]) -> str:
    return f"({', '.join(literal(name) for name in names)})"


def _with_passed(others: _Facts, held: _Held) -> _Facts:
    """The facts of all values: of those that have the form that was guessed, and of the others."""
    known = {
        "whole": ("integers", "fitting", "numbers", "alike"),
        # Some of them are fractions, so that it does not matter how many are whole.
        "number": ("numbers", "alike"),
        "date": ("dates",),
    }.get(held.kind or "", ())
    return _Facts(
        **{
            fact.name: getattr(others, fact.name) + (held.passed if fact.name in known else 0)
            for fact in fields(_Facts)
        }
    )
