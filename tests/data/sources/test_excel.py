"""Workbooks: what is read is what was meant, or somebody is told the cell and what to write."""

import io
import logging
import zipfile
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.data.sources import excel
from factory.data.sources.excel import ExcelSource
from factory.data.sources.source import KnownTypes
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester

AT = datetime.fromisoformat("2024-01-02 03:04:05")
DAY = datetime.fromisoformat("2024-01-02")


def workbook(*rows: list, title: str = "Data", **others: list) -> bytes:
    """A workbook with rows on its first sheet, and on others."""
    book = openpyxl.Workbook()
    book.active.title = title
    for name, content in {title: rows, **others}.items():
        sheet = book[name] if name in book else book.create_sheet(name)
        for row in content:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def column(*values: object) -> bytes:
    return workbook(["x"], *([value] for value in values))


def changed(content: bytes, **files: bytes) -> bytes:
    """A workbook with other files in its archive."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as before,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for name in before.namelist():
            after.writestr(
                name, files.get(name.rpartition("/")[2].partition(".")[0], before.read(name))
            )
    return written.getvalue()


@pytest.fixture
def read_in(tmp_path):
    ingester = Ingester(tmp_path)

    def ingest(*contents: bytes, columns=None, pinned=None, **said):
        for number, content in enumerate(contents):
            (ingester.project / f"book{number}.xlsx").write_bytes(content)
        source = ExcelSource(type="excel", path="*.xlsx", **said)
        return ingester(source, columns=columns or {}, pinned=pinned or KnownTypes())

    return ingest


@pytest.mark.parametrize(
    ("cells", "kind", "meant"),
    [
        ([1, 2.0, -3], "BIGINT", [1, 2, -3]),
        ([1, 2.5], "DOUBLE", [1.0, 2.5]),
        ([1e20, 1e-7], "DOUBLE", [1e20, 1e-7]),
        ([True, False], "BOOLEAN", [True, False]),
        ([date(2024, 1, 2), date(1999, 12, 31)], "DATE", [date(2024, 1, 2), date(1999, 12, 31)]),
        ([AT, DAY], "TIMESTAMP", [AT, DAY]),
        ([time(3, 4), timedelta(hours=30)], "VARCHAR", ["03:04:00", "30:00:00"]),
        (["a", "b "], "VARCHAR", ["a", "b "]),
        (["02139", "10001"], "VARCHAR", ["02139", "10001"]),
        (["12139", "10001"], "VARCHAR", ["12139", "10001"]),
        (["02139", 10001], "VARCHAR", ["02139", "10001"]),
        (["12139", 10001], "BIGINT", [12139, 10001]),
        (["2024-01-02", "01/02/2024"], "VARCHAR", ["2024-01-02", "01/02/2024"]),
        ([True, 1], "VARCHAR", ["true", "1"]),
        ([None, None], "VARCHAR", []),
    ],
)  # fmt: skip
def test_a_column_is_what_its_cells_are(read_in, cells, kind, meant, caplog):
    rows = read_in(column(*cells))
    assert (rows.columns["x"], [value for (value,) in read(rows)]) == (kind, meant)
    assert "stays text" not in caplog.text


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ([*range(9), "n/a"], "'x' is 90 % numbers, and stays text because of 'n/a' (once): write `null_values"),
        ([*range(9), DAY], "'x' is 90 % numbers, and stays text because of '2024-01-02 00:00:00' (once)"),
        ([*[date(2024, 1, 2)] * 9, "13/02/x"], "'x' is 90 % dates, and stays text because of '13/02/x'"),
        (["#N/A", 1, "#DIV/0!"], "Data!A2 (#N/A), Data!A4 (#DIV/0!). Correct them, or write `null_values:"),
        (["a", "#REF!"], "Data!A3 (#REF!)"),
    ],
)  # fmt: skip
def test_what_differs_within_a_column_is_told(read_in, cells, found, caplog):
    caplog.set_level(logging.WARNING)
    assert read_in(column(*cells)).columns["x"] == "VARCHAR"
    assert found in caplog.text
    with pytest.raises(TerminalError, match="stays text"):
        read_in(column(*cells), on_doubt="halt")


def merged(*cells: str, title: str = "Data") -> bytes:
    """A report with a title above it, of which cells are merged on the first sheet, and others on the second."""
    book = openpyxl.Workbook()
    book.active.title = title
    rows = (
        ["Sales"],
        ["region", "shop", "sold"],
        ["north", "a", 1],
        [None, "b", 2],
        ["south", "c", 3],
    )
    for row in rows:
        book.active.append(row)
    for one in cells:
        book.active.merge_cells(one)
    book.create_sheet("Notes").merge_cells("A3:C9")
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_merged_cells_of_rows_are_told(read_in, caplog):
    caplog.set_level(logging.WARNING)
    rows = read_in(merged("A1:C1", "A3:A4", "B5:C5"), skip=1)
    assert [region for region, *_ in read(rows)] == ["north", None, "south"]
    assert (
        "cells are merged (Data!A3:A4 and 1 more), of which only the first has the value"
        in caplog.text
    )
    with pytest.raises(TerminalError, match="cells are merged"):
        read_in(merged("A3:A4"), skip=1, on_doubt="halt")


def test_merged_cells_of_titles_and_other_sheets_are_no_matter(read_in, caplog):
    caplog.set_level(logging.WARNING)
    read_in(merged("A1:C1", "E3:F3"), skip=1)
    assert "merged" not in caplog.text


def test_what_stands_for_no_value_is_said_as_for_csv(read_in):
    rows = read_in(column("#N/A", 1, "n/a", 2.5), null_values=["", "#N/A", "n/a"], on_doubt="halt")
    assert (rows.columns, [value for (value,) in read(rows)]) == (
        {"x": "DOUBLE"}, [None, 1.0, None, 2.5],
    )  # fmt: skip
    rows = read_in(column("1.234,5", 2.5, -1), decimal=",", thousands=".")
    assert [value for (value,) in read(rows)] == [1234.5, 2.5, -1.0]


@pytest.mark.parametrize(
    ("cells", "kind", "message"),
    [
        ([1, 1.5], "BIGINT", r"book0.xlsx, Data!A3: column 'x' is declared as BIGINT, and '1.5' is none"),
        ([1, "x"], "BIGINT", r"book0.xlsx, Data!A3: .* and 'x' is none \(1 such value\): name it in `null_values`"),
        ([1.25], "DECIMAL(5,1)", r"Data!A2: column 'x' is declared as DECIMAL\(5,1\), and '1.25' is none"),
        ([300], "TINYINT", r"Data!A2: column 'x' is declared as TINYINT, and '300' is none"),
        ([DAY, AT], "DATE", r"Data!A3: column 'x' is declared as DATE, and '2024-01-02 03:04:05' is none"),
        (["01/02/2024"], "DATE", r"2024-02-01 \(%d/%m/%Y\) or 2024-01-02"),
        (["24-01-02"], "DATE", r"2002-01-24 \(%d-%m-%y\) or 2024-01-02 \(%y-%m-%d\)"),
        ([2], "BOOLEAN", "Data!A2: column 'x' is declared as BOOLEAN, and '2' is none"),
    ],
)  # fmt: skip
def test_values_that_are_not_of_a_declared_type_are_told_by_their_cell(
    read_in, cells, kind, message
):
    with pytest.raises(TerminalError, match=message):
        read_in(column(*cells), columns={"x": kind})


def test_declared_and_known_types_are_read(read_in):
    texts = workbook(["a", "b", "c"], ["12139", "01/02/2024", 7], ["1", None, 8.0])
    rows = read_in(
        texts, columns={"a": "BIGINT", "b": "DATE", "c": "VARCHAR"}, date_format="%d/%m/%Y"
    )
    assert read(rows) == [(12139, date(2024, 2, 1), "7"), (1, None, "8")]
    rows = read_in(column(12139), pinned=KnownTypes({"x": "VARCHAR"}, "version 3 of a.b"))
    assert read(rows) == [("12139",)]
    with pytest.raises(TerminalError, match=r"'x' is BIGINT in version 3 of a.b, and 'n' is none"):
        read_in(column("n"), pinned=KnownTypes({"x": "BIGINT"}, "version 3 of a.b"))


def test_all_workbooks_of_a_glob_decide_on_a_type(read_in):
    rows = read_in(column(1), column(2.5), workbook(["x", "y"], [3, "z"]))
    assert rows.columns == {"x": "DOUBLE", "y": "VARCHAR"}
    assert sorted(read(rows)) == [(1.0, None), (2.5, None), (3.0, "z")]


def test_rows_begin_where_it_is_said(read_in, caplog):
    caplog.set_level(logging.WARNING)
    title = [
        ["Sales of 2024"],
        [],
        [None, "n", None, "z"],
        [None, 1, 2, 3, "note"],
        [None],
        [None, 4, 5, 6],
        ["sum", 5],
    ]
    rows = read_in(workbook(*title), skip=1, skip_footer=1)
    assert (list(rows.columns), read(rows)) == (["n", "column2", "z"], [(1, 2, 3), (4, 5, 6)])
    assert "Data!E4 and maybe others have values and are in no column" in caplog.text
    assert read(read_in(workbook([1, "a"], [2, "b"]), header=False)) == [(1, "a"), (2, "b")]


def test_one_sheet_is_read(read_in):
    content = workbook(["a"], [1], Sales=[["b"], [2]], Jan=[["c"], [3]])
    assert list(read_in(content).columns) == ["a"]
    assert list(read_in(content, sheet="Sales").columns) == ["b"]
    with pytest.raises(
        TerminalError,
        match=r"no sheet 'sales' \(did you mean `Sales`\?\); it has 'Data', 'Sales', 'Jan'",
    ):
        read_in(content, sheet="sales")
    book = openpyxl.load_workbook(io.BytesIO(content))
    book["Data"].sheet_state = "hidden"
    written = io.BytesIO()
    book.save(written)
    assert list(read_in(written.getvalue()).columns) == ["b"]


LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
ENTITY = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: LOCKED + "EncryptedPackage".encode("utf-16-le"), "locked by a password: save it without one"),
        (lambda: LOCKED, r"an old workbook \(.xls\): save it as .xlsx"),
        (lambda: b"a,b\n1,2\n", "is no workbook"),
        (lambda: b"PK", "is broken"),
        (lambda: column(1)[:-300], "is broken"),
        (lambda: changed(column(1), sheet1=b"0" * 150_000_000), "more than 100 times its size"),
        (lambda: changed(column(1), sheet1=ENTITY), "is broken"),
        (lambda: changed(column(1), sheet1=b"<worksheet>"), "is broken"),
        (workbook, "the sheet 'Data' is empty, without even a header"),
        (lambda: workbook([" ", " "], [1, 2]), "has nothing but blanks: write `skip`, or `header: false`"),
        (lambda: workbook(["a", "A"], [1, 2]), "the columns 'a' and 'A', which are the same to SQL"),
        (lambda: column(1, "=A2+1"), "Data!A3: a formula that no program has calculated yet"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_told(read_in, content, message):
    with pytest.raises(TerminalError, match=message):
        read_in(content())


def test_sheet_without_places_is_read_in_its_order(read_in, caplog):
    """Some programs leave out `r`, and the size of a sheet; others write texts into the cells, with phonetic signs."""
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row><c t="inlineStr"><is><t>n</t></is></c><c t="inlineStr"><is><r><t>na</t></r><r><t>me</t></r>'
        b"<rPh><t>x</t></rPh></is></c></row>"
        b'<row><c><v>1</v></c><c t="str"><f>A2</f><v>one</v></c></row>'
        b'<row><c><v>2.5</v></c><c t="str"><f>A3</f><v></v></c></row>'
        b'<row r="7"><c r="B7" t="inlineStr"><is><t>seven</t></is></c></row>'
        b"</sheetData></worksheet>"
    )
    rows = read_in(changed(column(1), sheet1=sheet))
    assert rows.columns == {"n": "DOUBLE", "name": "VARCHAR"}
    assert read(rows) == [(1.0, "one"), (2.5, None), (None, "seven")]


def test_sheet_with_a_document_type_is_refused(read_in):
    sheet = (
        b'<!DOCTYPE x [<!ENTITY a "1">]>'
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>&a;</v></c></row></sheetData></worksheet>'
    )
    with pytest.raises(TerminalError, match="has a document type, which no program writes"):
        read_in(changed(column(1), sheet1=sheet))


def test_cells_far_apart_take_no_memory(read_in):
    book = openpyxl.Workbook()
    book.active["A1"] = "x"
    book.active["A2"] = 1
    book.active["XFD90000"] = 2
    written = io.BytesIO()
    book.save(written)
    assert read(read_in(written.getvalue())) == [(1,), (None,)]


def test_missing_extra_is_a_problem_of_the_section(monkeypatch):
    monkeypatch.setattr(excel, "find_spec", lambda _name: None)
    with pytest.raises(ValidationError, match=r'pip install "ml-dag-factory\[excel\]"'):
        ExcelSource(type="excel", path="data/a.xlsx")
