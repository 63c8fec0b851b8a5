"""What `source` must be told of a CSV file is found by trying it, and said with what tells so."""

import gzip

import pytest

from tests.data.profile.project import InspectedProject, section


@pytest.fixture
def project(tmp_path) -> InspectedProject:
    return InspectedProject(tmp_path)


def table(*values: str, name: str = "x") -> str:
    """A file with one column beside a number and a word."""
    lines = [f"{number};w{number % 3};{value}" for number, value in enumerate(values)]
    return "\n".join([f"n;w;{name}", *lines, ""])


def read(found, name: str = "x") -> tuple[str, str]:
    """The type of a column and what tells so."""
    [column] = [column for column in found.columns if column.name == name]
    return column.kind, column.reason


@pytest.mark.parametrize(
    ("values", "options", "kind", "reason"),
    [
        (["1.5"] * 89 + ["NA"], {"null_values": ["", "NA"]}, "DOUBLE", "98.89 % numbers, 1 × 'NA'"),
        (["1,5", "2,25"], {"decimal": ","}, "DOUBLE", "numbers such as '1,5'"),
        (["0,125", "0,250"], {"decimal": ","}, "DOUBLE", "numbers such as '0,125'"),
        (["1,234,567", "2"], {"thousands": ","}, "DOUBLE", "numbers such as '1,234,567'"),
        (["1,234.5", "2"], {"thousands": ","}, "DOUBLE", "numbers such as '1,234.5'"),
        (["1.234,5", "2"], {"decimal": ",", "thousands": "."}, "DOUBLE", None),
        (["1'234.5", "2"], {"thousands": "'"}, "DOUBLE", None),
        (["-", *["1.009,05"] * 20], {"decimal": ",", "thousands": ".", "null_values": ["", "-"]}, "DOUBLE", None),
        (["19-Sep-03", "01-Mar-24"], {"date_format": "%d-%b-%y"}, "DATE", "dates written as %d-%b-%y"),
        (["March 1, 2024", "May 12, 2024"], {"date_format": "%B %d, %Y"}, "DATE", None),
        (["true", "false", "NA"] * 9 + ["true"] * 20, {"null_values": ["", "NA"]}, "BOOLEAN", None),
        (["03/14/2024 5:06 PM", "04/03/2024 7:08 AM"], {"timestamp_format": "%m/%d/%Y %I:%M %p"}, "TIMESTAMP", None),
        (["03/04/2024 5:06 PM", "04/03/2024 7:08 AM"], {}, "VARCHAR", "100 % dates such as '03/04/2024 5:06 PM'"),
        (["2024-01-02", "2024-03-04"], {}, "DATE", "dates"),
        (["13/01/2024", "02/03/2024"], {}, "DATE", "dates written as %d/%m/%Y"),
        (["02139", "10001"], {}, "VARCHAR", "codes: digits with zeros before them"),
        (["1E5", "2E3"], {}, "VARCHAR", "codes such as 1E5"),
        (["18446744073709551616", "1"], {}, "VARCHAR", "whole numbers too long for 64 bits"),
        (["1,234", "5,678"], {}, "VARCHAR", "numbers with other signs, 1 × '1,234', 1 × '5,678'"),
        (["$12.50", "$3.10"], {}, "VARCHAR", "numbers with other signs, 1 × '$12.50', 1 × '$3.10'"),
        (["", ""], {}, "VARCHAR", "no value"),
        (["NA", "NO", "SE"] * 9, {}, "VARCHAR", "texts"),
    ],
)  # fmt: skip
def test_option_that_reads_a_column_is_found(project, values, options, kind, reason):
    found = project.look(table(*values))
    source = section(found)["source"]
    assert {name: source[name] for name in source if name not in ("type", "path")} == options
    assert section(found)["columns"]["x"] == kind
    assert read(found) == (kind, reason or read(found)[1])
    assert set(options) <= set(found.dialect)
    assert all(found.dialect[name].reason for name in options)


def test_dates_of_two_readings_stay_text_and_both_are_shown(project):
    found = project.look(table("01/02/2024", "03/04/2024"))
    assert read(found) == (
        "VARCHAR", "dates such as '01/02/2024', which can be %d/%m/%Y or %m/%d/%Y",
    )  # fmt: skip
    assert section(found)["columns"]["x"] == "VARCHAR"


def test_dates_of_two_readings_are_read_as_those_of_another_column(project):
    lines = ["a;b", "01/02/2024;13/02/2024", "03/04/2024;14/04/2024"]
    found = project.look("\n".join(lines) + "\n")
    assert section(found)["source"]["date_format"] == "%d/%m/%Y"
    assert section(found)["columns"] == {"a": "DATE", "b": "DATE"}


def test_format_that_would_break_another_column_of_dates_is_only_told(project):
    lines = ["a;b", "13.02.2024;01-Mar-24", "14.04.2024;30-Nov-22"]
    found = project.look("\n".join(lines) + "\n")
    assert section(found)["columns"] == {"a": "DATE", "b": "VARCHAR"}
    [told] = [one for one in found.suspicions if one.column == "b"]
    assert (told.kind, told.advice) == (
        "dates_as_text", "read it in a transform: `strptime(…, '%d-%b-%y')::date`",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", None), ("cp1252", "cp1252"), ("utf-16", "utf-16"), ("cp1250", "cp1250")]
)  # fmt: skip
def test_encoding_is_found_and_values_are_read_in_it(project, encoding, told):
    names = ["Łódź", "Gdańsk"] if encoding == "cp1250" else ["Köln", "Zürich"]
    found = project.look(table(*names * 5).encode(encoding))
    assert section(found)["source"].get("encoding") == told
    assert {
        value for column in found.columns if column.name == "x" for value, _ in column.facts.top
    } == set(names)


def test_sign_late_in_a_file_tells_its_encoding(project):
    found = project.look(table(*["plain"] * 60_000, "Köln").encode("cp1252"))
    assert section(found)["source"]["encoding"] == "cp1252"


def test_compression_is_known_by_content_and_said_where_the_name_does_not_tell(project):
    packed = gzip.compress(table("1", "2").encode())
    assert "compression" not in section(project.look(packed, "a.csv.gz"))["source"]
    assert section(project.look(packed, "b.csv"))["source"]["compression"] == "gzip"
    assert section(project.look(table("1"), "c.csv.gz"))["source"]["compression"] == "none"


def test_lines_before_and_after_the_table_are_named(project):
    text = "Report of May;;\n" + table("1", "2", "3", "4") + "Total;;10\n"
    found = project.look(text)
    source = section(found)["source"]
    assert (source["skip"], source["skip_footer"], found.rows) == (1, 1, 4)


def test_bins_of_whole_numbers_hold_as_many_numbers_each(project):
    found = project.look(table(*map(str, range(60))))
    [column] = [column for column in found.columns if column.name == "x"]
    assert column.facts.histogram.counts == [3] * 20


def test_numbers_of_any_size_make_a_picture(project):
    found = project.look(table("1e308", "-1e308", "0.5", "1e-300"))
    [column] = [column for column in found.columns if column.name == "x"]
    assert sum(column.facts.histogram.counts) == 4
