"""What makes a score unbelievable, found before a version goes live."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import palmerpenguins
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import datasets

from factory.base.errors import TerminalError
from factory.training.guard.finding import GuardFinding
from factory.training.guard.known_rows import ChampionOverlap, TrainingRows
from factory.training.guard.scores import (
    ConstantPrediction,
    Winner,
    WorseThanBaseline,
    baseline,
)
from factory.training.split import split
from tests.training.models import model, regression

ROWS = 400
RNG = np.random.default_rng(7)
SIGNAL = RNG.normal(size=ROWS)
LABELS = np.where(SIGNAL + RNG.normal(size=ROWS) > 0, "yes", "no")
PRICE = 100 + 20 * SIGNAL + RNG.normal(size=ROWS)


def findings(workspace, section=model, **columns) -> dict[str, GuardFinding]:
    """The findings about rows, by guard."""
    target = "species" if section is model else "target"
    changes = columns.pop("changes", {})
    values = LABELS if section is model else PRICE
    rows = pa.table({"signal": SIGNAL + RNG.normal(size=ROWS), **columns, target: values})
    return {each.guard: each for each in split(rows, section(**changes), workspace).findings}


def test_honest_rows_have_no_finding(tmp_path):
    assert findings(tmp_path / "a") == {}
    assert findings(tmp_path / "b", regression) == {}


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(LABELS, id="copy"),
        pytest.param(np.where(LABELS == "yes", 1, 0), id="as numbers"),
        pytest.param(np.where(LABELS == "yes", RNG.normal(size=ROWS), np.nan), id="null if no"),
        pytest.param(
            np.where(LABELS == "yes", RNG.choice(["sent", "paid"], ROWS), "open"), id="codes"
        ),
        pytest.param(
            [
                datetime(2024, 1, 1, tzinfo=UTC) + timedelta(int(each)) if label == "yes" else None
                for each, label in zip(RNG.integers(0, 300, ROWS), LABELS, strict=True)
            ],
            id="date",
        ),
        pytest.param(
            np.where(RNG.random(ROWS) < 0.004, "no", LABELS), id="copy with a few mistakes"
        ),
    ],
)
def test_feature_that_alone_tells_the_class_is_leakage(tmp_path, leak):
    found = findings(tmp_path, leak=pa.array(leak))["leakage"]
    assert found.action == "halt"
    assert found.text.startswith("'leak' (balanced accuracy ")
    assert "alone tells 'species' almost perfectly" in found.text


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(PRICE, id="copy"),
        pytest.param(PRICE * 1.19, id="another unit"),
        pytest.param(np.log(PRICE), id="logarithm"),
        pytest.param(np.round(PRICE, 1), id="rounded"),
    ],
)
def test_feature_that_alone_tells_the_number_is_leakage(tmp_path, leak):
    found = findings(tmp_path, regression, leak=leak)["leakage"]
    assert found.text.startswith("'leak' (R² ")


@pytest.mark.parametrize(
    ("frame", "target"),
    [
        (datasets.load_iris(as_frame=True).frame, "target"),
        (datasets.load_wine(as_frame=True).frame, "target"),
        (datasets.load_breast_cancer(as_frame=True).frame, "target"),
        (palmerpenguins.load_penguins(), "species"),
    ],
)
def test_well_known_tables_leak_nothing(tmp_path, frame: pd.DataFrame, target: str):
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    found = split(rows, model(target=target), tmp_path).findings
    assert [each.guard for each in found if each.guard == "leakage"] == []


def test_well_known_numbers_leak_nothing(tmp_path):
    rows = pa.Table.from_pandas(datasets.load_diabetes(as_frame=True).frame, preserve_index=False)
    assert split(rows, regression(), tmp_path).findings == ()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([f"C-{each:05d}" for each in range(ROWS)], id="texts"),
        pytest.param(list(range(1000, 1000 + ROWS)), id="running number"),
    ],
)
def test_identifier_among_the_features_is_said(tmp_path, values):
    found = findings(tmp_path, number=values)["identifiers"]
    assert (found.action, found.text.partition(" tell rows apart")[0]) == (
        *("warn", f"'number' ({ROWS} values in {ROWS} rows)"),
    )


def test_large_numbers_are_identifiers_if_their_name_says_so(tmp_path):
    numbers = RNG.choice(10**9, ROWS, replace=False)
    assert "identifiers" in findings(tmp_path / "a", customer_id=numbers)
    assert "identifiers" not in findings(tmp_path / "b", population=numbers)


SENTENCES = [f"the {each}th parcel came late and was wet" for each in range(ROWS)]
FEW_SENTENCES = [SENTENCES[each % 60] for each in range(ROWS)]
STRICT = {"free_text": {"distinct": 30}}


def test_sentences_that_are_read_word_by_word_are_no_finding(tmp_path):
    assert findings(tmp_path, remark=SENTENCES, changes={"guard": STRICT}) == {}


def test_sentences_are_not_one_hot_encoded_without_a_word(tmp_path):
    found = findings(tmp_path, remark=FEW_SENTENCES, changes={"guard": STRICT})
    assert found["free_text"].text.startswith("'remark' (60 different texts of 8 words)")
    assert "identifiers" not in found


@pytest.mark.parametrize(
    "preprocessing",
    ["acme.prepare", [{"columns": ["remark"], "steps": "drop"}]],
)
def test_sentences_are_no_finding_where_the_team_prepares_them_itself(tmp_path, preprocessing):
    changes = {"preprocessing": preprocessing, "guard": STRICT}
    assert "free_text" not in findings(tmp_path, remark=FEW_SENTENCES, changes=changes)


def repeated(times: int) -> Sequence[str]:
    return list(np.repeat(LABELS[: ROWS // times], times))


def test_same_rows_on_both_sides_are_said_with_their_share(tmp_path):
    half = np.repeat(SIGNAL[: ROWS // 2], 2)
    rows = pa.table({"signal": half, "species": repeated(2)})
    (found,) = split(rows, model(), tmp_path).findings
    assert found.guard == "duplicates"
    assert "test rows" in found.text
    assert "split: {duplicates: together}" in found.text


@pytest.mark.parametrize(
    "how", [{"method": "time", "column": "row"}, {"method": "hash", "key": ["row"]}]
)
def test_where_rows_are_not_divided_by_chance_nothing_is_advised_that_needs_it(tmp_path, how):
    twice = [np.tile(values[: ROWS // 2], 2) for values in (SIGNAL, LABELS)]
    rows = pa.table([*twice, list(range(ROWS))], names=["signal", "species", "row"])
    (found,) = [
        each
        for each in split(rows, model(split=how), tmp_path).findings
        if each.guard == "duplicates"
    ]
    assert found.text.endswith("training row: take repeated rows out in a transform")


def test_few_rows_hold_a_version_back(tmp_path):
    rows = pa.table({"x": [float(each) for each in range(12)], "target": [1.0, 2.0, 3.0] * 4})
    found = {each.guard: each for each in split(rows, regression(), tmp_path).findings}
    assert found["min_rows"].action == "halt"
    assert "only 8 train rows (at least 30) and 2 test rows (at least 10)" in found["min_rows"].text
    will_do = regression(guard={"min_rows": {"train": 8, "test": 2}})
    assert split(rows, will_do, tmp_path / "b").findings == ()


def test_class_that_a_part_lacks_is_said(tmp_path):
    when = list(range(ROWS))
    how = {"method": "time", "column": "at"}
    features = {"at": when, "x": RNG.normal(size=ROWS)}
    labels = np.where(np.arange(ROWS) % 2, "yes", "no").astype(object)
    early, late, twice = labels.copy(), labels.copy(), labels.copy()
    early[:4], late[-4:], twice[:2] = "early", "late", "twice"
    found = split(pa.table({**features, "species": early}), model(split=how), tmp_path).findings
    assert [each.guard for each in found] == ["absent_classes"]
    assert found[0].text.startswith("no test row is early, so that a score says nothing of that")
    found = split(
        pa.table({**features, "species": late}), model(split=how), tmp_path / "b"
    ).findings
    assert "no training row is late, so that no row is ever predicted to be that" in [
        each.text.partition(":")[0] for each in found
    ]
    said = model(split=how, guard={"absent_classes": "off"})
    assert split(pa.table({**features, "species": early}), said, tmp_path / "c").findings == ()


def test_target_that_drifts_away_is_said(tmp_path):
    when = list(range(ROWS))
    values = np.where(np.array(when) < ROWS * 0.8, PRICE, PRICE + 60)
    rows = pa.table({"at": when, "x": RNG.normal(size=ROWS), "target": values})
    how = {"method": "time", "column": "at"}
    found = split(rows, regression(split=how), tmp_path).findings
    assert [each.guard for each in found] == ["target_drift"]
    assert "median 1" in found[0].text
    labels = np.where(np.array(when) < ROWS * 0.8, LABELS, "yes")
    rows = pa.table({"at": when, "x": RNG.normal(size=ROWS), "species": labels})
    found = split(rows, model(split=how), tmp_path / "b").findings
    assert ": 0.0% are no instead of" in found[0].text


def rare() -> pa.Table:
    labels = [*LABELS[:-2], "perhaps", "perhaps"]
    return pa.table({"signal": SIGNAL, "species": labels})


@pytest.mark.parametrize("method", ["stratified", "random"])
def test_rare_class_ends_the_run_until_somebody_has_said_what_to_do(tmp_path, method):
    with pytest.raises(TerminalError, match=r"fewer of perhaps \(2\): write `guard: {rare_classes"):
        split(rare(), model(split={"method": method}), tmp_path)


def test_rare_class_can_be_dropped(tmp_path):
    result = split(rare(), model(guard={"rare_classes": "drop"}), tmp_path)
    assert result.left_out == 2
    assert "perhaps" not in result.classes["train"]
    assert str(result.findings[0]) == (
        "`guard.rare_classes`: classes of fewer than 3 rows are left out: perhaps (2)"
    )


@pytest.mark.parametrize("method", ["stratified", "random"])
def test_rare_class_can_be_trained_on(tmp_path, method):
    section = model(guard={"rare_classes": "train"}, split={"method": method})
    result = split(rare(), section, tmp_path)
    assert result.classes["train"]["perhaps"] == 2
    assert sum(result.rows.values()) == ROWS


@pytest.mark.parametrize("name", ["NA", "n/a", "NaN", "null", "", "?"])
def test_class_that_stands_for_no_value_is_asked_about(tmp_path, name):
    labels = [*LABELS[:-40], *[name] * 40]
    rows = pa.table({"signal": SIGNAL, "species": labels})
    with pytest.raises(TerminalError, match=r"40 rows say .* as 'species', which often stands for"):
        split(rows, model(), tmp_path / "a")
    meant = split(rows, model(guard={"missing_class": False}), tmp_path / "b")
    assert meant.classes["train"][name] == 24


def test_guards_are_written_short_or_long_and_may_be_off(tmp_path):
    changes = {"guard": {"leakage": "warn"}}
    assert findings(tmp_path / "a", leak=LABELS, changes=changes)["leakage"].action == "warn"
    for off in ("off", False, {"action": "off"}):
        changes = {"guard": {"leakage": off}}
        assert "leakage" not in findings(tmp_path / f"{off}", leak=LABELS, changes=changes)


def test_guard_does_not_change_what_is_trained_but_for_rare_classes():
    assert model(guard={"leakage": "off"}).config_hash == model().config_hash
    assert model(guard={"rare_classes": "drop"}).config_hash != model().config_hash


def winner(values, goal="maximize", own=0.5, other=0.5) -> Winner:
    return Winner(values, "m", goal, {"m": own}, {"m": other})


def test_constant_prediction_is_found():
    (found,) = ConstantPrediction().look(winner(np.array(["a", "a", "a"], dtype=object)))
    assert found.text.startswith("all 3 test rows are predicted to be a")
    assert list(ConstantPrediction().look(winner(np.array([1.0, 1.5])))) == []


def test_baselines_are_those_of_scikit_learns_dummies():
    (classes,) = baseline(np.array(["a", "b", "b", "c"], dtype=object), 2, has_classes=True)
    assert list(classes.values) == ["b", "b"]
    assert classes.probabilities.tolist() == [[0.25, 0.5, 0.25]] * 2
    mean, median = baseline(np.array([0.0, 1.0, 5.0]), 1, has_classes=False)
    assert (mean.values[0], median.values[0]) == (2.0, 1.0)


@pytest.mark.parametrize(
    ("goal", "own", "other", "is_found"),
    [
        ("maximize", 0.5, 0.5, True),
        ("maximize", 0.6, 0.5, False),
        ("minimize", 0.6, 0.5, True),
        ("minimize", 0.4, 0.5, False),
    ],
)
def test_model_that_is_no_better_than_no_features_is_found(goal, own, other, is_found):
    found = list(WorseThanBaseline().look(winner(np.array([]), goal, own, other)))
    assert bool(found) is is_found


def test_model_without_a_score_is_found_and_one_without_a_baseline_is_not():
    values = np.array([1.0, 2.0])
    (found,) = WorseThanBaseline().look(Winner(values, "m", "maximize", {}, {"m": 0.5}))
    assert (found.action, found.text.partition(",")[0]) == (
        "halt",
        "m cannot be computed for the test rows",
    )
    assert list(WorseThanBaseline().look(Winner(values, "m", "maximize", {"m": 0.5}, {}))) == []


def test_rows_that_were_learned_from_are_known_again(tmp_path):
    hashes = np.random.default_rng(0).integers(0, 2**64, 300_000, dtype=np.uint64)
    TrainingRows.of(["x", "y"], hashes[:200_000]).save(tmp_path / "rows.npz")
    assert (tmp_path / "rows.npz").stat().st_size < 1_000_000
    rows = TrainingRows.load(tmp_path / "rows.npz")
    known, of = rows.known(["x", "y"], hashes[150_000:250_000])
    assert known / of == pytest.approx(0.5, abs=0.02)
    assert rows.known(["x", "z"], hashes) is None


def test_overlap_is_said_from_a_share_on():
    (found,) = ChampionOverlap().look(60, 100, champion=3)
    assert found.text.startswith("the champion, version 3, has learned from 60% of the test rows")
    assert list(ChampionOverlap().look(1, 100, champion=3)) == []
    assert list(ChampionOverlap().look(5, 5, champion=3)) == []
