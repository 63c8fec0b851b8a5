"""Metrics of anomalies and clusters, beside plain scikit-learn and numbers by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from factory.trainers.trainer import Predictions
from factory.training.cluster_numbers import numbers_as_before
from factory.training.mass_volume import mass_volume, random_rows
from factory.training.metrics import find_metric, score
from factory.training.unsupervised_metrics import MOST_ROWS

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(300, 3)) + np.repeat([0, 4, 8], 100)[:, None]
CLUSTERS = np.repeat([2, 0, 7], 100)


@pytest.mark.parametrize("name", ["silhouette", "calinski_harabasz", "davies_bouldin"])
def test_metrics_of_clusters_are_scikit_learns(name):
    found = find_metric(name).compute(None, Predictions(CLUSTERS, points=POINTS))
    assert found == getattr(metrics, f"{name}_score")(POINTS, CLUSTERS)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "adjusted_mutual_info",
            "adjusted_rand",
            "completeness",
            "fowlkes_mallows",
            "homogeneity",
        ),
        *("mutual_info", "normalized_mutual_info", "rand", "v_measure"),
    ],
)
def test_labels_measure_clusters_as_scikit_learn_does(name):
    truth = np.array(["a", "b", "b"] * 100, dtype=object)
    found = find_metric(name).compute(truth, Predictions(CLUSTERS))
    assert found == pytest.approx(getattr(metrics, f"{name}_score")(truth, CLUSTERS))


def test_the_silhouette_of_many_rows_is_that_of_some_and_the_same_each_time():
    points = RANDOM.normal(size=(MOST_ROWS + 500, 2))
    said = Predictions((points[:, 0] > 0).astype(int), points=points)
    one, other = (find_metric("silhouette").compute(None, said) for _ in range(2))
    assert one == other
    assert one == pytest.approx(metrics.silhouette_score(points, said.values), abs=0.01)


def test_one_cluster_has_no_silhouette_and_is_told_why():
    said = Predictions(np.zeros(9, dtype=int), points=RANDOM.normal(size=(9, 2)))
    found = score([find_metric("silhouette"), find_metric("cluster_count")], None, said)
    assert found.values == {"cluster_count": 1.0}
    assert "Number of labels is 1" in found.skipped["silhouette"]


def test_the_mass_volume_is_the_area_under_its_curve_by_hand():
    scores, background = np.arange(1000.0), RANDOM.uniform(0, 4000, 20_000)
    # A region that holds the share a of the rows holds 1000 a of the 4000 numbers.
    by_hand = np.mean([0.25 * share for share in np.linspace(0.9, 0.999, 100)])
    assert mass_volume(scores, background) == pytest.approx(by_hand, abs=0.01)


def test_a_score_that_tells_nothing_fills_the_box_and_a_good_one_little_of_it():
    assert mass_volume(np.ones(50), np.ones(100)) == 1.0
    rows = pd.DataFrame(RANDOM.normal(size=(500, 2)), columns=["a", "b"])
    drawn = random_rows(rows, seed=0)
    distance = [np.hypot(each["a"], each["b"]).to_numpy() for each in (rows, drawn)]
    by_chance = [RANDOM.uniform(size=len(each)) for each in (rows, drawn)]
    assert mass_volume(*distance) < 0.7 < 0.9 < mass_volume(*by_chance)


def test_rows_at_random_lie_within_the_box_and_have_the_forms_of_the_columns():
    rows = pd.DataFrame(
        {
            "number": [1.5, np.nan, 3.25],
            "whole": [0.0, 1.0, 1.0],
            "text": ["a", "b", None],
            "time": pd.to_datetime(["2026-01-01", "2026-02-01", None]),
            "empty": [np.nan] * 3,
        }
    )
    drawn = random_rows(rows, seed=3, count=400)
    pd.testing.assert_series_equal(drawn.dtypes, rows.dtypes)
    assert drawn["number"].between(1.5, 3.25).all()
    assert set(drawn["whole"]) == {0.0, 1.0}
    assert set(drawn["text"]) == {"a", "b"}
    assert drawn["time"].between("2026-01-01", "2026-02-01").all()
    assert drawn["empty"].isna().all()
    pd.testing.assert_frame_equal(drawn, random_rows(rows, seed=3, count=400))


def test_metrics_that_compare_with_labels_are_skipped_without():
    said = Predictions(CLUSTERS, points=POINTS)
    found = score([find_metric("adjusted_rand")], None, said)
    assert found.skipped == {"adjusted_rand": "the model has no target to measure by"}


@pytest.mark.parametrize(
    ("before", "now", "numbers"),
    [
        ([0, 0, 1, 1, 2], [1, 1, 0, 0, 2], {0: 1, 1: 0, 2: 2}),
        ([0, 0, 1, 1], [0, 2, 1, 1], {0: 0, 1: 1, 2: 2}),
        ([0, 1, 2, 2], [0, 0, 0, 0], {0: 2}),
        ([5, 5, 9], [0, 0, 1], {0: 5, 1: 9}),
    ],
)
def test_clusters_get_the_numbers_of_those_that_hold_the_same_rows(before, now, numbers):
    assert numbers_as_before(np.array(before), np.array(now)) == numbers


def test_a_cluster_that_is_new_gets_a_number_that_was_none():
    found = numbers_as_before(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1]))
    assert found == {0: 0, 1: 1, 2: 2}
