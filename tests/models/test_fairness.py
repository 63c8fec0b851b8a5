"""Limits of how differently groups of test rows are treated."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.catalog.model_sentences import _of_promotion
from factory.models.fairness import Fairness, measured
from factory.models.promotion import Promotion
from factory.training import plots
from tests.models.life import Life
from tests.training.models import model

pytestmark = pytest.mark.extras

# Ten women, of whom six are said to be late, four of them rightly; one late one is missed.
WOMEN = {"truth": [1] * 5 + [0] * 5, "said": [1, 1, 1, 1, 0, 1, 1, 0, 0, 0]}
# Ten men, of whom three are said to be late, all rightly; two are missed.
MEN = {"truth": [1] * 5 + [0] * 5, "said": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]}


def found(require, *, groups=("w",) * 10 + ("m",) * 10, **changes):
    rules = Fairness.model_validate(
        {"columns": ["sex"], "require": require, "min_rows": 5} | changes
    )
    truth, said = (np.array(WOMEN[key] + MEN[key]) for key in ("truth", "said"))
    return list(measured(rules, pd.DataFrame({"sex": list(groups)}), truth, said, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Said to be late: 6 of 10 and 3 of 10.
        ("demographic_parity_difference", 0.3),
        ("demographic_parity_ratio", 0.5),
        # Of those who are late: 4 of 5 and 3 of 5.
        ("equal_opportunity_difference", 0.2),
        ("equal_opportunity_ratio", 0.75),
        # And of those who are not: 2 of 5 and 0 of 5, which is further apart.
        ("equalized_odds_difference", 0.4),
        ("equalized_odds_ratio", 0.0),
    ],
)
def test_measures_are_those_of_groups_computed_by_hand(name, value):
    bound = "min" if name.endswith("ratio") else "max"
    [one] = found({name: {bound: 0.5}})
    assert (one.name, one.column, one.why) == (name, "sex", None)
    assert one.value == pytest.approx(value)


def test_rows_without_a_value_are_a_group():
    limit = {"demographic_parity_difference": {"max": 1}}
    [one] = found(limit, groups=("w",) * 10 + (None,) * 10)
    assert one.value == pytest.approx(0.3)


def test_groups_of_few_rows_are_left_out_and_one_group_has_no_measure():
    limit = {"demographic_parity_difference": {"max": 1}}
    [one] = found(limit, groups=("w",) * 10 + ("m",) * 8 + ("x",) * 2)
    # Of the men that are left three of eight are said to be late.
    assert one.value == pytest.approx(0.6 - 3 / 8)
    [one] = found(limit, min_rows=11)
    assert (one.value, one.why) == (None, "'sex' has fewer than two groups of 11 rows")


@pytest.mark.parametrize(
    ("require", "said"),
    [
        (
            {"equalised_odds_difference": {"max": 0.1}},
            "'equalised_odds_difference' is no measure of fairness",
        ),
        (
            {"demographic_parity_ratio": {"max": 0.1}},
            "of `demographic_parity_ratio` more is better, and `max` would refuse good models",
        ),
        (
            {"demographic_parity_difference": {"min": 0.1}},
            "of `demographic_parity_difference` less is better, and `min` would refuse good models",
        ),
        ({"demographic_parity_difference": {}}, "`demographic_parity_difference` needs `max`"),
        ({"equal_opportunity_ratio": {"min": 80}}, "less than or equal to 1"),
    ],
)
def test_limits_that_make_no_sense_are_problems(require, said):
    with pytest.raises(ValidationError, match=re.escape(said)):
        Fairness.model_validate({"columns": ["sex"], "require": require})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "`fairness` needs `positive`: which of two classes counts"),
        ({"positive": "x", "features": ["age"]}, "'sex' is no feature"),
        ({"positive": "x", "target": "sex"}, "'sex' is no feature"),
    ],
)
def test_model_has_a_class_that_counts_and_groups_by_a_feature(changes, said):
    rules = {"columns": ["sex"], "require": {"equalized_odds_difference": {"max": 0.1}}}
    with pytest.raises(ValidationError, match=said):
        model(promotion={"fairness": rules}, **changes)


def test_without_fairlearn_the_section_is_a_problem(monkeypatch):
    monkeypatch.setattr("factory.models.fairness.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match="`fairness` needs the extra `fairness`: pip install"):
        found({"demographic_parity_difference": {"max": 1}})


def test_explain_says_each_limit():
    rules = {"columns": ["sex"], "require": {"equalized_odds_difference": {"max": 0.1}}}
    told = list(_of_promotion(Promotion.model_validate({"fairness": rules}), ("promotion",)))
    assert "equalized_odds_difference by sex on the test rows is at most 0.1" in {
        one.text for one in told
    }


def test_without_fairlearn_a_run_says_a_run_says_how_to_install_it(monkeypatch):
    rules = Fairness.model_construct(columns=("sex",), require={}, min_rows=1)
    monkeypatch.setattr("factory.models.fairness.find_spec", lambda _: None)
    with pytest.raises(TerminalError, match=r'pip install "ml-dag-factory\[fairness\]"'):
        list(measured(rules, pd.DataFrame(), np.array([]), np.array([]), 1))


def test_version_that_treats_groups_otherwise_than_allowed_does_not_go_live(
    tmp_path, mlflow_server, monkeypatch
):
    monkeypatch.setattr(plots, "save_plots", lambda *_, **__: [])
    random = np.random.default_rng(5)
    sex = np.where(np.arange(600) % 2, "w", "m")
    late = random.random(600) < np.where(sex == "w", 0.8, 0.2)
    rows = pa.table({"sex": sex, "age": random.normal(size=600), "late": late.astype(int)})
    life = Life(tmp_path, mlflow_server)
    section = {
        "target": "late",
        "positive": 1,
        "search": {
            "strategy": "list",
            "trials": [
                {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1}}
            ],
        },
    }
    life.train(model(**section), rows)

    def decide(limit: float):
        require = {"demographic_parity_difference": {"max": limit}}
        return life.decide(fairness={"columns": ["sex"], "require": require})

    # It says of all women that they are late, and of no man.
    kept = decide(0.1)
    assert kept.verdict == "keep"
    assert kept.reason == (
        "version 1 misses a threshold: test demographic_parity_difference by sex is 1, "
        "`promotion.fairness` wants at most 0.1"
    )
    assert "* **missed**: test demographic_parity_difference by sex 1, at most 0.1" in kept.table()
    assert decide(1).verdict == "promote"
