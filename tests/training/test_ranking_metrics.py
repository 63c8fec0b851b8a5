"""Metrics of rankings, beside plain scikit-learn group by group, and numbers by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from factory.trainers.trainer import Predictions
from factory.training.metrics import Scores, find_metric, score
from factory.training.ranking_rules import GROUP
from factory.training.row_groups import some_groups

Groups = NDArray[Any]


def rows(*, ties: bool, seed: int = 0) -> tuple[Groups, Groups, Groups]:
    """Relevance, scores and groups of rows in no order; of one group nothing is relevant."""
    random = np.random.default_rng(seed)
    group = random.permutation(np.repeat(np.arange(40), random.integers(2, 15, 40)))
    truth = random.integers(0, 4, len(group)).astype(float)
    truth[group == 3] = 0
    said = random.normal(size=len(group))
    return truth, np.round(said) if ties else said, group


def by_group(
    function: Callable[..., float], truth: Groups, said: Groups, group: Groups, **options: Any
) -> float:
    """A function of scikit-learn of each group by itself; the mean over those with something relevant."""
    return float(
        np.mean(
            [
                function(truth[None, group == one], said[None, group == one], **options)
                for one in np.unique(group)
                if truth[group == one].any()
            ]
        )
    )


def measured(name: str, truth: Groups, said: Groups, group: Groups) -> Scores:
    return score([find_metric(name)], truth, Predictions(said, about={GROUP: group}))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("name", "k"), [("ndcg", None), ("ndcg_at_10", 10)])
def test_ndcg_is_the_mean_of_scikit_learns(name: str, k: int | None, ties: bool) -> None:
    given = rows(ties=ties)
    assert measured(name, *given).values[name] == pytest.approx(by_group(ndcg_score, *given, k=k))


@pytest.mark.parametrize("k", [1, 3, 100])
def test_as_many_rows_count_as_a_team_says(k: int) -> None:
    truth, said, group = rows(ties=True, seed=1)
    metric = find_metric("ndcg").named("first", {"k": k})
    found = metric.compute(truth, Predictions(said, about={GROUP: group}))
    assert found == pytest.approx(by_group(ndcg_score, truth, said, group, k=k))


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_the_mean_of_scikit_learns(ties: bool) -> None:
    truth, said, group = rows(ties=ties)
    expected = by_group(label_ranking_average_precision_score, (truth > 0) * 1, said, group)
    found = measured("mean_average_precision", truth, said, group)
    assert found.values["mean_average_precision"] == pytest.approx(expected)


def test_the_reciprocal_rank_is_that_of_the_first_relevant_row_behind_all_with_its_score() -> None:
    group = np.array([7, 7, 7, 8, 8, 8, 9])
    truth = np.array([0, 0, 2, 1, 0, 0, 0.0])
    said = np.array([3, 2, 1, 5, 5, 4, 1.0])
    # The third place, and the second of two that share the first; nothing of the last group is relevant.
    found = measured("mean_reciprocal_rank", truth, said, group)
    assert found.values["mean_reciprocal_rank"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_an_order_that_is_right_is_worth_1_and_none_is_worth_less() -> None:
    truth, _, group = rows(ties=False)
    for name in ("ndcg", "ndcg_at_10", "mean_average_precision", "mean_reciprocal_rank"):
        in_order = truth + np.linspace(0, 0.1, len(truth))
        assert measured(name, truth, in_order, group).values[name] == pytest.approx(1)
        assert measured(name, truth, np.zeros(len(truth)), group).values[name] < 0.9


def test_without_anything_relevant_there_is_no_metric_and_it_is_said_why() -> None:
    nothing = np.zeros(4)
    found = measured("ndcg", nothing, np.arange(4.0), np.array([1, 1, 2, 2]))
    assert found.skipped == {"ndcg": "no row of these groups is relevant"}


@pytest.mark.parametrize("score_of_one", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_no_order(score_of_one: float) -> None:
    truth, said, group = rows(ties=False)
    said[0] = score_of_one
    for name in ("ndcg", "mean_average_precision", "mean_reciprocal_rank"):
        assert "not finite" in measured(name, truth, said, group).skipped[name]


def test_without_groups_there_is_no_metric_and_it_is_said_why() -> None:
    found = score([find_metric("ndcg")], np.ones(4), Predictions(np.arange(4.0)))
    assert found.skipped == {"ndcg": "the group of these rows is not known"}


def test_groups_are_drawn_as_a_whole_and_the_same_each_time() -> None:
    _, _, group = rows(ties=False)
    one, other = (some_groups(group, 100, np.random.default_rng(4)) for _ in range(2))
    assert one.tolist() == other.tolist() == sorted(one)
    assert 50 < len(one) <= 100
    assert not set(group[one]) & set(np.delete(group, one))
    assert some_groups(group, 10_000, np.random.default_rng(4)).tolist() == list(range(len(group)))
