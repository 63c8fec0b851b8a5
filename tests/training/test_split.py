from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

from factory.base.errors import TerminalError
from factory.training.division import PARTS
from factory.training.split import DividedRows, read_part, split, write_part
from tests.training.models import diabetes, model, penguins, regression


def parts(workspace):
    return {part: read_part(workspace, part) for part in PARTS}


def table(**columns):
    return pa.table(columns)


@pytest.mark.parametrize(
    "method",
    [
        {"method": "random"},
        {"method": "stratified"},
        {"method": "time", "column": "year"},
        {"method": "group", "column": "year"},
    ],
)
def test_every_row_with_a_target_is_in_exactly_one_part(tmp_path, method):
    rows = penguins().append_column("id", pa.array(range(344)))
    result = split(rows, model(split=method), tmp_path)
    ids = np.concatenate([features["id"] for features, _ in parts(tmp_path).values()])
    assert sorted(ids) == list(range(344))
    assert sum(result.rows.values()) == 344


def test_random_takes_the_fractions_of_all_rows(tmp_path):
    result = split(diabetes(), regression(split={"test": 0.1, "validation": 0.3}), tmp_path)
    assert result.rows == {"train": 265, "validation": 133, "test": 44}


def test_stratified_is_the_default_for_classes_and_keeps_their_proportions(tmp_path):
    result = split(penguins(), model(), tmp_path)
    assert result.method == "stratified"
    assert result.classes["test"] == {"Adelie": 30, "Chinstrap": 14, "Gentoo": 25}
    assert sum(result.classes["train"].values()) == result.rows["train"]


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_the_order_in_which_rows_arrive_does_not_matter(tmp_path, method):
    rows = penguins()
    shuffled = rows.take(np.random.default_rng(1).permutation(rows.num_rows))
    config = model(split={"method": method, "seed": 3})
    split(rows, config, tmp_path / "a")
    split(shuffled, config, tmp_path / "b")
    for part in PARTS:
        one, other = (read_part(tmp_path / side, part) for side in "ab")
        pd.testing.assert_frame_equal(one[0], other[0])
        assert one[1].tolist() == other[1].tolist()


def test_another_seed_divides_otherwise(tmp_path):
    split(penguins(), model(split={"seed": 1}), tmp_path / "a")
    split(penguins(), model(split={"seed": 2}), tmp_path / "b")
    one, other = (read_part(tmp_path / side, "test")[0] for side in "ab")
    assert not one.equals(other)


def test_a_dataset_is_read_like_a_table(tmp_path):
    split(penguins(), model(), tmp_path / "a")
    split(pyarrow.dataset.dataset(penguins()), model(), tmp_path / "b")
    assert (tmp_path / "a/split/train.arrow").read_bytes() == (
        tmp_path / "b/split/train.arrow"
    ).read_bytes()


def test_time_puts_the_newest_rows_into_test(tmp_path):
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(10)]
    rows = table(day=days, x=list(range(10)), target=[0.5] * 10)
    result = split(rows, regression(split={"method": "time", "column": "day"}), tmp_path)
    found = {part: features["x"].tolist() for part, (features, _) in parts(tmp_path).items()}
    assert found == {"train": [0, 1, 2, 3, 4, 5], "validation": [6, 7], "test": [8, 9]}
    assert result.features == ("x",)


def test_group_keeps_rows_of_a_group_together(tmp_path):
    groups = [f"g{n % 20}" for n in range(400)]
    rows = table(group=groups, copy=groups, x=list(range(400)), target=[1.0, 2.0] * 200)
    result = split(rows, regression(split={"method": "group", "column": "group"}), tmp_path)
    seen = [set(features["copy"]) for features, _ in parts(tmp_path).values()]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 20
    assert result.rows == {"train": 240, "validation": 80, "test": 80}


def test_rows_without_a_target_are_dropped_and_counted(tmp_path, caplog):
    rows = table(x=list(range(20)), target=[None, float("nan"), *map(float, range(18))])
    result = split(rows, regression(), tmp_path)
    assert result.dropped == 2
    assert sum(result.rows.values()) == 18
    assert "2 of 20 rows have no 'target'" in caplog.text


def test_only_declared_features_are_kept(tmp_path):
    result = split(penguins(), model(features=["bill_length_mm", "sex"]), tmp_path)
    assert result.features == ("bill_length_mm", "sex")
    assert list(read_part(tmp_path, "train")[0]) == ["bill_length_mm", "sex"]


def test_columns_take_the_three_forms_that_models_learn_from(tmp_path):
    size = 30
    rows = table(
        integer=[None, *range(size - 1)],
        flag=[True, None, False] * 10,
        money=pa.array([1, 2, 3] * 10, pa.decimal128(6, 2)),
        kind=pa.array(["a", "b", None] * 10).dictionary_encode(),
        day=[date(2024, 1, 1), None, date(2024, 1, 3)] * 10,
        zoned=pa.array([0, 1, 2] * 10, pa.timestamp("ns", "Europe/Berlin")),
        lasting=pa.array([1_000, None, 2_000] * 10, pa.duration("ms")),
        nothing=pa.nulls(size),
        target=[0.0, 1.0, 2.0] * 10,
    )
    result = split(rows, regression(), tmp_path)
    assert result.columns == {
        "integer": "double",
        "flag": "double",
        "money": "double",
        "kind": "large_string",
        "day": "timestamp[us]",
        "zoned": "timestamp[us]",
        "lasting": "double",
        "nothing": "double",
    }
    features, _ = read_part(tmp_path, "train")
    assert set(features["flag"].dropna()) <= {0.0, 1.0}
    assert set(features["lasting"].dropna()) <= {1.0, 2.0}


def test_numbers_are_mapped_into_memory_and_not_copied(tmp_path):
    split(diabetes(), regression(), tmp_path)
    features, target = read_part(tmp_path, "train")
    assert not features["bmi"].to_numpy().flags.owndata
    assert not target.flags.writeable


def test_whole_floats_become_integer_classes(tmp_path):
    rows = table(x=list(range(30)), species=[0.0, 1.0, 2.0] * 10)
    assert split(rows, model(), tmp_path).classes["test"] == {"0": 2, "1": 2, "2": 2}


def test_a_result_survives_json(tmp_path):
    result = split(penguins(), model(), tmp_path)
    assert DividedRows.from_json(result.as_json()) == result


def test_reading_a_part_that_is_gone_says_what_to_do(tmp_path):
    with pytest.raises(TerminalError, match="clear the DAG run from `split` on"):
        read_part(tmp_path, "test")


def test_an_unfinished_part_is_never_seen(tmp_path, monkeypatch):
    write_part(table(x=[1.0], y=[1.0]), tmp_path, "train")
    monkeypatch.setattr(pa, "OSFile", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_part(table(x=[2.0], y=[2.0]), tmp_path, "train")
    assert read_part(tmp_path, "train")[0]["x"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("rows", "config", "message"),
    [
        (penguins(), model(target="specie"), "no column 'specie' \\(did you mean `species`"),
        (penguins(), model(features=["bill_lenght_mm"]), "did you mean `bill_length_mm`"),
        (
            penguins(),
            model(split={"method": "group", "column": "iland"}),
            "split.column: .* did you mean `island`|split.column: .*'iland' \\(did you mean",
        ),
        (table(species=["a", "b"] * 9), model(), "nothing but species"),
        (
            table(x=[1.0] * 11, species=["a", "b"] * 4 + ["c"] * 3),
            model(split={"method": "random", "test": 0.01}),
            "11 rows are too few: none would be left for test",
        ),
        (
            table(x=[1.0] * 22, species=["a"] * 20 + ["b"] * 2),
            model(),
            r"fewer of b \(2\)",
        ),
        (table(x=[1.0] * 9, species=["a"] * 9), model(), "only the class 'a'"),
        (table(x=[1.0] * 9, species=[0.5, 1.0, 2.0] * 3), model(), "use `task: regression`"),
        (table(x=[1.0] * 9, target=["a", "b", "c"] * 3), regression(), "predicts numbers"),
        (table(x=[1.0] * 9, target=[True] * 9), regression(), "predicts numbers"),
        (
            table(x=[1.0] * 3, target=[float("inf"), 1.0, 2.0]),
            regression(),
            "'target' holds 1 infinite",
        ),
        (
            table(x=[float("-inf"), 1.0, 2.0], target=[0.0, 1.0, 2.0]),
            regression(),
            "column 'x' holds 1 infinite values",
        ),
        (table(x=[[1]] * 9, target=[1.0] * 9), regression(), "no model can learn from"),
        (
            table(x=[1.0] * 3, target=pa.nulls(3, pa.float64())),
            regression(),
            "none of the 3 rows has a value",
        ),
        (
            table(day=[None, *[date(2024, 1, 1)] * 8], x=[1.0] * 9, target=[1.0] * 9),
            regression(split={"method": "time", "column": "day"}),
            "1 rows have no 'day'",
        ),
        (
            table(day=["monday"] * 9, x=[1.0] * 9, target=[1.0] * 9),
            regression(split={"method": "time", "column": "day"}),
            "needs a column of dates",
        ),
        (
            table(group=["a", "b"] * 9, x=[1.0] * 18, target=[1.0] * 18),
            regression(split={"method": "group", "column": "group"}),
            "3 groups or more in 'group', and there are 2",
        ),
        (
            table(at=list(range(10)), x=[1.0] * 10, species=["a"] * 7 + ["b"] * 3),
            model(split={"method": "time", "column": "at"}),
            "all 6 training rows are of the class 'a'",
        ),
    ],
)
def test_what_cannot_be_divided_is_terminal_and_says_why(tmp_path, rows, config, message):
    with pytest.raises(TerminalError, match=message):
        split(rows, config, tmp_path)


def answers(classes: list) -> pa.Table:
    return pa.table({"x": range(10 * len(classes)), "answer": classes * 10})


@pytest.mark.parametrize(
    ("classes", "positive"), [(["no", "yes"], "yes"), ([0, 1], 1), ([False, True], False)]
)
def test_class_that_counts_is_one_of_two(tmp_path, classes, positive):
    split(answers(classes), model(target="answer", positive=positive), tmp_path)


@pytest.mark.parametrize(
    ("classes", "positive", "message"),
    [
        (["no", "yes"], "ja", '\'answer\' has no class "ja": write one of "no", "yes"'),
        (["0", "1"], 1, '\'answer\' has no class 1: write one of "0", "1"'),
        ([0, 1], True, "'answer' has no class true: write one of 0, 1"),
        ([False, True], 1, "'answer' has no class 1: write one of false, true"),
        (
            ["a", "b", "c"],
            "a",
            '\'answer\' has 3 classes ("a", "b", "c"), and `positive` is for two',
        ),
    ],
)
def test_class_that_counts_and_is_none_of_two_is_refused(tmp_path, classes, positive, message):
    with pytest.raises(TerminalError) as refused:
        split(answers(classes), model(target="answer", positive=positive), tmp_path)
    assert str(refused.value).startswith(f"positive: {message}")
