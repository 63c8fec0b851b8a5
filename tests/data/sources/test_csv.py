"""CSV files as people have them: what is read is what was meant, or somebody is told."""

import bz2
import gzip
import logging
import re
from datetime import date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.data.sources.csv import CsvSource
from factory.data.sources.text_dialect import DoubtfulColumnError
from factory.data.sources.text_doubts import AmbiguousDatesError
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester


@pytest.fixture
def read_in(tmp_path) -> Ingester:
    return Ingester(tmp_path)


def column(*values: str) -> str:
    """A file with one column `x` beside a number, so that a comma is the delimiter."""
    lines = [f'{number},"{value}"' for number, value in enumerate(values)]
    return "\n".join(["n,x", *lines, ""])


at = datetime.fromisoformat


def values(rows) -> list:
    return [row[1] for row in read(rows)]


@pytest.mark.parametrize(
    ("texts", "kind", "meant"),
    [
        (("1", "-2", "+3"), "BIGINT", [1, -2, 3]),
        (("1", "", "2.5"), "DOUBLE", [1.0, None, 2.5]),
        (("1e-5", "2.5E3"), "DOUBLE", [1e-5, 2500.0]),
        ((" 7 ", "8"), "BIGINT", [7, 8]),
        (("true", "FALSE", ""), "BOOLEAN", [True, False, None]),
        (("02139", "10001"), "VARCHAR", ["02139", "10001"]),
        (("1E5", "2E3", "7"), "VARCHAR", ["1E5", "2E3", "7"]),
        (("0", "10"), "BIGINT", [0, 10]),
        (("0.5", "007"), "VARCHAR", ["0.5", "007"]),
        (("18446744073709551616", "1"), "VARCHAR", ["18446744073709551616", "1"]),
        (("2024-01-02", "2024-12-31"), "DATE", [date(2024, 1, 2), date(2024, 12, 31)]),
        (("2024-01-02 03:04", "2024-01-02T05:06:07.5"), "TIMESTAMP",
         [at("2024-01-02 03:04"), at("2024-01-02 05:06:07.5")]),
        (("13/01/2024", "01/02/2024"), "DATE", [date(2024, 1, 13), date(2024, 2, 1)]),
        (("01/13/2024", "01/02/2024"), "DATE", [date(2024, 1, 13), date(2024, 1, 2)]),
        (("03.02.2024", "01.02.2024"), "DATE", [date(2024, 2, 3), date(2024, 2, 1)]),
        (("31/12/2024 08:30", "01/02/2024 09:00"), "TIMESTAMP",
         [at("2024-12-31 08:30"), at("2024-02-01 09:00")]),
        (("12:30", "08:15"), "VARCHAR", ["12:30", "08:15"]),
        (("a", "1"), "VARCHAR", ["a", "1"]),
        (("1.2.3", "1.4.2"), "VARCHAR", ["1.2.3", "1.4.2"]),
        (("31.12.40", "01.02.24"), "DATE", [date(2040, 12, 31), date(2024, 2, 1)]),
        (("99.12.31", "24.01.02"), "DATE", [date(1999, 12, 31), date(2024, 1, 2)]),
        (("epoch", "Infinity"), "VARCHAR", ["epoch", "Infinity"]),
        (("0x1F", "1_000"), "VARCHAR", ["0x1F", "1_000"]),
        (("100000000000000000000", "0.5"), "DOUBLE", [1e20, 0.5]),
        (("9007199254740993", "1"), "BIGINT", [9007199254740993, 1]),
        (("12 Elm 24", "7 Oak 11"), "VARCHAR", ["12 Elm 24", "7 Oak 11"]),
        (("true", "north", "false"), "VARCHAR", ["true", "north", "false"]),
        (("12-34-56", "40-47-84"), "VARCHAR", ["12-34-56", "40-47-84"]),
        (("", ""), "VARCHAR", [None, None]),
    ],
)  # fmt: skip
def test_a_column_has_the_type_of_all_its_values(read_in, texts, kind, meant, caplog):
    rows = read_in.csv(column(*texts))
    assert (rows.columns["x"], values(rows)) == (kind, meant)
    assert "stays text" not in caplog.text


@pytest.mark.parametrize(
    ("texts", "readings"),
    [
        (("01/02/2024", "03/04/2024"), ("2024-02-01 (%d/%m/%Y) or 2024-01-02 (%m/%d/%Y)",)),
        (("02/01/24",), ("2024-01-02 (%d/%m/%y)", "2024-02-01 (%m/%d/%y)", "2002-01-24 (%y/%m/%d)")),
        (("24-01-02", "24-01-15"), ("2002-01-24 (%d-%m-%y) or 2024-01-02 (%y-%m-%d)",)),
        (("24/01/02 8:00",), ("2024-01-02 08:00:00 (%y/%m/%d %H:%M)",)),
        (("24.01.02",), ("2002-01-24 (%d.%m.%y) or 2024-01-02 (%y.%m.%d)",)),
        (("01-02-2024 10:00",), ("2024-02-01 10:00:00 (%d-%m-%Y %H:%M)",)),
    ],
)  # fmt: skip
def test_dates_with_several_readings_are_refused_with_all_of_them(read_in, texts, readings):
    with pytest.raises(AmbiguousDatesError) as caught:
        read_in.csv(column(*texts))
    for reading in readings:
        assert reading in str(caught.value)
    assert "_format: '" in str(caught.value)


def test_one_reading_holds_for_all_files_of_a_glob(read_in):
    for name, day in (("a", "01/02/2024"), ("b", "01/13/2024")):
        (read_in.project / f"{name}.csv").write_text(column(day))
    rows = read_in(CsvSource(type="csv", path="*.csv"))
    assert sorted(values(rows)) == [date(2024, 1, 2), date(2024, 1, 13)]


def test_the_format_of_dates_can_be_said(read_in):
    rows = read_in.csv(column("01/02/2024", ""), date_format="%m/%d/%Y")
    assert (rows.columns["x"], values(rows)) == ("DATE", [date(2024, 1, 2), None])
    rows = read_in.csv(column("01/02/24 7:05"), timestamp_format="%d/%m/%y %H:%M")
    assert values(rows) == [at("2024-02-01 07:05")]


def test_declared_columns_are_read_as_it_is_said(read_in):
    text = "a;b\n1.234,5;31/12/2024\n"
    said = {"decimal": ",", "thousands": ".", "date_format": "%d/%m/%Y"}
    rows = read_in.csv(text, columns={"a": "double", "b": "date"}, **said)
    assert read(rows) == [(1234.5, date(2024, 12, 31))]
    assert read(read_in.csv(text, **said)) == [(1234.5, date(2024, 12, 31))]


@pytest.mark.parametrize(
    ("text", "skip"),
    [
        ("# c\nhead\na,b\n1,2\n# d\n3,x\n", 2),
        ("# c\n# d\na,b\n1,2\n3,x\n", 2),
        ("head\n# c\na,b\n1,2\n3,x\n", 1),
    ],
)
def test_comments_are_among_the_lines_to_skip(read_in, text, skip):
    rows = read_in.csv(text, skip=skip, comment="#")
    assert (list(rows.columns), read(rows)) == (["a", "b"], [(1, "2"), (3, "x")])
    line = 1 + text.count("\n", 0, text.index("3,x"))
    with pytest.raises(TerminalError, match=f"Line: {line}"):
        read_in.csv(text, skip=skip, comment="#", columns={"b": "DOUBLE"})


def test_a_declared_decimal_keeps_all_digits(read_in):
    said = {"decimal": ",", "thousands": "."}
    rows = read_in.csv("a;b\n1.234,5;1\n", columns={"a": "DECIMAL(7,2)"}, **said)
    assert read(rows) == [(Decimal("1234.50"), 1)]
    message = r"a\.csv, line 2: column 'a' is declared as DECIMAL\(7,2\), and '1\.234,567' is none"
    with pytest.raises(TerminalError, match=message):
        read_in.csv("a;b\n1.234,567;1\n", columns={"a": "DECIMAL(7,2)"}, **said)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["1.5"] * 9 + ["NA"], "'x' is 90 % numbers, and stays text because of 'NA' (once): write `null_values"),
        (["1,5", "2,5"], "0 % numbers, and stays text because of '1,5' (once), '2,5' (once): write `decimal: \",\"`"),
        (["1,234.5", "2,000,000"], 'write `thousands: ","`'),
        (["1,234", "2,345"], '`thousands: ","` if they are thousands, `decimal: ","` if they are fractions'),
        (["$12.50", "$3"], "take the signs away in a transform, such as `cast(regexp_replace"),
        (["12%", "50 %"], "take the sign away in a transform"),
        (["1"] * 9 + ["inf"], "no model learns from infinite numbers"),
        (["1", "NA", "NA"], "'x' is 33.33 % numbers, and stays text because of 'NA' (2 times): write `null_values"),
        (["1"] * 9 + ["oops 7"], "'oops 7' (once): correct them"),
        (["2024-01-02"] * 9 + ["n/a"], "'x' is 90 % dates, and stays text because of 'n/a' (once)"),
        (["true", "false"] * 4 + ["NA", "?"], "is 80 % true or false, and stays text because of '?' (once), 'NA' (once): write `null_values"),
        (["True"] * 9 + ["maybe"], "'x' is 90 % true or false, and stays text because of 'maybe' (once)"),
        (["2024-01-31", "31.01.2024", "13.05.2024"], "dates in one form, and stays text because of"),
        (["2024-01-01T00:00:00Z", "2024-01-01 10:00:00"], "dates in one form, and stays text because of"),
        (["5-Jan-24", "12-Feb-24"], "'x' is 100 % dates such as '12-Feb-24', and stays text: write `date_format: '%d-%b-%y'`"),
        (["1/22/2024 3:04 PM", "3/4/2024 11:00 AM"], "stays text: write `timestamp_format: '%m/%d/%Y %I:%M %p'`"),
        (["1/2/2024 3:04 PM", "3/4/2024 11:00 AM"],
         "write `timestamp_format: '%m/%d/%Y %I:%M %p'` or `timestamp_format: '%d/%m/%Y %I:%M %p'`, whichever it is"),
        (["9007199254740993", "1.5"], "because of '9007199254740993' (once): a DOUBLE does not keep all of their digits"),
        (["12.5-", "3.5", "(7.25)"], "write the minus before the number, as in -12.5"),
        (["\u22125", "3"], "write the minus before the number, as in -12.5"),
        (["EUR 12.50", "3.10 CHF"], "take the signs away in a transform"),
        (["1\u2019234.50", "12.5"], 'write `thousands: "\u2019"`'),
        (["1\u00a0234", "12"], r'write `thousands: "\xa0"`'),
    ],
)  # fmt: skip
def test_a_column_that_is_nearly_something_stays_text_and_is_told(read_in, texts, found, caplog):
    caplog.set_level(logging.WARNING)
    rows = read_in.csv(column(*texts))
    assert (rows.columns["x"], values(rows)) == ("VARCHAR", texts)
    assert found in caplog.text


@pytest.mark.parametrize(
    ("options", "texts", "meant"),
    [
        ({"null_values": ["", "NA"]}, ["1.5", "NA"], [1.5, None]),
        ({"decimal": ","}, ["1,5", "2"], [1.5, 2.0]),
        ({"thousands": ","}, ["1,234.5", "7"], [1234.5, 7.0]),
        ({"thousands": ".", "decimal": ","}, ["1.234,5", "7"], [1234.5, 7.0]),
        ({"thousands": "\u2019"}, ["1\u2019234.5", "7"], [1234.5, 7.0]),
        ({"thousands": "\u00a0"}, ["1\u00a0234.5", "7"], [1234.5, 7.0]),
        ({"null_values": ["", "NA"]}, ["true", "NA"], [True, None]),
        ({"date_format": "%d-%b-%y"}, ["5-Jan-24", "12-Feb-24"], [date(2024, 1, 5), date(2024, 2, 12)]),
        ({"timestamp_format": "%d/%m/%Y %I:%M %p"}, ["1/2/2024 3:04 PM"], [at("2024-02-01 15:04")]),
    ],
)  # fmt: skip
def test_the_option_that_is_advised_reads_the_column(read_in, options, texts, meant, caplog):
    rows = read_in.csv(column(*texts), **options)
    assert values(rows) == meant
    assert "stays text" not in caplog.text


def test_dates_that_are_not_written_as_it_is_said_are_told(read_in, caplog):
    rows = read_in.csv(column("01/02/24"), date_format="%d/%m/%Y")
    assert (rows.columns["x"], values(rows)) == ("VARCHAR", ["01/02/24"])
    assert (
        "'x' is 0 % dates written as %d/%m/%Y, and stays text because of '01/02/24'" in caplog.text
    )


def test_points_in_time_begin_as_dates_do(read_in):
    rows = read_in.csv(column("01/02/2024 10:00"), date_format="%m/%d/%Y")
    assert values(rows) == [at("2024-01-02 10:00")]


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        ("date", "31/12/2024", date(2024, 12, 31)),
        ("timestamp", "2024-01-01 10:00:00+02:00", at("2024-01-01 08:00")),
        ("timestamp", "2024-01-01", at("2024-01-01")),
        ("int", "007", 7),
        ("bigint", "2.0", 2),
    ],
)
def test_declared_columns_are_what_is_meant(read_in, kind, text, meant):
    assert values(read_in.csv(column(text, ""), columns={"x": kind})) == [meant, None]


@pytest.mark.parametrize(
    ("kind", "texts", "found"),
    [
        ("date", ["01/02/2024"], r"2024-02-01 \(%d/%m/%Y\) or 2024-01-02 \(%m/%d/%Y\)"),
        ("date", ["2024-01-01", "oops"], r"(?s)Line: 3.*\"oops\" to 'DATE'"),
        ("date", ["2024-01-01 10:00"], r"(?s)Line: 2.*to 'DATE'"),
        ("timestamp", ["2024-01-01 10:00+02", "2024-01-01 10:00"], "not all written in one such way"),
        ("int", ["1", "1.5"], "declared as INTEGER, and '1.5' is none"),
        ("int", ["1", "3000000000"], r"(?s)Line: 3.*'INTEGER'"),
        ("bigint", ["99999999999999999999"], r"(?s)Line: 2.*'BIGINT'"),
    ],
)  # fmt: skip
def test_declared_columns_with_other_values_are_refused(read_in, kind, texts, found):
    with pytest.raises(TerminalError, match=found):
        read_in.csv(column(*texts), columns={"x": kind})


def test_doubt_halts_or_is_silent_where_it_is_said_so(read_in, caplog):
    text = column(*["1"] * 9, "?")
    with pytest.raises(DoubtfulColumnError, match=r"'x' is 90 % numbers"):
        read_in.csv(text, on_doubt="halt")
    assert read_in.csv(text, on_doubt="text").columns["x"] == "VARCHAR"
    assert "stays text" not in caplog.text


LINES = "".join(f"{n};n{n};{n}.5\n" for n in range(12))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([LINES], "a0.csv: the header has '0.5', which are values rather than names: write `header: false`"),
        (["7;Rome\n8;Oslo\n"], "the header has '7', which are values rather than names"),
        (["id;name;v\n" + LINES, LINES], "a1.csv: the header has '0.5', which are values rather than names"),
        (["id;name;v\n" + LINES, "id;nme;v\n" + LINES], "a1.csv has 'nme' (did you mean `name`?), and not 'name' as a0.csv"),
        (["id||v\n1||2\n3||4\n"], "columns without a name are called 'column1'"),
        (["id;name;v\n" + LINES + "id;name;v\n"], "because of 'id' (once): the header stands among the rows"),
        (["id;name;v\n" + LINES + "Total;;78\n"], "because of 'Total' (once): write `skip_footer: 1` if it is a sum"),
    ],
)  # fmt: skip
def test_doubts_about_headers_are_told(read_in, files, found, caplog):
    caplog.set_level(logging.WARNING)
    for number, text in enumerate(files):
        (read_in.project / f"a{number}.csv").write_text(text)
    mark = "|" if "||" in files[0] else ";"
    read_in(CsvSource(type="csv", path="a*.csv", delimiter=mark))
    assert found in caplog.text


@pytest.mark.parametrize(
    "files",
    [
        ["2019;2020;2021\n1;2;3\n"],
        ["0;1;2\n1;2;3\n"],
        ["id;name;v;\n1;a;2;\n"],
        [";name\n0;a\n"],
        ["id;name\n1;a\n", "id;name;new\n2;b;3\n", "id\n3\n"],
        ["id;name\n1;a\n", "NAME;ID\nb;2\n"],
    ],
)
def test_headers_as_programs_write_them_are_no_doubt(read_in, files, caplog):
    caplog.set_level(logging.WARNING)
    for number, text in enumerate(files):
        (read_in.project / f"a{number}.csv").write_text(text)
    read_in(CsvSource(type="csv", path="a*.csv", delimiter=";"))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("sep=;\nid;v\n1;2\n", "the first line, 'sep=;', is for Excel alone: write `skip: 1` and `delimiter: ';'`"),
        ("id;v\n1;2\n".encode("utf-16"), "is in UTF-16, and is read as utf-8: write `encoding: utf-16`"),
        (b"PK\x03\x04" + b"a" * 90, "is a workbook or an archive: write `type: excel` for a workbook"),
        ("<!DOCTYPE html><html><body>Log in, please</body></html>\n", "is a web page, as servers send it"),
        ("id;v\r\n1;2\n" + "1;2\n3;4\r\n" * 9, "its lines end in different ways"),
    ],
)  # fmt: skip
def test_what_is_no_csv_file_is_told(read_in, content, told):
    with pytest.raises(TerminalError, match=re.escape(told)):
        read_in.csv(content)


def test_columns_of_words_are_no_doubt(read_in, caplog):
    read_in.csv(column("12 apples", "some pears", "7"))
    assert "stays text" not in caplog.text


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-8"])
def test_the_encoding_can_be_said(read_in, encoding):
    rows = read_in.csv(
        column("Škoda" if encoding == "cp1252" else "Müller").encode(encoding), encoding=encoding
    )
    assert values(rows) == ["Škoda" if encoding == "cp1252" else "Müller"]


def test_text_in_another_encoding_is_told_with_its_line(read_in):
    with pytest.raises(TerminalError, match=r"a\.csv: line 3 is not in ascii .*write `encoding`"):
        read_in.csv(column("a", "ü", "b"), encoding="ascii")


def test_a_mark_at_the_start_of_a_file_is_no_part_of_a_name(read_in):
    assert list(read_in.csv(b"\xef\xbb\xbf" + column("a").encode()).columns) == ["n", "x"]


@pytest.mark.parametrize(
    ("name", "pack"), [("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress)]
)
def test_the_delimiter_of_a_packed_file_is_found(read_in, name, pack):
    rows = read_in.csv(pack(b"a;b\n1;2\n"), name=name)
    assert read(rows) == [(1, 2)]


def test_preamble_and_footer_are_left_out(read_in):
    text = "made by sensor 7\n\nn,x\n1,2\n3,4\ntotal,6\n"
    rows = read_in.csv(text, skip=2, skip_footer=1)
    assert (list(rows.columns), read(rows)) == (["n", "x"], [(1, 2), (3, 4)])


def test_comments_are_left_out(read_in):
    rows = read_in.csv("# first\nn,x\n1,2\n# between\n3,4\n", comment="#")
    assert read(rows) == [(1, 2), (3, 4)]


def test_quotes_and_escapes_can_be_said(read_in):
    rows = read_in.csv("n,x\n1,'it\\'s, here'\n", quote="'", escape="\\")
    assert read(rows) == [(1, "it's, here")]


def test_files_of_one_glob_have_one_delimiter(read_in):
    (read_in.project / "a.csv").write_text("n,x\n1,2\n")
    (read_in.project / "b.csv").write_text("n;x\n1;2\n")
    with pytest.raises(TerminalError, match=r"a\.csv has ',' .*, and b\.csv has ';'"):
        read_in(CsvSource(type="csv", path="*.csv"))


def test_two_columns_of_one_name_are_refused_with_both(read_in):
    with pytest.raises(TerminalError, match=r"a\.csv: the header has the columns 'ID' and 'id'"):
        read_in.csv("ID,x,id\n1,2,3\n")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"thousands": "."}, "`thousands` and `decimal` are both '.'"),
        ({"quote": ";", "delimiter": ";"}, "`delimiter` and `quote` are both ';'"),
        ({"date_format": "DD/MM/YYYY"}, "strptime"),
        ({"date_format": "%d/%m/%Q"}, "%Q"),
    ],
)
def test_marks_and_formats_that_cannot_be_are_problems_of_the_team_file(options, problem):
    with pytest.raises(ValidationError, match=problem):
        CsvSource(type="csv", path="a.csv", **options)


def test_an_encoding_that_does_not_exist_is_a_problem_of_the_team_file():
    with pytest.raises(ValidationError, match="Python knows no encoding 'uft-8'"):
        CsvSource(type="csv", path="a.csv", encoding="uft-8")
