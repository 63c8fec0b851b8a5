"""CSV files that nobody has described: how they are written, and how each column is read.

Options are tried on the source that runs read with: what makes more columns numbers or dates, and none less, is kept.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.texts import in_quotes
from factory.data.profile.layout import Layout, layout_of
from factory.data.profile.samples import Sample
from factory.data.sources.csv import CsvSource
from factory.data.sources.files import FilesToRead
from factory.data.sources.source import KnownTypes
from factory.data.sources.text_columns import Reading
from factory.data.sources.text_doubts import AmbiguousDatesError, Doubt
from factory.data.sources.text_files import Texts, TextSource
from factory.data.sources.text_forms import NO_VALUE, WORDED, Writing, dates

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FRACTION = re.compile(r"[+-]?[0-9]*([.,])(?![0-9]{3}$)[0-9]+|[+-]?0([.,])[0-9]+")
"""A number with one mark, behind which no three digits are, so that it is no mark of thousands."""
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(([,.' ])[0-9]{3})(\2[0-9]{3})*(?:([.,])[0-9]+)?")
_TRIALS = 12
_SOME_ROWS = 50_000
"""Rows that options are tried on."""
_GAIN = 1e-6
"""Less is how numbers are rounded."""
_SOME_VALUES = 1000
SourceOf = Callable[[Mapping[str, Any]], TextSource]
"""Makes the source that reads files with some options."""


@dataclass(frozen=True)
class CsvReading:
    """How CSV files are read, and what tells so."""

    options: Mapping[str, Any]
    """Fields of `CsvDialect` for files as they lie there, those that are as by default left out."""
    reasons: Mapping[str, str]
    """What tells so, by field."""
    readings: Mapping[str, Reading]
    """How each column is read, but for those whose dates are ambiguous."""
    ambiguous: Mapping[str, AmbiguousDatesError]
    named_dates: Mapping[str, tuple[str, str]]
    """Columns of text that one format of dates would read, which it cannot beside others: a value, and the format."""
    settled: Mapping[str, Doubt]
    """What was in doubt of columns before an option was found that reads them."""
    layout: Layout
    source: TextSource
    """The source that reads the files, or their copies."""

    @property
    def declared(self) -> dict[str, str]:
        """The types to declare, without which the files would be refused."""
        return dict.fromkeys(self.ambiguous, "VARCHAR")


@dataclass(frozen=True)
class _Trial:
    """The columns as they are read with some options."""

    options: Mapping[str, Any]
    names: Sequence[str]
    readings: Mapping[str, Reading]
    ambiguous: Mapping[str, AmbiguousDatesError]
    texts: Mapping[str, Sequence[str]]
    """Some values of each column that stays text."""

    @property
    def typed(self) -> set[str]:
        """The columns that are something else than text."""
        return {
            name
            for name in self.readings
            if name not in self.texts and not self.readings[name].is_empty
        }

    @property
    def empty(self) -> set[str]:
        """The columns without any value."""
        return {name for name, reading in self.readings.items() if reading.is_empty}

    @property
    def progress(self) -> float:
        """How many columns are settled; one that is nearly numbers counts as far as it is."""
        # Of dates in words all is still open: no value is read.
        doubts = sum(
            one.doubt.share for one in self.readings.values() if one.doubt and one.doubt.found
        )
        return len(self.typed) + len(self.empty) + doubts

    def is_better_than(self, other: "_Trial") -> bool:
        """Whether more is settled, and no column has lost its type."""
        gain = self.progress - other.progress
        return other.typed - self.empty <= self.typed and (
            gain > _GAIN or (gain >= 0 and len(self.ambiguous) < len(other.ambiguous))
        )


def read_csv_files(sample: Sample, scratch: Path, connection: "DuckDBPyConnection") -> CsvReading:
    """Find out how some files are written.

    Args:
        sample: Their copies.
        scratch: A folder for further copies.
        connection: To look into them.

    Raises:
        duckdb.Error: A line does not have the columns of the others.
        TerminalError: The files are not written alike, or their header has a name twice.
    """
    layout = layout_of(sample.lines, is_whole=sample.is_head_whole)
    read = FilesToRead(connection, sample.files, KnownTypes(), {}, scratch)
    found = read_as(read, _source, layout, (_SOME_ROWS, None))
    options, reasons = as_they_lie(sample, found.options, found.reasons)
    return replace(found, options=options, reasons=reasons)


def read_as(
    read: FilesToRead,
    source_of: SourceOf,
    layout: Layout,
    rounds: Sequence[int | None] = (None,),
) -> CsvReading:
    """Find out how values are written in files of which it is known where they stand.

    Args:
        read: The files.
        source_of: Makes the source that reads them with some options.
        layout: The options that are known.
        rounds: How many rows to try options on, one time after the other; all if None.

    Raises:
        TerminalError: The files cannot be read.
    """
    reasons = dict(layout.reasons)
    settled: dict[str, Doubt] = {}
    options: Mapping[str, Any] = layout.options
    # What some rows tell is known before all are read, which takes long.
    for most_rows in rounds:
        found = _tried(read, source_of, options, reasons, settled, most_rows)
        options = found.options
    if nulls := found.options.get("null_values"):
        # How often each comes in all rows.
        others = {name: value for name, value in found.options.items() if name != "null_values"}
        doubts = _doubts(_look(read, source_of, others, rounds[-1]))
        settled |= doubts
        reasons["null_values"] = _told_of_nulls(doubts.values(), nulls[1:])
    return CsvReading(
        found.options,
        reasons,
        found.readings,
        found.ambiguous,
        {name: (value, form) for name, _, form, value in _named_dates(found, read.connection)},
        {name: doubt for name, doubt in settled.items() if name in found.typed},
        layout,
        source_of(found.options),
    )


def _tried(
    read: FilesToRead,
    source_of: SourceOf,
    options: Mapping[str, Any],
    reasons: dict[str, str],
    settled: dict[str, Doubt],
    most_rows: int | None,
) -> _Trial:
    """The columns as they are read with those of all options that help, beside some that are known.

    Args:
        read: The files.
        source_of: Makes the source that reads them with some options.
        options: What is known.
        reasons: What tells so, to which more is added.
        settled: What was in doubt of columns, to which more is added.
        most_rows: How many of the first rows to look at; all if None.
    """
    found = _look(read, source_of, options, most_rows)
    # Each option that helps may show what else there is to say.
    for _ in range(_TRIALS):
        for more, told in _suggestions(found, read.connection):
            trial = _look(read, source_of, {**found.options, **more}, most_rows)
            if trial.is_better_than(found):
                settled |= _doubts(found)
                reasons |= told
                found = trial
                break
        else:
            break
    return found


def _doubts(trial: _Trial) -> dict[str, Doubt]:
    return {name: reading.doubt for name, reading in trial.readings.items() if reading.doubt}


def _source(options: Mapping[str, Any]) -> CsvSource:
    return CsvSource.model_validate(
        {"type": "csv", "path": "sample", "on_doubt": "text", **options}
    )


def as_they_lie(
    sample: Sample, options: Mapping[str, Any], reasons: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What must be said of the files beside what is said of their copies."""
    encoding = {"encoding": sample.encoding.name} if sample.encoding.name != "utf-8" else {}
    told = {"encoding": sample.encoding.reason}
    if sample.packing:
        told["compression"] = f"the file begins as {sample.packing} does"
    return {**encoding, **options}, {**told, **reasons}


def _look(
    read: FilesToRead, source_of: SourceOf, options: Mapping[str, Any], most_rows: int | None
) -> _Trial:
    # Of files that are copied each time, the copies lie in a folder of their own.
    with tempfile.TemporaryDirectory(dir=read.scratch) as folder:
        return _looked(
            source_of(options).texts(replace(read, scratch=Path(folder), looked_at=most_rows)),
            read,
            options,
            most_rows,
        )


def _looked(
    texts: Texts, read: FilesToRead, options: Mapping[str, Any], most_rows: int | None
) -> _Trial:
    columns = texts.columns
    if most_rows is not None:
        columns = replace(columns, query=f"from ({columns.query}) limit {most_rows}")
    ambiguous: dict[str, AmbiguousDatesError] = {}
    from factory.lake.engine import quote

    while True:
        try:
            looked = [
                name
                for name in texts.names
                if name not in ambiguous and name not in texts.are_texts
            ]
            readings = {
                **{name: Reading(quote(name)) for name in texts.are_texts},
                **columns.readings(looked),
            }
            break
        except AmbiguousDatesError as error:
            ambiguous[error.column] = error
    kept = [
        name for name, one in readings.items() if one.expression == quote(name) and not one.is_empty
    ]
    values = {name: _some_values(read.connection, columns.some, name) for name in kept}
    return _Trial(options, texts.names, readings, ambiguous, values)


def _some_values(connection: "DuckDBPyConnection", some: str, name: str) -> list[str]:
    from factory.lake.engine import quote

    column = quote(name)
    query = (
        f"select distinct {column} from ({some}) where {column} is not null limit {_SOME_VALUES}"  # noqa: S608
    )
    return [value for (value,) in connection.sql(query).fetchall()]


def _suggestions(
    found: _Trial, connection: "DuckDBPyConnection"
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Options that may help, the surest first, and why each."""
    doubts = list(_doubts(found).values())
    others = [value.strip() for doubt in doubts for value, _ in doubt.found]
    missing = sorted({value for value in others if value.lower() in NO_VALUE})
    known = found.options.get("null_values", ("",))
    if missing:
        values = ("", *dict.fromkeys([*known[1:], *missing]))
        yield {"null_values": values}, {"null_values": _told_of_nulls(doubts, missing)}
    yield from _marks(found, others)
    yield from _formats(found, connection)


def _told_of_nulls(doubts: Iterable[Doubt], nulls: Sequence[str]) -> str:
    found = [one for doubt in doubts for one in doubt.found]
    counts = {null: sum(count for value, count in found if value.strip() == null) for null in nulls}
    listed = ", ".join(f"{count:,} × {in_quotes(null, 12)}" for null, count in counts.items())
    return f"{listed} among what is else numbers or dates"


def _marks(found: _Trial, others: Sequence[str]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Decimal marks, and marks of thousands, that some values can have been written with."""
    texts = [*others, *(value.strip() for values in found.texts.values() for value in values)]
    decimal, thousands = found.options.get("decimal", "."), found.options.get("thousands")
    fractions = next(
        (one for one in texts if (m := _FRACTION.fullmatch(one)) and "," in m[0]), None
    )
    if decimal == "." and fractions:
        yield (
            {"decimal": ","},
            {"decimal": f"{in_quotes(fractions, 20)} and others have it before their fraction"},
        )
    if thousands:
        return
    for value in texts:
        match = _GROUPED.fullmatch(value)
        if not match:
            continue
        mark, end = match[2], match[4]
        # `1,234` alone can be either; a second group, or another mark behind, tells.
        if not (match[3] or end or (decimal == "," and mark == ".") or mark in "' "):
            continue
        options: dict[str, Any] = {"thousands": mark}
        if end == "," or (end is None and mark == "."):
            options["decimal"] = ","
        if options.get("decimal", decimal) != mark and end != mark:
            yield (
                options,
                dict.fromkeys(options, f"{in_quotes(value, 20)} and others are written so"),
            )
            return


def _formats(
    found: _Trial, connection: "DuckDBPyConnection"
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Formats of dates that other columns have, and formats with the names of months."""
    from factory.lake.engine import literal

    expressions = [reading.expression for reading in found.readings.values()]
    for name, error in found.ambiguous.items():
        for form in error.formats:
            if any(literal(form) in expression for expression in expressions):
                why = f"{in_quotes(name, 30)} can be read in several ways, and other columns are written so"
                key = "timestamp_format" if "%H" in form else "date_format"
                yield {key: form}, {key: why}
    for name, key, form, value in _named_dates(found, connection):
        if key not in found.options:
            yield (
                {key: form},
                {key: f"{in_quotes(value, 30)} and others of {in_quotes(name, 30)} are written so"},
            )


def _named_dates(
    found: _Trial, connection: "DuckDBPyConnection"
) -> Iterator[tuple[str, str, str, str]]:
    """Columns of text that a format with the names of months reads: column, option, format, and a value."""
    for name, values in found.texts.items():
        known = [value for value in values if value.strip().lower() not in NO_VALUE]
        if not known or not any(sign.isdigit() for sign in known[0]):
            continue
        fitting = []
        for key, form in WORDED:
            test = dates("value", replace(Writing(), **{key: form}))[form].test
            rows = connection.execute(
                f"select count(*) from (select unnest(?::varchar[]) as value) where {test}",  # noqa: S608
                [known],
            ).fetchall()
            if rows == [(len(known),)]:
                fitting.append((name, key, form, known[0]))
        # Where a day and a month can be either, nobody knows which.
        if sum("%p" in form for _, _, form, _ in fitting) <= 1:
            yield from fitting[:1]
