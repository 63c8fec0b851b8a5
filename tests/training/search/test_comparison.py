"""The comparison of search strategies: what it counts."""

from benchmarks.search import PROBLEMS, Found, compare


def test_both_strategies_are_given_the_same_seeds_and_trials():
    found = compare(PROBLEMS[2], trials=8, seeds=(0, 1))
    assert {name: len(scores) for name, scores in found.scores.items()} == {"random": 2, "tpe": 2}
    assert all(score < 0 for scores in found.scores.values() for score in scores)
    assert compare(PROBLEMS[2], trials=8, seeds=(0, 1)) == found


def test_equal_scores_are_no_win():
    found = Found("any", "accuracy", {"random": [0.5, 0.5], "tpe": [0.5, 0.6]})
    assert found.won == 1
