"""Drift of one column: what differs is found, what is the same is not, and odd columns are borne."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from factory.monitoring.drift import (
    MISSING,
    NEW,
    OTHER,
    ColumnDrift,
    compare,
    kind_of,
    psi,
    psi_by_chance,
)
from factory.monitoring.sections import Drift

RANDOM = np.random.default_rng(11)
NORMAL = pd.Series(RANDOM.normal(size=5000))


def drift(numeric: str = "psi", categorical: str = "psi", **options: float) -> Drift:
    return Drift.model_validate(
        {
            "numeric": {"method": numeric, **(options if numeric != "psi" else {})},
            "categorical": {"method": categorical, **(options if categorical != "psi" else {})},
        }
    )


def numbers(reference, current, method: str = "psi", **options: float) -> ColumnDrift:
    sides = pd.Series(reference, dtype=float), pd.Series(current, dtype=float)
    return compare("x", *sides, drift(numeric=method, **options), kind="numeric")


def texts(reference, current, method: str = "psi", **options: float) -> ColumnDrift:
    sides = pd.Series(reference, dtype=object), pd.Series(current, dtype=object)
    return compare("x", *sides, drift(categorical=method, **options), kind="categorical")


def rows(found: ColumnDrift, label: str) -> tuple[int, int]:
    (one,) = [one for one in found.bins if one.label == label]
    return one.reference, one.current


def test_psi_is_the_published_formula():
    before, now = np.array([30.5, 50.5, 20.5]) / 101.5, np.array([20.5, 50.5, 30.5]) / 101.5
    expected = sum((n - b) * np.log(n / b) for b, n in zip(before, now, strict=True))
    assert psi([30, 50, 20], [20, 50, 30]) == pytest.approx(expected)
    assert psi([30, 50, 20], [60, 100, 40]) == pytest.approx(0, abs=1e-4)


def test_psi_of_an_empty_bin_is_finite_and_smaller_with_fewer_rows():
    many, few = psi([500, 500], [1000, 0]), psi([5, 5], [10, 0])
    assert np.isfinite(many)
    assert few < many


@pytest.mark.parametrize("method", ["psi", "kolmogorov_smirnov"])
def test_shifted_numbers_have_drifted_and_equal_ones_have_not(method):
    same = pd.Series(np.random.default_rng(12).normal(size=3000))
    assert not numbers(NORMAL, same, method).drifted
    assert numbers(NORMAL, same + 0.7, method).drifted


def test_numeric_bins_hold_a_tenth_of_the_reference_each():
    found = numbers(NORMAL, NORMAL)
    assert [one.reference for one in found.bins] == pytest.approx([500] * 10, abs=1)
    assert found.statistic == 0


def test_kolmogorov_smirnov_is_scipys():
    current = NORMAL[:900] * 1.3
    expected = stats.ks_2samp(NORMAL, current, method="asymp")
    found = numbers(NORMAL, current, "kolmogorov_smirnov")
    assert (found.statistic, found.p_value) == (expected.statistic, expected.pvalue)


def test_significant_difference_without_effect_is_no_drift():
    reference = pd.Series(RANDOM.normal(size=100_000))
    current = pd.Series(RANDOM.normal(loc=0.04, size=100_000))
    found = numbers(reference, current, "kolmogorov_smirnov")
    assert found.p_value < 0.01
    assert not found.drifted
    assert numbers(reference, current, "kolmogorov_smirnov", min_effect=0.0).drifted


def test_missing_numbers_are_a_bin_of_their_own():
    found = numbers(NORMAL, NORMAL.where(NORMAL.index % 2 == 0))
    assert rows(found, MISSING) == (0, 2500)
    assert found.drifted


def test_constant_column_that_stays_constant_has_not_drifted():
    for method in ("psi", "kolmogorov_smirnov"):
        found = numbers([3.0] * 200, [3.0] * 150, method)
        assert not found.drifted
        assert found.note == "constant in the reference"


def test_constant_column_that_changes_has_drifted():
    assert numbers([3.0] * 200, [4.0] * 150).drifted
    assert numbers([3.0] * 200, [3.0] * 75 + [2.0] * 75).drifted
    assert numbers([3.0] * 200, [4.0] * 150, "kolmogorov_smirnov").drifted


def test_numbers_that_are_nearly_always_the_same_are_told_from_the_others():
    reference = np.r_[np.arange(20), np.full(2000, 50.0)]
    assert not numbers(reference, reference).drifted
    assert numbers(reference, np.r_[np.full(1000, 50.0), np.full(1000, 3.0)]).drifted


@pytest.mark.parametrize("method", ["psi", "kolmogorov_smirnov"])
def test_column_without_values_on_one_side_has_drifted(method):
    found = numbers(NORMAL, [np.nan] * 500, method)
    assert found.drifted
    assert found.note == "no values any more"
    assert numbers([np.nan] * 500, NORMAL, method).drifted
    assert not numbers([np.nan] * 500, [np.nan] * 300, method).drifted


def test_few_different_numbers_are_compared_one_by_one():
    found = numbers([0.0] * 300 + [1.0] * 700, [0.0] * 700 + [1.0] * 200 + [2.0] * 100)
    assert rows(found, "0") == (300, 700)
    assert rows(found, NEW) == (0, 100)


@pytest.mark.parametrize("method", ["psi", "chi_squared"])
def test_categories_that_changed_places_have_drifted(method):
    reference = ["cod"] * 600 + ["hake"] * 400
    assert not texts(reference, ["cod"] * 290 + ["hake"] * 210, method).drifted
    assert texts(reference, ["cod"] * 100 + ["hake"] * 400, method).drifted


def test_chi_squared_is_scipys_and_its_effect_is_cramers_v():
    found = texts(["a"] * 60 + ["b"] * 40, ["a"] * 35 + ["b"] * 65, "chi_squared")
    table = np.array([[60, 40], [35, 65]])
    expected = stats.chi2_contingency(table, correction=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.statistic == pytest.approx(np.sqrt(expected.statistic / 200))


@pytest.mark.parametrize("method", ["psi", "chi_squared"])
def test_new_category_is_a_drift(method):
    found = texts(["cod"] * 500, ["cod"] * 250 + ["ling"] * 250, method)
    assert rows(found, NEW) == (0, 250)
    assert found.drifted


@pytest.mark.parametrize("method", ["psi", "chi_squared"])
def test_missing_category_is_a_bin_of_its_own(method):
    found = texts(["cod"] * 400 + [None] * 100, ["cod"] * 100 + [None] * 400, method)
    assert rows(found, MISSING) == (100, 400)
    assert found.drifted


def test_rare_categories_are_pooled_before_they_are_tested():
    reference = ["cod"] * 500 + [f"rare {number}" for number in range(20)]
    current = ["cod"] * 500 + [f"rare {number}" for number in range(10) for _ in range(2)]
    assert not texts(reference, current, "chi_squared").drifted


def test_categories_beyond_the_most_frequent_are_one():
    many = [f"c{number:03}" for number in range(200) for _ in range(12)]
    found = texts(many, many)
    assert rows(found, OTHER) == (170 * 12, 170 * 12)
    assert len(found.bins) == 31
    assert not found.drifted


@pytest.mark.parametrize("method", ["psi", "chi_squared"])
@pytest.mark.parametrize("seed", range(10))
def test_many_categories_of_which_each_sample_has_others_have_not_drifted(method, seed):
    random = np.random.default_rng(seed)
    codes = np.array([f"{code:05}" for code in range(2000)], dtype=object)
    likely = random.dirichlet(np.full(2000, 0.3))
    reference, current = (random.choice(codes, 500, p=likely) for _ in range(2))
    assert not texts(reference, current, method).drifted


def test_many_categories_of_which_the_frequent_ones_vanish_have_drifted():
    reference = ["cod"] * 300 + [f"rare {number}" for number in range(200)]
    assert texts(reference, [f"rare {number}" for number in range(500)]).drifted


@pytest.mark.parametrize("rows_now", [20, 50, 100, 500])
def test_few_rows_of_the_same_kind_are_taken_for_others_at_most_as_often_as_chance_has_it(rows_now):
    random = np.random.default_rng(5)
    reference = random.normal(size=300)
    found = [numbers(reference, random.normal(size=rows_now)) for _ in range(300)]
    assert sum(one.drifted for one in found) <= 10
    assert {one.threshold > 0.2 for one in found} == {rows_now < 500}
    assert "limit 0.2 is raised" in found[0].note or rows_now == 500


def test_limit_by_chance_is_chi_squareds():
    assert psi_by_chance(10, 300, 100) == pytest.approx(stats.chi2.ppf(0.99, 9) * (1 / 300 + 0.01))
    random = np.random.default_rng(1)
    shares = np.full(10, 0.1)
    found = [
        psi(random.multinomial(1000, shares), random.multinomial(500, shares)) for _ in range(2000)
    ]
    assert np.mean(np.array(found) > psi_by_chance(10, 1000, 500)) == pytest.approx(0.01, abs=0.007)


ODD = {
    "empty": [np.nan] * 120,
    "constant": [3.0] * 120,
    "half": [np.nan, 1.0] * 60,
    "infinite": [np.inf, -np.inf, 0.0] * 40,
    "zero and one": [0.0, 1.0] * 60,
    "usual": list(np.random.default_rng(3).normal(size=120)),
}


@pytest.mark.parametrize("before", ODD)
@pytest.mark.parametrize("now", ODD)
def test_odd_columns_give_numbers_whatever_meets_what(before, now):
    for method in ("psi", "kolmogorov_smirnov"):
        found = numbers(ODD[before], ODD[now], method)
        assert np.isfinite(found.statistic)
        assert found.drifted is not (before == now)
    as_texts = [[None if v != v else str(v) for v in ODD[name]] for name in (before, now)]
    for method in ("psi", "chi_squared"):
        assert np.isfinite(texts(*as_texts, method).statistic)


def test_points_in_time_are_ranked_and_shown_as_days():
    reference = pd.Series(pd.date_range("2024-01-01", periods=400, freq="D"))
    current = pd.Series(pd.date_range("2025-01-01", periods=400, freq="D"))
    assert kind_of(reference) == "numeric"
    found = compare("day", reference, current, drift(), kind="numeric")
    assert found.drifted
    assert found.bins[0].label == "to 2024-02-09"


@pytest.mark.parametrize("method", ["psi", "chi_squared"])
def test_window_without_rows_is_borne(method):
    assert texts(["a"] * 10, [], method).current_rows == 0
    assert numbers(NORMAL, []).current_rows == 0


def test_same_distribution_in_small_windows_stays_below_the_default_threshold():
    false_alarms = sum(
        numbers(NORMAL, np.random.default_rng(seed).normal(size=200)).drifted for seed in range(100)
    )
    assert false_alarms <= 2
