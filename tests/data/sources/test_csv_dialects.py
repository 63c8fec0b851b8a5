"""Random tables in random dialects come back equal if it is said how they are written; else somebody is told."""

import bz2
import csv
import gzip
import io
import logging
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from factory.base.errors import TerminalError
from factory.data.sources.csv import CsvSource
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester

ROWS = 40
PACKINGS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


@dataclass
class Export:
    """A table as some program has written it."""

    random: random.Random
    said: dict[str, Any] = field(default_factory=dict)
    """What a team must write to read it."""

    def __post_init__(self) -> None:
        pick = self.random.choice
        decimal, thousands = pick([(".", None), (",", None), (".", ","), (",", "."), (".", " ")])
        day, time = (
            pick(["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%y"]),
            pick([" %H:%M", "T%H:%M:%S"]),
        )
        self.said = {
            "delimiter": pick([",", ";", "\t", "|"]),
            "quote": pick(['"', '"', "'"]),
            "encoding": pick(["utf-8", "cp1252", "utf-16", "latin-1"]),
            "decimal": decimal,
            "thousands": thousands,
            "date_format": day,
            "timestamp_format": day + time,
            "null_values": [pick(["", "NA", "-", "n/a"])],
            "comment": pick([None, "#"]),
            "skip": pick([0, 0, 3]),
            "skip_footer": pick([0, 0, 1]),
        }  # fmt: skip

    def table(self) -> list[tuple[Any, ...]]:
        """Rows of an id and of columns of each kind, some of them null."""
        start = datetime(2023, 1, 1)  # noqa: DTZ001
        days = [start + timedelta(minutes=self.random.randrange(700_000)) for _ in range(ROWS)]
        words = [
            "Müller",
            'he said "no"',
            "it's; here",
            "a, b|c\td",
            "two\nlines",
            "",
            "12 Main St",
        ]
        columns: list[list[Any]] = [
            [self.random.randint(-9, 9_999_999) for _ in range(ROWS)],
            [round(self.random.uniform(-5000, 5000), 3) for _ in range(ROWS)],
            [date(day.year, day.month, day.day) for day in days],
            days,
            [f"{self.random.randrange(100_000):05}" for _ in range(ROWS)],
            [self.random.random() < 0.5 for _ in range(ROWS)],
            [self.random.choice(words) or None for _ in range(ROWS)],
        ]
        columns[4][0] = "00042"
        for column in columns[:4]:
            column[self.random.randrange(1, ROWS)] = None
        return [(number, *row) for number, row in enumerate(zip(*columns, strict=True))]

    def content(self, rows: list[tuple[Any, ...]]) -> bytes:
        """A file of the rows."""
        text = io.StringIO()
        text.write("".join(f"preamble {number}\n" for number in range(self.said["skip"])))
        text.write("# a comment\n" if self.said["comment"] else "")
        mark, quote = self.said["delimiter"], self.said["quote"]
        quoting = self.random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        writer = csv.writer(
            text, delimiter=mark, quotechar=quote, quoting=quoting, lineterminator="\n"
        )
        writer.writerow(["id", "n", "x", "day", "at", "code", "flag", "word"])
        writer.writerows([self.written(value) for value in row] for row in rows)
        text.write("the end\n" * self.said["skip_footer"])
        return text.getvalue().encode(self.said["encoding"])

    def written(self, value: Any) -> str:
        """One value as text."""
        if value is None:
            return self.said["null_values"][0]
        if isinstance(value, datetime):
            return value.strftime(self.said["timestamp_format"])
        if isinstance(value, date):
            return value.strftime(self.said["date_format"])
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, (int, float)):
            return str(value)
        grouped = f"{value:_}" if self.said["thousands"] else str(value)
        swapped = grouped.replace(".", "!").replace("_", self.said["thousands"] or "")
        return swapped.replace("!", self.said["decimal"])


@pytest.fixture
def read_in(tmp_path) -> Ingester:
    return Ingester(tmp_path)


def ingest(read_in: Ingester, export: Export, rows: list[Any], said: dict[str, Any]) -> list[Any]:
    """The rows of an export in two files, in their order."""
    ending = export.random.choice(list(PACKINGS))
    for name, part in (("a", rows[: ROWS // 2]), ("b", rows[ROWS // 2 :])):
        content = PACKINGS[ending](export.content(part))
        (read_in.project / f"{name}.csv{ending}").write_bytes(content)
    return sorted(read(read_in(CsvSource(type="csv", path="*.csv*", **said))))


@pytest.mark.parametrize("seed", range(10))
def test_tables_come_back_equal_if_their_dialect_is_said(read_in, seed, caplog):
    caplog.set_level(logging.WARNING)
    export = Export(random.Random(seed))
    rows = export.table()
    found = ingest(read_in, export, rows, export.said)
    assert found == rows, export.said
    assert "stays text" not in caplog.text


@pytest.mark.parametrize("left_out", [
    "delimiter", "encoding", "decimal", "thousands", "date_format", "timestamp_format", "null_values",
])  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_said_is_found_or_told(read_in, seed, left_out, caplog):
    caplog.set_level(logging.WARNING)
    export = Export(random.Random(100 * seed + len(left_out)))
    rows = export.table()
    said = {key: value for key, value in export.said.items() if key != left_out}
    try:
        found = ingest(read_in, export, rows, said)
    except TerminalError:
        return
    assert found == rows or "stays text" in caplog.text, export.said
