"""JSON files: no value is another one in a declared type, and no date is guessed."""

import json
import logging
from datetime import date

import pytest

from factory.base.errors import TerminalError
from factory.data.sources.json import JsonSource
from factory.data.sources.source import KnownTypes
from factory.data.sources.text_dialect import DoubtfulColumnError
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester


@pytest.fixture
def read_in(tmp_path):
    ingester = Ingester(tmp_path)

    def ingest(*values: object, kind: str | None = None, pinned: str = ""):
        objects = [{"n": 0, "d": value} for value in values]
        (ingester.project / "a.json").write_text(json.dumps(objects))
        types = KnownTypes({"d": kind} if kind else {}, pinned)
        known = {"pinned": types} if pinned else {"columns": types.columns}
        return ingester(JsonSource(type="json", path="a.json"), **known)

    return ingest


@pytest.mark.parametrize(
    ("values", "kind", "wrong"),
    [
        ([1, 1.5], "BIGINT", "1.5"),
        (["1", "1.5"], "BIGINT", "'1.5'"),
        (["1", "x"], "BIGINT", "'x'"),
        (["1", ""], "BIGINT", "''"),
        ([1, "x"], "BIGINT", "'x'"),
        ([1, 1e30], "BIGINT", r"1e\+30"),
        ([1, 300], "TINYINT", "300"),
        ([1, 9007199254740993], "DOUBLE", "9007199254740993"),
        ([1.25, 1.256], "DECIMAL(5,2)", "1.256"),
        (["1.25", "1.256"], "DECIMAL(5,2)", "'1.256'"),
        ([1, 2], "BOOLEAN", "2"),
        (["2024-01-02", "2024-01-02T10:00:00"], "DATE", "'2024-01-02T10:00:00'"),
        (["2024-01-02", "soon"], "DATE", "'soon'"),
        ([[1.0], [1.5]], "BIGINT[]", r"\[1.5\]"),
        ([{"a": 1}, {"a": 1, "b": 2}], "STRUCT(a BIGINT)", "{'a': 1, 'b': 2}"),
    ],
)
def test_values_that_a_declared_type_would_change_are_refused_with_their_place(
    read_in, values, kind, wrong
):
    with pytest.raises(
        TerminalError, match=f"^a.json, object 2: column 'd' is declared as .*, and {wrong} is none"
    ):
        read_in(*values, kind=kind)


@pytest.mark.parametrize(
    ("values", "kind", "meant"),
    [
        ([1.0, None, 2], "BIGINT", [1, None, 2]),
        (["1", "2.0"], "BIGINT", [1, 2]),
        ([1, "2"], "BIGINT", [1, 2]),
        ([1, 2.5], "DOUBLE", [1.0, 2.5]),
        (["2024-01-02", "2024-12-31"], "DATE", [date(2024, 1, 2), date(2024, 12, 31)]),
        (["31/12/2024", "01/02/2024"], "DATE", [date(2024, 12, 31), date(2024, 2, 1)]),
        (["2024-01-02", "x"], "VARCHAR", ["2024-01-02", "x"]),
        (["2024-01-02T03:04:05Z"], "VARCHAR", ["2024-01-02T03:04:05Z"]),
        ([0.1], "DECIMAL(5,2)", None),
    ],
)
def test_values_are_read_in_a_declared_type(read_in, values, kind, meant):
    rows = read_in(*values, kind=kind)
    assert rows.columns["d"] == kind
    assert meant is None or [value for _, value in read(rows)] == meant


@pytest.mark.parametrize("text", ["01/02/2024", "24-01-02", "01-02-2024", "24.01.02"])
def test_dates_with_several_readings_are_not_guessed(read_in, text, caplog):
    caplog.set_level(logging.WARNING)
    rows = read_in(text, text)
    assert (rows.columns["d"], read(rows)[0][1]) == ("VARCHAR", text)
    assert (text != "24-01-02") or "write 2024-01-31" in caplog.text.lower()
    with pytest.raises(
        TerminalError,
        match=r"column 'd': .* and no value of the column tells which: write `date_format",
    ):
        read_in(text, kind="DATE")


def test_texts_among_other_values_have_no_quotes(read_in):
    rows = read_in(1, "a", None, [1, "b"])
    assert (rows.columns["d"], [value for _, value in read(rows)]) == (
        "VARCHAR", ["1", "a", None, '[1,"b"]'],
    )  # fmt: skip


def test_types_of_the_last_snapshot_are_not_forced_on_values(read_in):
    assert read_in(1, pinned="version 2", kind="DOUBLE").columns["d"] == "DOUBLE"
    assert read_in(1.5, pinned="version 2", kind="BIGINT").columns["d"] == "DOUBLE"


def test_all_rows_of_many_files_decide_on_types(tmp_path):
    read_in = Ingester(tmp_path)
    for number in range(40):
        objects = '{"d": 1}\n' * (30_000 if number == 39 else 1)
        last = '{"d": 1.5, "e": 2}\n' if number == 39 else ""
        (read_in.project / f"{number:02}.json").write_text(objects + last)
    rows = read_in(JsonSource(type="json", path="*.json"))
    assert rows.columns == {"d": "DOUBLE", "e": "BIGINT"}
    assert read(rows)[-1] == (1.5, 2)
    with pytest.raises(TerminalError, match=r"^39\.json, object 30001: .* 1\.5 is none"):
        read_in(JsonSource(type="json", path="*.json"), columns={"d": "BIGINT"})
    (read_in.project / "07.json").write_text(
        '[{"d": 1,\n "e": "a\\n\\"b"}, null, {"d": 12345678901234567890}'
    )
    with pytest.raises(TerminalError, match=r"07\.json"):
        read_in(JsonSource(type="json", path="*.json"))


@pytest.mark.parametrize(
    ("said", "values", "kind", "meant"),
    [
        ({"null_values": ["NA"]}, [1.5, "NA", 2], "DOUBLE", [1.5, None, 2.0]),
        ({"null_values": ["NA", ""]}, [1, "NA", ""], "BIGINT", [1, None, None]),
        ({"null_values": ["NA"]}, ["a", "NA"], "VARCHAR", ["a", None]),
        ({}, ["a", ""], "VARCHAR", ["a", ""]),
        ({"decimal": ","}, [1, "2,5"], "DOUBLE", [1.0, 2.5]),
        ({"thousands": ","}, [1, "1,234"], "DOUBLE", [1.0, 1234.0]),
        ({"date_format": "%d/%m/%y"}, ["02/01/24", "13/01/24"], "DATE", [date(2024, 1, 2), date(2024, 1, 13)]),
        ({"date_format": "%y-%m-%d"}, ["24-01-02", "24-01-13"], "DATE", [date(2024, 1, 2), date(2024, 1, 13)]),
        ({"date_format": "%d/%m/%y"}, ["1.5", "2"], "VARCHAR", ["1.5", "2"]),
        ({"date_format": "%d/%m/%y"}, ["a", "b"], "VARCHAR", ["a", "b"]),
        ({}, [1, "2"], "BIGINT", [1, 2]),
        ({}, [1, "02"], "VARCHAR", ["1", "02"]),
        ({}, [1, "a", "b"], "VARCHAR", ["1", "a", "b"]),
    ],
)  # fmt: skip
def test_texts_beside_numbers_and_dates_are_what_is_said_of_them(
    tmp_path, said, values, kind, meant
):
    read_in = Ingester(tmp_path)
    objects = [{"n": 0, "d": value} for value in values]
    (read_in.project / "a.json").write_text(json.dumps(objects))
    rows = read_in(JsonSource(type="json", path="a.json", **said))
    assert (rows.columns["d"], [value for _, value in read(rows)]) == (kind, meant)


def test_numbers_with_a_few_texts_among_them_are_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    read_in = Ingester(tmp_path)
    objects = [{"d": value} for value in [*range(9), "NA"]]
    (read_in.project / "a.json").write_text(json.dumps(objects))
    rows = read_in(JsonSource(type="json", path="a.json"))
    assert rows.columns["d"] == "VARCHAR"
    assert "'d' is 90 % numbers, and stays text because of 'NA' (once)" in caplog.text
    with pytest.raises(DoubtfulColumnError, match=r"write `null_values: .* if they stand"):
        read_in(JsonSource(type="json", path="a.json", on_doubt="halt"))


def test_dates_in_a_format_that_is_said_with_others_among_them_are_told(tmp_path, caplog):
    read_in = Ingester(tmp_path)
    objects = [{"d": value} for value in ["02/01/24", *["13/01/24"] * 8, "2024-01-13"]]
    (read_in.project / "a.json").write_text(json.dumps(objects))
    with pytest.raises(DoubtfulColumnError, match="'d' is 90 % dates written as"):
        read_in(JsonSource(type="json", path="a.json", date_format="%d/%m/%y", on_doubt="halt"))
