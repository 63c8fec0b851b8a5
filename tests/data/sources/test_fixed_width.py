"""Files whose columns stand at fixed places: what is read is what was meant, or somebody is told."""

import gzip
import logging
from datetime import date

import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.data.sources.fixed_width import FixedWidthSource
from factory.data.sources.source import KnownTypes
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester

FIELDS = {"id": 6, "name": 8, "sum": "17-23", "day": "25-32"}
TEXT = """\
000001Müller    1.234,5 31.12.40
000002"A, b"          7 01.02.24

000003Ann             -
"""
SAID = {"decimal": ",", "thousands": ".", "date_format": "%d.%m.%y", "null_values": ["", "-"]}


@pytest.fixture
def read_in(tmp_path):
    ingester = Ingester(tmp_path)

    def ingest(*contents: str | bytes, columns=None, pinned=None, suffix="txt", **said):
        for number, content in enumerate(contents):
            file = ingester.project / f"{number}.{suffix}"
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        source = FixedWidthSource(
            type="fixed_width", path=f"*.{suffix}", **{"fields": FIELDS, **said}
        )
        return ingester(source, columns=columns or {}, pinned=pinned or KnownTypes())

    return ingest


ROWS = [
    ("000001", "Müller", 1234.5, date(2040, 12, 31)),
    ("000002", '"A, b"', 7.0, date(2024, 2, 1)),
    ("000003", "Ann", None, None),
]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT, {}),
        (TEXT.replace("\n", "\r\n"), {}),
        (b"\xef\xbb\xbf" + TEXT.encode(), {}),
        (TEXT.encode("cp1252"), {"encoding": "cp1252"}),
        (TEXT.encode("utf-16"), {"encoding": "utf-16"}),
        (gzip.compress(TEXT.encode(), mtime=0), {"suffix": "txt.gz"}),
        ("# a\nhead\n" + TEXT + "3 rows\n", {"skip": 2, "skip_footer": 1}),
        ("head\n# a\n" + TEXT + "# b\n", {"skip": 1, "comment": "#"}),
    ],
)  # fmt: skip
def test_lines_are_cut_and_typed_as_in_csv(read_in, content, said, caplog):
    caplog.set_level(logging.WARNING)
    rows = read_in(content, **SAID, **said)
    assert rows.columns == {"id": "VARCHAR", "name": "VARCHAR", "sum": "DOUBLE", "day": "DATE"}
    assert read(rows) == ROWS
    assert not caplog.text


def test_all_files_decide_on_a_type(read_in):
    rows = read_in("1\n", "2.5\n", fields={"x": 3})
    assert (rows.columns, sorted(read(rows))) == ({"x": "DOUBLE"}, [(1.0,), (2.5,)])


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (TEXT, {"columns": {"sum": "BIGINT"}, **SAID}, "0.txt, line 1: column 'sum' is declared as BIGINT, and '1.234,5' is none"),
        (TEXT, {"columns": {"id": "DATE"}, **SAID}, "0.txt, line 1: column 'id' is declared as DATE"),
        ("x\n1\n\ny\n", {"skip": 1, "fields": {"a": 1}, "columns": {"a": "BIGINT"}}, "0.txt, line 4: .*'y' is none"),
        ("x\n", {"fields": {"a": 1}, "pinned": KnownTypes({"a": "BIGINT"}, "version 3 of a.b")}, "'a' is BIGINT in version 3"),
        ("24-01-02\n", {"fields": {"a": 8}}, r"2002-01-24 \(%d-%m-%y\) or 2024-01-02"),
        ("1\n2\n3\n4\nn\n", {"fields": {"a": 1}, "on_doubt": "halt"}, "'a' is 80 % numbers, and stays text because of 'n'"),
        ("1ab\n2\n", {"fields": {"a": 1}, "on_doubt": "halt"}, "what is behind character 1 of 1 line is in no column, such as 'ab'"),
        ("1ab\n2\n", {"fields": {"a": 1, "b": "3-3"}, "on_doubt": "halt"}, "characters 2 to 2 of 1 line is in no column, such as 'a'"),
        (b"\xfc\n", {"fields": {"a": 1}, "skip_footer": 1}, "line 1 is not in utf-8"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_is_said_is_told(read_in, text, said, message):
    with pytest.raises(TerminalError, match=message):
        read_in(text, **said)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"a": 0}, "0 is no place in a line: write how many characters the field has, as 8"),
        ({"a": "8-3"}, "'8-3' is no place"),
        ({"a": True}, "True is no place"),
        ({"a": 3, "b": "3-5"}, "'a' and 'b' both have character 3"),
        ({"a": 3, "A": 3}, "'a' and 'A' have the same name to SQL"),
        ({}, "at least 1 item"),
    ],
)
def test_places_that_cannot_be_are_problems(fields, message):
    with pytest.raises(ValidationError, match=message):
        FixedWidthSource(type="fixed_width", path="data/a.txt", fields=fields)


def test_codes_stay_text_as_in_the_last_snapshot(read_in):
    pinned = KnownTypes({"a": "VARCHAR"}, "version 3 of a.b")
    assert read(read_in("12139\n", fields={"a": 5}, pinned=pinned)) == [("12139",)]
