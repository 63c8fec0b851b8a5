"""What the texts of a file were in the last snapshot, they are in the next one, or somebody is told."""

import pytest

from factory.base.errors import TerminalError
from factory.data.sources.csv import CsvSource
from factory.data.sources.json import JsonSource
from factory.data.sources.pinned import pinned_types, reading_of
from factory.data.sources.source import KnownTypes
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester

DATASET = "shop.orders"
ZIP = {"zip": "VARCHAR", "n": "BIGINT"}


@pytest.fixture
def read_in(tmp_path) -> Ingester:
    return Ingester(tmp_path)


def pinned(text: str, columns: dict[str, str], read_in: Ingester, *, may_widen=False):
    (read_in.project / "a.csv").write_text(text)
    source = CsvSource(type="csv", path="a.csv")
    types = KnownTypes(columns, "version 3 of shop.orders", may_widen=may_widen)
    return read_in(source, pinned=types)


def test_codes_that_are_all_numbers_today_stay_text(read_in):
    rows = pinned("zip,n\n12139,1\n", ZIP, read_in)
    assert rows.columns == ZIP
    assert read(rows) == [("12139", 1)]


def test_columns_may_come_and_go_and_are_told_later(read_in):
    rows = pinned("n,extra\n1,2.5\n", ZIP, read_in)
    assert rows.columns == {"n": "BIGINT", "extra": "DOUBLE"}


@pytest.mark.parametrize(
    ("kind", "text", "place"),
    [
        ("BIGINT", "zip,n\na,1\nb,two\n", "Line: 3"),
        ("BIGINT", 'zip,n\n"a\nb",1\nc,1.5\n', "a.csv, line 4: "),
        ("DATE", "zip,n\na,2024-01-02\nb,soon\n", "Line: 3"),
        ("BOOLEAN", "zip,n\na,true\nb,maybe\n", "Line: 3"),
    ],
)
def test_value_that_does_not_fit_halts_with_file_line_and_column(read_in, kind, text, place):
    with pytest.raises(TerminalError) as caught:
        pinned(text, {"zip": "VARCHAR", "n": kind}, read_in)
    message = str(caught.value)
    assert place in message
    assert "a.csv" in message
    assert "version 3 of shop.orders" in message
    assert "'n'" in message or '"n"' in message


def test_numbers_get_a_wider_type_where_that_is_allowed(read_in):
    rows = pinned("zip,n\na,1.5\n", ZIP, read_in, may_widen=True)
    assert rows.columns == {"zip": "VARCHAR", "n": "DOUBLE"}
    narrow = pinned("zip,n\na,1\n", {"zip": "VARCHAR", "n": "DOUBLE"}, read_in, may_widen=True)
    assert narrow.columns == {"zip": "VARCHAR", "n": "DOUBLE"}
    with pytest.raises(TerminalError, match="two"):
        pinned("zip,n\na,two\n", ZIP, read_in, may_widen=True)


def test_types_are_those_of_the_newest_snapshot_read_the_same_way(read_in):
    rows = read_in.csv("zip,n\n02139,1\n")
    source = CsvSource(type="csv", path="a.csv")
    kept = reading_of(source, rows.columns)
    assert pinned_types(read_in.lake, DATASET, source).columns == {}
    publishing.publish(read_in.lake, DATASET, rows.file, Write(), run_id="1", source=kept)

    found = pinned_types(read_in.lake, DATASET, CsvSource(type="csv", path="b.csv"))
    assert (found.columns, found.pinned_by) == (ZIP, "version 0 of shop.orders")
    # Who says otherwise how the file is written wants it read anew.
    otherwise = CsvSource(type="csv", path="a.csv", null_values=["", "NA"])
    assert pinned_types(read_in.lake, DATASET, otherwise).columns == {}


def test_snapshots_from_before_pin_nothing(read_in):
    rows = read_in.csv("zip,n\n02139,1\n")
    publishing.publish(read_in.lake, DATASET, rows.file, Write(), run_id="1")
    assert pinned_types(read_in.lake, DATASET, CsvSource(type="csv", path="a.csv")).columns == {}


def test_json_numbers_take_the_wider_type_and_nothing_is_rounded(read_in):
    def rows(text: str, kind: str):
        (read_in.project / "a.json").write_text(text)
        types = KnownTypes({"n": kind}, "version 3 of shop.orders")
        return read_in(JsonSource(type="json", path="a.json"), pinned=types)

    assert rows('[{"n": 1}]', "DOUBLE").columns == {"n": "DOUBLE"}
    assert read(rows('[{"n": 1.5}]', "BIGINT")) == [(1.5,)]
