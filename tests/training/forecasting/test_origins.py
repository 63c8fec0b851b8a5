from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from factory.base.errors import TerminalError
from factory.training.about_rows import read_about
from factory.training.folds import LEARNED, MEASURED, read_folds, read_window
from factory.training.split import read_part, split
from tests.training.forecasting.visits import forecaster, frame, table

LAST = pd.Timestamp(frame()["date"].max())


def divided(folder, rows=None, **changes):
    model = forecaster(**changes)
    return split(table(rows), model, folder)


def test_the_test_forecasts_each_of_its_values_once_from_origins_a_horizon_apart(tmp_path):
    found = divided(tmp_path)
    about = read_about(tmp_path, "test")
    assert found.rows["test"] == 2 * 28
    assert len(set(zip(about["series"], about["time"], strict=True))) == 2 * 28
    assert about["time"].min() == LAST - timedelta(days=27)
    origins = [LAST - timedelta(days=days) for days in (28, 21, 14, 7)]
    assert sorted(set(about["origin"])) == [one.to_datetime64() for one in origins]
    assert (about["time"] - about["origin"] == about["step"] * np.timedelta64(1, "D")).all()


def test_nothing_that_is_learned_from_is_later_than_the_first_origin(tmp_path):
    divided(tmp_path, split={"test": "28d", "validation": "14d"})
    learned = read_about(tmp_path, "train")["time"].max()
    validation, test = (read_about(tmp_path, part) for part in ("validation", "test"))
    assert learned == validation["origin"].min()
    assert validation["time"].max() == test["origin"].min()


def test_each_fold_forecasts_the_horizon_from_its_origin_and_learned_what_was_known(tmp_path):
    divided(tmp_path)
    about = read_about(tmp_path, "train")
    for number, fold in enumerate(read_folds(tmp_path)):
        measured, learned = fold == MEASURED, fold == LEARNED
        origin = LAST - timedelta(days=28 + 7 * (3 - number))
        assert set(about["origin"][measured]) == {origin.to_datetime64()}
        assert sorted(about["step"][measured]) == sorted([*range(1, 8)] * 2)
        assert about["time"][learned].max() == origin.to_datetime64()


def test_a_window_rolls_on_with_the_origins(tmp_path):
    divided(tmp_path, split={"test": "28d", "validation": {"folds": 3}, "window": "40d"})
    times = read_about(tmp_path, "train")["time"]
    for fold in read_folds(tmp_path):
        learned = times[fold == LEARNED]
        assert (learned.max() - learned.min()) == np.timedelta64(39, "D")
    newest = times[read_window(tmp_path)]
    assert newest.max() == (LAST - timedelta(days=28)).to_datetime64()
    assert (newest.max() - newest.min()) == np.timedelta64(39, "D")


def test_values_that_are_older_than_the_window_are_not_learned_from(tmp_path):
    divided(tmp_path, split={"test": "28d", "validation": "14d", "window": "40d"})
    learned = read_about(tmp_path, "train")["time"]
    assert (learned.max() - learned.min()) == np.timedelta64(39, "D")


def test_values_after_an_origin_change_none_of_its_rows(tmp_path):
    rows = frame()
    divided(tmp_path / "a", rows)
    origin = pd.Timestamp(LAST - timedelta(days=28))
    later = pd.to_datetime(rows["date"]) > origin
    divided(tmp_path / "b", rows.assign(visitors=rows["visitors"].where(~later, -1e9)))
    for part in ("train", "test"):
        (one, _), (other, _) = (read_part(tmp_path / side, part) for side in "ab")
        known = read_about(tmp_path / "a", part)["origin"] <= origin.to_datetime64()
        assert known.sum() > 0
        assert one[known].equals(other[known])


def test_shares_are_of_the_steps(tmp_path):
    found = divided(tmp_path, split={"test": 0.2, "validation": 0.1})
    assert (found.rows["test"], found.rows["validation"]) == (2 * 32, 2 * 16)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"test": "3d"}, r"split.test: 3d of 160 steps of D are 3 steps, and `horizon` is 7"),
        ({"test": 0.02}, r"split.test: 0.02 of 160 steps of D are 3 steps"),
        ({"test": "28d", "validation": "2d"}, r"split.validation: 2d of 160 steps"),
        ({"test": "28d", "validation": {"folds": 20}}, r"20 folds of 7 steps each leave nothing"),
        ({"test": "150d", "validation": {"folds": 2}}, r"none would be left for train"),
    ],
)
def test_too_few_steps_are_told(tmp_path, section, message):
    with pytest.raises(TerminalError, match=message):
        divided(tmp_path, split=section)


def test_guards_look_at_what_is_known_and_not_at_the_past_of_the_target(tmp_path):
    rows = frame()
    smooth = rows.assign(visitors=np.arange(len(rows), dtype=float) % 160)
    assert divided(tmp_path / "a", smooth).findings == ()
    leaking = rows.assign(holiday=rows["visitors"] * 2)
    [found] = divided(tmp_path / "b", leaking).findings
    assert (found.guard, found.action) == ("leakage", "halt")
    assert "'holiday'" in found.text
