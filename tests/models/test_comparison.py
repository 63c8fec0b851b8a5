"""Challenger and champion on the same rows: the interval of the gain, and slices."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import binom

from factory.base.errors import TerminalError
from factory.models.comparison import Comparison, check_groups, gain_interval, slice_scores
from factory.models.gate_decision import GateDecision
from factory.models.promotion import Slices
from factory.trainers.trainer import Predictions
from factory.training import plots
from factory.training.metrics import Metric, find_metric
from factory.training.split import read_part
from tests.models.life import Life
from tests.training.models import model, one_trial

interval_of = partial(gain_interval, confidence=0.95, seed=7)


def hits(challenger: list[int], champion: list[int], metric: str = "accuracy") -> Comparison:
    """Two versions and whether each is right about a row; the truth is 1 for each."""
    said = [Predictions(np.array(right)) for right in (challenger, champion)]
    return Comparison(find_metric(metric), "maximize", np.ones(len(champion), dtype=int), *said)


def test_gain_of_a_version_that_is_right_where_the_other_is_wrong_is_certain():
    found = interval_of(hits([1] * 50, [0] * 50))
    assert (found.low, found.high, found.resamples, found.rows) == (1, 1, 1000, 50)
    assert found.is_above_zero


def test_versions_that_say_the_same_have_no_gain():
    found = interval_of(hits([1, 0] * 50, [1, 0] * 50))
    assert (found.low, found.high) == (0, 0)
    assert not found.is_above_zero


def test_interval_is_that_of_the_binomial_distribution_where_a_tenth_of_the_rows_is_won():
    # A resample of 100 rows has a number of won ones that is binomial, 100 and 0.1: 95 % lie from 5 to 16.
    low, high = binom.ppf([0.025, 0.975], 100, 0.1) / 100
    assert (low, high) == (0.05, 0.16)
    found = interval_of(hits([1] * 100, [1] * 90 + [0] * 10))
    assert (found.low, found.high) == (
        pytest.approx(low, abs=0.011),
        pytest.approx(high, abs=0.011),
    )
    narrow = gain_interval(hits([1] * 100, [1] * 90 + [0] * 10), 0.5, seed=7)
    low, high = binom.ppf([0.25, 0.75], 100, 0.1) / 100
    assert (narrow.low, narrow.high) == (pytest.approx(low), pytest.approx(high))


def test_rows_are_paired():
    # Each version is wrong about half of the rows, the challenger about one row less: were both
    # resampled by themselves, the interval would be five times as wide, and have 0 in it.
    champion = [1, 0] * 100
    challenger = [1, 1] * 8 + champion[16:]
    found = interval_of(hits(challenger, champion))
    assert found.low > 0
    assert found.high < 0.08


def test_same_seed_draws_the_same_resamples_and_another_one_others():
    random = np.random.default_rng(1)
    truth = random.normal(size=50)
    said = (Predictions(truth + random.normal(size=50)), Predictions(np.zeros(50)))
    compared = Comparison(find_metric("mean_absolute_error"), "minimize", truth, *said)
    assert interval_of(compared) == interval_of(compared)
    assert interval_of(compared).low != gain_interval(compared, 0.95, seed=8).low


def test_for_an_error_the_lower_one_gains():
    truth = np.arange(40.0)
    said = (Predictions(truth + 1), Predictions(truth - 3))
    compared = Comparison(find_metric("mean_absolute_error"), "minimize", truth, *said)
    found = interval_of(compared)
    assert (found.low, found.high) == (2, 2)


def test_probabilities_are_resampled_with_their_rows():
    truth = np.array(["a", "b"] * 20)
    sure = np.array([[1.0, 0.0], [0.0, 1.0]] * 20)
    classes = np.array(["a", "b"])
    said = (
        Predictions(truth, sure, classes),
        Predictions(truth, np.full((40, 2), 0.5), classes),
    )
    compared = Comparison(find_metric("log_loss"), "minimize", truth, *said)
    found = interval_of(compared)
    assert (found.low, found.high) == (pytest.approx(np.log(2)), pytest.approx(np.log(2)))


def test_resamples_for_which_the_metric_is_undefined_do_not_count():
    def of_first_row(target, values):
        if 0 not in target:
            raise ValueError("row 0 is missing")
        return float(values.mean())

    metric = Metric("first", ("regression",), "maximize", of_first_row)
    said = (Predictions(np.ones(5)), Predictions(np.zeros(5)))
    found = interval_of(Comparison(metric, "maximize", np.arange(5), *said))
    # A row is in none of 5 draws with a probability of 0.8 to the 5th, 0.328.
    assert found.resamples == pytest.approx(672, abs=50)
    assert found.low == 1
    lone = (Predictions(np.ones(1)), Predictions(np.zeros(1)))
    found = interval_of(Comparison(metric, "maximize", np.array([3]), *lone))
    assert (found.low, found.high, found.resamples) == (None, None, 0)
    assert not found.is_above_zero
    assert str(found) == (
        "there is no interval of the difference: the metric could be computed for 0 resamples of 1 "
        "test rows only"
    )


def test_of_many_rows_ten_thousand_are_resampled():
    compared = hits([1] * 20_001, [1, 0] * 10_000 + [1])
    found = interval_of(compared)
    assert found.rows == 10_000
    assert found.low < 0.5 < found.high
    assert found.high - found.low == pytest.approx(4 * 0.005, rel=0.1)


def test_resampling_ends_when_its_time_is_up():
    # It is asked for the time once before, and once after each resample.
    ticks = itertools.count()
    found = interval_of(hits([1] * 9, [0] * 9), clock=lambda: next(ticks))
    assert found.resamples == 301
    slow = itertools.count(step=2)
    found = interval_of(hits([1] * 9, [0] * 9), clock=lambda: next(slow))
    assert (found.low, found.resamples) == (None, 151)


# Slices


REGIONS = ["north"] * 40 + ["south"] * 40 + ["west"] * 20


def test_loss_of_each_slice_is_the_difference_of_its_scores():
    # The champion is right about all of the south, and about none of the north.
    compared = hits([1] * 40 + [1] * 30 + [0] * 10 + [1] * 20, [0] * 40 + [1] * 40 + [1] * 20)
    slices = Slices(columns=("region",), max_loss=0.2, min_rows=30)
    found = slice_scores(compared, slices, pd.DataFrame({"region": REGIONS}))
    assert [
        (str(one), one.rows, one.challenger, one.champion, one.loss) for one in found.worst
    ] == [
        ("region = south", 40, 0.75, 1.0, 0.25),
        ("region = north", 40, 1.0, 0.0, -1.0),
    ]
    assert (found.compared, found.too_bad, found.too_small, found.undefined) == (2, 1, 1, 0)
    assert found.left_out == "1 of fewer than 30 rows"


@pytest.mark.parametrize(("max_loss", "too_bad"), [(0.25, 0), (0.249, 1), (0.0, 1)])
def test_loss_as_great_as_the_limit_is_not_too_great(max_loss, too_bad):
    compared = hits([1] * 30 + [0] * 10, [1] * 40)
    slices = Slices(columns=("region",), max_loss=max_loss)
    found = slice_scores(compared, slices, pd.DataFrame({"region": ["south"] * 40}))
    assert found.too_bad == too_bad


def test_each_column_has_slices_of_its_own_and_null_is_a_value():
    rows = pa.table({"a": [1.5, None] * 30, "b": [True] * 60}).to_pandas()
    slices = Slices(columns=("a", "b"), min_rows=30)
    found = slice_scores(hits([1] * 60, [1] * 60), slices, rows)
    assert {(str(one), one.rows) for one in found.worst} == {
        ("a = 1.5", 30),
        ("a = null", 30),
        ("b = True", 60),
    }


def test_slice_in_which_the_metric_is_undefined_is_left_out_and_counted():
    truth = np.array(["a"] * 30 + ["a", "b"] * 15)
    said = Predictions(truth, np.full((60, 2), 0.5), np.array(["a", "b"]))
    metric = find_metric("roc_auc").of_class("a")
    compared = Comparison(metric, "maximize", truth, said, said)
    rows = pd.DataFrame({"x": ["one"] * 30 + ["two"] * 30})
    found = slice_scores(compared, Slices(columns=("x",)), rows)
    assert (found.compared, found.undefined) == (1, 1)
    assert found.left_out == "1 in which the metric cannot be computed"


def test_ten_worst_of_many_slices_are_told():
    rows = pd.DataFrame({"x": np.repeat(np.arange(100), 2)})
    champion = np.ones(200, dtype=int)
    challenger = champion.copy()
    challenger[[6, 8, 9]] = 0
    slices = Slices(columns=("x",), min_rows=2)
    found = slice_scores(hits(challenger, champion), slices, rows)
    assert (found.compared, found.too_bad, len(found.worst)) == (100, 2, 10)
    assert [str(one) for one in found.worst[:2]] == ["x = 4", "x = 3"]


def test_column_that_test_rows_do_not_have_ends_the_gate_with_what_they_have():
    with pytest.raises(TerminalError, match="no column 'regoin', only the features: did you mean"):
        check_groups(["regoin"], ["region", "age"])


# In the gate


def signs() -> pa.Table:
    """A target, and columns that say it but for some rows; `skewed` knows nothing of the south."""
    random = np.random.default_rng(3)
    count = 1000
    target = random.random(count) < 0.5
    south = np.arange(count) % 5 == 0

    def wrong(share: "float | np.ndarray") -> np.ndarray:
        return np.where(random.random(count) < share, ~target, target).astype(float)

    return pa.table(
        {
            "id": np.arange(count),
            "region": np.where(south, "south", "north"),
            "fair": wrong(0.25),
            "similar": wrong(0.22),
            "skewed": wrong(np.where(south, 0.5, 0.05)),
            "better": wrong(0.05),
            "species": np.where(target, "yes", "no"),
        }
    )


def by(*features: str):
    """A model that looks at the best one of some features."""
    return model(
        search=one_trial("sklearn.tree.DecisionTreeClassifier", max_depth=1),
        features=["region", *features],
        objective={"metric": "accuracy"},
        split={"method": "hash", "key": ["id"]},
    )


@pytest.fixture(scope="module", autouse=True)
def _no_plots():
    """Plots take a fifth of a training's time, and the gate looks at none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "save_plots", lambda *_, **__: [])
        yield


@pytest.fixture(scope="module")
def life(tmp_path_factory, mlflow_server) -> Life:
    """A model whose champion looks at `fair`."""
    life = Life(tmp_path_factory.mktemp("comparison"), mlflow_server)
    life.train(by("fair"), signs())
    decision = life.decide(confidence=0.95, slices={"columns": ["region"]})
    # There is nothing to compare the first one with.
    assert (decision.verdict, decision.interval, decision.slices) == ("promote", None, None)
    life.promote(decision)
    return life


@pytest.fixture
def train(life, tmp_path):
    """Train a further version."""

    def trained(*features: str, section=None) -> Life:
        again = Life(tmp_path, life.uri, life.name)
        life.run += 1
        again.run = life.run
        again.train(section or by(*features), signs())
        return again

    return trained


def test_difference_that_is_certain_promotes_and_is_told_with_its_interval(train):
    again = train("fair", "better")
    decision = again.decide(confidence=0.95)
    assert decision.verdict == "promote"
    assert 0 < decision.interval.low < decision.gain < decision.interval.high
    told = (
        f"Difference in accuracy, above 0 where the challenger is better: {decision.gain:.6g}; with a "
        f"confidence of 0.95 the difference lies between {decision.interval.low:.4g} and "
        f"{decision.interval.high:.4g} (1,000 resamples of {decision.rows} test rows)."
    )
    assert told in decision.table()
    assert told in again.note
    assert again.tags["gate_interval"] == str(decision.interval)
    # A retry decides the same.
    assert again.decide(confidence=0.95) == decision


def test_interval_is_that_of_the_rows_that_only_one_of_both_is_right_about(train):
    again = train("fair", "better")
    features, target = read_part(again.training.workspace, "test")
    right = {name: features[name].to_numpy() == (target == "yes") for name in ("fair", "better")}
    decision = again.decide(confidence=0.9)
    difference = right["better"].astype(float) - right["fair"]
    assert decision.gain == pytest.approx(difference.mean())
    error = difference.std() / len(target) ** 0.5
    assert decision.interval.low == pytest.approx(decision.gain - 1.645 * error, abs=0.15 * error)
    assert decision.interval.high == pytest.approx(decision.gain + 1.645 * error, abs=0.15 * error)


def test_difference_that_may_be_chance_keeps_the_champion(train):
    again = train("fair", "similar")
    assert again.decide().verdict == "promote"
    decision = again.decide(confidence=0.95)
    assert decision.verdict == "keep"
    assert decision.interval.low < 0 < decision.gain
    assert decision.reason.startswith(
        f"version {again.version.version} beats the champion by {decision.gain:.6g}, which may be "
        f"chance: with a confidence of 0.95 the difference lies between {decision.interval.low:.4g} and "
    )


def test_slice_that_is_worse_keeps_the_champion_however_good_the_rest_is(train):
    again = train("fair", "skewed")
    assert again.decide().verdict == "promote"
    decision = again.decide(slices={"columns": ["region"], "max_loss": 0.05})
    assert (decision.verdict, decision.slices.too_bad, decision.slices.compared) == ("keep", 1, 2)
    south, north = decision.slices.worst
    features, target = read_part(again.training.workspace, "test")
    for one in (south, north):
        rows = (features["region"] == one.value).to_numpy()
        for score, name in ((one.champion, "fair"), (one.challenger, "skewed")):
            right = features[name].to_numpy()[rows] == (target == "yes")[rows]
            assert score == right.mean()
        assert one.rows == rows.sum()
    assert decision.reason == (
        f"version {again.version.version} is worse than the champion in a slice of the test rows by more "
        f"than 0.05, see `promotion.slices`: region = south (test accuracy {south.challenger:.6g} "
        f"against {south.champion:.6g} of version 1 on {south.rows} rows)"
    )
    assert "1 of 2 slices are worse by more than 0.05." in again.note
    assert f"| region = south | {south.rows} | {south.champion:.6g} | " in again.note
    assert again.tags["gate_slices_too_bad"] == "1"
    # Those of the south are left out, and said to be.
    decision = again.decide(
        beat_champion=False, slices={"columns": ["region"], "min_rows": south.rows + 1}
    )
    assert decision.verdict == "promote"
    assert f"left out: 1 of fewer than {south.rows + 1} rows." in decision.table()


def test_slices_by_a_column_that_is_no_feature_end_the_gate(life):
    with pytest.raises(TerminalError, match="test rows have no column 'id', only the features"):
        life.decide(slices={"columns": ["id"]})


def test_champion_without_a_score_stays_where_slices_are_to_be_compared(train):
    narrow = train(section=by().model_copy(update={"features": ("better",)}))
    assert narrow.decide(beat_champion=False).verdict == "promote"
    decision = narrow.decide(beat_champion=False, slices={"columns": ["better"]})
    assert decision.verdict == "keep"
    assert "the champion, version 1, cannot be scored on the test rows" in decision.reason


def test_decision_of_an_earlier_version_can_still_be_read(life):
    decision = life.decide(require={"accuracy": {"min": 0.1}})
    before = decision.as_json()
    del before["interval"], before["slices"], before["thresholds"][0]["rule"]
    assert GateDecision.from_json(before) == decision
