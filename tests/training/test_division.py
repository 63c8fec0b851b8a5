"""Divisions that stay honest as rows come in."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.training.division import PARTS, Split
from factory.training.split import read_part, split
from tests.training.models import model, regression


def divided(rows: pa.Table, workspace, **how) -> dict[str, list]:
    """The `x` of the rows of each part."""
    split(rows, regression(split=how, features=["x"]), workspace)
    return {part: sorted(read_part(workspace, part)[0]["x"].tolist()) for part in PARTS}


def customers(numbers) -> pa.Table:
    numbers = list(numbers)
    return pa.table(
        {"customer": numbers, "x": numbers, "target": [float(each % 7) for each in numbers]}
    )


def test_hash_leaves_every_row_on_its_side_as_others_come_and_go(tmp_path):
    before = divided(customers(range(1000)), tmp_path / "a", method="hash", key=["customer"])
    after = divided(customers(range(500, 3000)), tmp_path / "b", method="hash", key=["customer"])
    for part in PARTS:
        stayed = [each for each in before[part] if each >= 500]
        assert stayed == [each for each in after[part] if each < 1000]
    assert len(before["test"]) == pytest.approx(200, abs=50)
    assert len(before["train"]) == pytest.approx(600, abs=60)


def test_hash_keeps_a_key_together_and_its_column_out_of_the_features(tmp_path):
    rows = pa.table(
        {
            "customer": [each % 40 for each in range(400)],
            "x": list(range(400)),
            "target": [float(each) for each in range(400)],
        }
    )
    result = split(rows, regression(split={"method": "hash", "key": ["customer"]}), tmp_path)
    assert result.features == ("x",)
    sides = [{int(x) % 40 for x in read_part(tmp_path, part)[0]["x"]} for part in PARTS]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 40


def test_hash_knows_a_key_again_whatever_the_type_of_its_column(tmp_path):
    whole = customers(range(300))
    as_floats = whole.set_column(0, "customer", whole["customer"].cast(pa.float64()))
    as_texts = whole.set_column(0, "customer", whole["customer"].cast(pa.string()))
    found = [
        divided(rows, tmp_path / str(at), method="hash", key=["customer"])
        for at, rows in enumerate((whole, as_floats, as_texts))
    ]
    assert found[0] == found[1] == found[2]


def test_one_fraction_among_the_keys_moves_no_other_row(tmp_path):
    rows = customers(range(300))
    more = pa.concat_tables(
        [
            rows.set_column(0, "customer", rows["customer"].cast(pa.float64())),
            pa.table({"customer": [0.5], "x": [999], "target": [0.0]}),
        ]
    )
    before = divided(rows, tmp_path / "a", method="hash", key=["customer"])
    after = divided(more, tmp_path / "b", method="hash", key=["customer"])
    for part in PARTS:
        assert [each for each in after[part] if each != 999] == before[part]


def test_hash_without_a_key_goes_by_the_content(tmp_path):
    first = divided(customers(range(500)), tmp_path / "a", method="hash")
    second = divided(customers(range(250, 500)), tmp_path / "b", method="hash")
    for part in PARTS:
        assert [each for each in first[part] if each >= 250] == second[part]


def test_another_seed_hashes_otherwise(tmp_path):
    found = [
        divided(customers(range(500)), tmp_path / str(seed), method="hash", seed=seed)["test"]
        for seed in (0, 1)
    ]
    both = set(found[0]) & set(found[1])
    assert len(both) < 50


def days(count: int) -> pa.Table:
    first = date(2024, 1, 1)
    return pa.table(
        {
            "day": [first + timedelta(days=each) for each in range(count)],
            "x": list(range(count)),
            "target": [float(each % 5) for each in range(count)],
        }
    )


def test_time_takes_periods(tmp_path):
    found = divided(days(100), tmp_path, method="time", column="day", test="30d", validation="14d")
    assert found == {
        "test": list(range(70, 100)),
        "validation": list(range(56, 70)),
        "train": list(range(56)),
    }


def test_gap_leaves_rows_out_before_each_border_and_counts_them(tmp_path):
    how = {"method": "time", "column": "day", "test": "10d", "validation": "10d", "gap": "5d"}
    result = split(days(100), regression(split=how, features=["x"]), tmp_path)
    found = {part: sorted(read_part(tmp_path, part)[0]["x"].tolist()) for part in PARTS}
    assert found == {
        "test": list(range(90, 100)),
        # The last one is five days older than the first of the next part.
        "validation": list(range(76, 86)),
        "train": list(range(72)),
    }
    assert result.left_out == 8


def test_window_leaves_out_what_is_older_than_it_before_the_border_and_its_gap(tmp_path):
    how = {"method": "time", "column": "day", "test": "10d", "validation": "10d", "gap": "5d"}
    found = divided(days(100), tmp_path, window="30d", **how)
    assert found["train"] == list(range(42, 72))
    assert found["validation"] == list(range(76, 86))


def test_window_needs_dates(tmp_path):
    with pytest.raises(TerminalError, match=r"split.window: a period needs dates or timestamps"):
        divided(customers(range(99)), tmp_path, method="time", column="customer", window="3d")


def test_gap_goes_with_fractions(tmp_path):
    found = divided(days(100), tmp_path, method="time", column="day", test=0.1, gap="1d")
    assert found["test"] == list(range(90, 100))
    assert max(found["validation"]) == 89


@pytest.mark.parametrize(
    ("days", "how", "validation", "test"),
    [
        ([0, 0, 0, 1, 1, 2, 3, 4, 4, 4], {}, 5, 7),
        ([0, 1, 2, 3, 3, 3, 3, 4, 5, 5], {}, 3, 8),
        ([0, 0, 1, 1, 2, 2, 2, 2, 2, 2], {}, 2, 4),
        ([0, 1, 2, 3, 4, 6, 6, 7, 9, 9], {"gap": "1d"}, 5, 8),
    ],
)
def test_rows_of_one_moment_are_in_the_newer_part(tmp_path, days, how, validation, test):
    moments = [datetime(2024, 1, 1 + day, 12, tzinfo=UTC) for day in days]
    columns = {"at": moments, "day": days, "x": list(range(10)), "target": [1.0, 2.0] * 5}
    shuffled = pa.table(columns).take([3, 9, 0, 7, 5, 1, 8, 2, 6, 4])
    found = divided(shuffled, tmp_path, method="time", column="at", **how)
    assert found == {
        "train": list(range(validation)),
        "validation": list(range(validation, test)),
        "test": list(range(test, 10)),
    }
    if not how:
        assert divided(shuffled, tmp_path, method="time", column="day") == found


def test_fewer_moments_than_parts_are_refused(tmp_path):
    rows = pa.table({"x": [0, 1] * 9, "target": [1.0] * 18})
    with pytest.raises(TerminalError, match=r"keeps rows of one moment together, and 'x' has 2"):
        divided(rows, tmp_path, method="time", column="x")


def test_hours_are_a_period_too(tmp_path):
    rows = pa.table(
        {
            "at": [
                datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * each)
                for each in range(100)
            ],
            "x": list(range(100)),
            "target": [float(each % 5) for each in range(100)],
        }
    )
    found = divided(rows, tmp_path, method="time", column="at", test="2h", validation="1h")
    assert found["test"] == list(range(88, 100))
    assert found["validation"] == list(range(82, 88))


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_duplicates_stay_together_when_asked_to(tmp_path, method):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, 600)
    rows = pa.table({"x": x, "species": [["a", "b"][each % 2] for each in x]})
    how = {"method": method, "duplicates": "together"}
    result = split(rows, model(split=how), tmp_path)
    sides = [set(read_part(tmp_path, part)[0]["x"]) for part in PARTS]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 60
    assert result.rows["test"] == pytest.approx(120, abs=40)
    assert not [each for each in result.findings if each.guard == "duplicates"]


def test_period_of_numbers_is_refused(tmp_path):
    with pytest.raises(
        TerminalError, match=r"split.test: a period needs dates .* 'customer' holds"
    ):
        divided(customers(range(99)), tmp_path, method="time", column="customer", test="3d")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"test": "30d"}, "a period as `test` belongs to `method: time` only"),
        ({"key": ["a"]}, "`key` belongs to `method: hash` only"),
        ({"method": "random", "gap": "1d"}, "`gap` belongs to `method: time` only"),
        ({"method": "hash", "window": "9d"}, "`window` belongs to `method: time` only"),
        (
            {"method": "time", "column": "day", "duplicates": "together"},
            "`duplicates` belongs to `method: random` or `method: stratified` only",
        ),
        ({"test": 30}, "30 is no share of the rows: write a fraction between 0 and 1"),
        ({"test": "a week"}, "'a week' is no share of the rows"),
        ({"test": 0.6, "validation": 0.5}, "leave no rows to train on"),
    ],
)
def test_what_does_not_go_together_is_a_problem(written, message):
    with pytest.raises(ValidationError, match=message):
        Split.model_validate(written)
