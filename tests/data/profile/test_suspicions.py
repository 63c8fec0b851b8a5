"""Each kind of suspicious column is found where it is, and not where it is not."""

import random

import pytest

from tests.data.profile.project import InspectedProject, kinds

ROWS = 200
random.seed(5)
GAUSS = [round(random.gauss(50, 9), 2) for _ in range(ROWS)]
WORDS = ["the", "customer", "called", "again", "asking", "for", "a", "price", "of", "order"]

COLUMNS = {
    "empty": lambda n: "",
    "constant": lambda n: "EUR",
    "nearly_constant": lambda n: "no" if n == 7 else "yes",
    "mostly_null": lambda n: str(n % 5) if n % 3 == 0 else "",
    "row_id": lambda n: str(1000 + n),
    "customer_no": lambda n: str(n * 7919 % 100_003),
    "uuid": lambda n: f"{n * 2654435761 % 2**32:08x}-{n:04x}",
    "zip": lambda n: f"{(n * 37) % 40 + 2100:05d}",
    "version": lambda n: f"{n % 9 + 1}E{n % 5}",
    "ordered": lambda n: f"{n % 11 + 1:02d}/{n % 7 + 1:02d}/2024",
    "day": lambda n: f"2024{n % 12 + 1:02d}{n % 28 + 1:02d}",
    "rate": lambda n: f"{n % 30}%",
    "nearly_number": lambda n: "none yet" if n == 9 else str(n % 30),
    "region": lambda n: "n/a" if n % 20 == 3 else "north" if n % 2 else "south",
    "degrees": lambda n: "-999" if n % 50 == 4 else str(15 + n % 9),
    "comment": lambda n: " ".join([*random.sample(WORDS, 6), str(n)]),
    "city": lambda n: ("Köln", "köln", " Bonn", "Ulm")[n % 4],
    "size": lambda n: str(GAUSS[n]),
    "size_again": lambda n: "0.5" if n == 9 else str(GAUSS[n]),
    "size_mm": lambda n: f"{GAUSS[n] * 10:.1f}",
    "land": lambda n: ("Spain", "Peru", "Chad")[n * 7 % 3],
    "land_code": lambda n: ("ES", "PE", "TD")[n * 7 % 3],
    "fine": lambda n: str(round(random.gauss(0, 1), 3)),
}  # fmt: skip

EXPECTED = {
    ("empty", "empty"), ("constant", "constant"), ("nearly_constant", "nearly_constant"),
    ("mostly_null", "mostly_null"), ("row_id", "identifier"), ("customer_no", "identifier"), ("uuid", "identifier"),
    ("zip", "code"), ("version", "code"), ("ordered", "dates_as_text"), ("day", "dates_as_numbers"),
    ("rate", "numbers_as_text"), ("nearly_number", "numbers_as_text"), ("region", "missing_as_text"),
    ("degrees", "missing_as_number"), ("comment", "free_text"), ("city", "spelling"), ("size_again", "copy"),
    ("size_mm", "copy"), ("land_code", "copy"),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    lines = [",".join(COLUMNS)]
    lines += [",".join(make(n) for make in COLUMNS.values()) for n in range(ROWS)]
    return InspectedProject(tmp_path_factory.mktemp("project")).look("\n".join(lines) + "\n")


def test_each_kind_is_found_where_it_is_and_nowhere_else(found):
    assert kinds(found) == EXPECTED


def test_each_says_what_was_found_and_what_to_do(found):
    told = {(one.column, one.kind): one for one in found.suspicions}
    assert told["nearly_number", "numbers_as_text"].text == "99.5 % numbers, 1 × 'none yet'"
    assert told["nearly_number", "numbers_as_text"].advice == (
        'write `null_values: ["", "none yet"]` if they stand for no value'
    )
    assert (
        told["zip", "code"].text == "whole numbers, 200 with a zero before them, as '02100': a code"
    )
    assert told["region", "missing_as_text"].text == "10 × 'n/a': often stands for no value"
    assert told["degrees", "missing_as_number"].text == (
        "4 × -999, far from all others: may stand for no value"
    )
    assert told["size_again", "copy"].text == "has the value of 'size' in 99.5 % of the rows"
    assert told["size_mm", "copy"].text == "goes up and down with 'size': the same in another unit"
    assert all(one.advice for one in found.suspicions)


def test_parquet_with_infinite_numbers_and_odd_names_is_told(tmp_path):
    import pandas as pd

    project = InspectedProject(tmp_path)
    rows = {" x ": [1.0, float("inf"), float("nan")] * 20, "__y": ["1", "2", "3"] * 20}
    pd.DataFrame(rows).to_parquet(tmp_path / "data" / "odd.parquet")
    found = project.inspect(str(tmp_path / "data" / "odd.parquet"))
    assert {(" x ", "infinite"), (" x ", "name"), ("__y", "numbers_as_text")} <= kinds(found)
    [x, _] = found.columns
    assert x.facts is not None
    assert (x.facts.nulls, x.facts.infinite) == (20, 20)
