"""Contributions of features, against the definition of Shapley values."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from factory.models.explanation import Explainer, largest
from factory.trainers.trainer import Predictions


def numbers(model):
    return lambda rows: Predictions(model.predict(rows))


def classes(model):
    return lambda rows: Predictions(
        model.predict(rows), model.predict_proba(rows), np.asarray(model.classes_)
    )


@pytest.fixture(scope="module")
def diabetes():
    found = datasets.load_diabetes(as_frame=True)
    return found.data[["bmi", "bp", "s5", "age"]], found.target.to_numpy()


def shapley(predict, row: pd.Series, others: pd.DataFrame) -> np.ndarray:
    """By the definition: all subsets of the features."""
    names = list(others.columns)

    def value(own):
        return predict(others.assign(**{name: row[name] for name in own})).values.mean()

    found = np.zeros(len(names))
    for place, name in enumerate(names):
        rest = [other for other in names if other != name]
        for size in range(len(names)):
            weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
            for own in combinations(rest, size):
                found[place] += weight * (value((*own, name)) - value(own))
    return found


def test_contributions_to_a_sum_are_its_terms(diabetes):
    features, target = diabetes
    model = LinearRegression().fit(features, target)
    others, rows = features.iloc[::30], features.iloc[100:140]
    found = Explainer(numbers(model), others, 1000).explain(rows, numbers(model)(rows))
    expected = model.coef_ * (rows - others.mean()).to_numpy()
    assert np.allclose(found, expected)


def test_contributions_are_near_the_shapley_values(diabetes):
    features, target = diabetes
    predict = numbers(RandomForestRegressor(30, random_state=0).fit(features, target))
    others, rows = features.iloc[::4], features.iloc[[7, 50, 300]]
    found = Explainer(predict, others, 1000).explain(rows, predict(rows))
    expected = [shapley(predict, row, others) for _, row in rows.iterrows()]
    # Of a target whose standard deviation is 77.
    assert np.abs(found - expected).max() < 5
    assert (np.abs(found).argmax(axis=1) == np.abs(expected).argmax(axis=1)).all()


def test_contributions_add_up_to_what_sets_the_row_apart(diabetes):
    features, target = diabetes
    high = np.where(target > 140, "high", "low")
    for predict, value in (
        (numbers(RandomForestRegressor(20, random_state=0).fit(features, target)), None),
        (classes(RandomForestClassifier(20, random_state=0).fit(features, high)), "high"),
    ):
        others, rows = features.iloc[:25], features.iloc[200:260]
        said, of_others = predict(rows), predict(others)
        found = Explainer(predict, others, 1000).explain(rows, said)
        if value is None:
            expected = said.values - of_others.values.mean()
        else:
            place = (said.values != "high").astype(int)
            expected = said.probabilities.max(axis=1) - of_others.probabilities.mean(axis=0)[place]
        assert np.allclose(found.sum(axis=1), expected)


def test_texts_and_single_features_are_explained():
    rows = pd.DataFrame({"port": ["a", "b", "c", "a"] * 10})
    encoder = make_column_transformer((OneHotEncoder(), ["port"]))
    model = make_pipeline(encoder, LinearRegression()).fit(rows, [1.0, 2.0, 4.0, 1.0] * 10)
    predict = numbers(model)
    found = Explainer(predict, rows.head(8), 1000).explain(rows.head(3), predict(rows.head(3)))
    assert np.allclose(found[:, 0], [-1.0, 0.0, 2.0])


def test_without_probabilities_the_predicted_class_counts():
    rows = pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 0.0]})

    def predict(asked):
        values = np.where(asked["a"] > 0.5, "yes", "no").astype(object)
        return Predictions(values, None, np.array(["no", "yes"]))

    found = Explainer(predict, rows, 1000).explain(rows, predict(rows))
    assert found.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_batches_change_nothing_and_the_limit_holds_over_all_of_them(diabetes, monkeypatch):
    features, target = diabetes
    predict = numbers(LinearRegression().fit(features, target))
    rows = features.iloc[:50]
    whole = Explainer(predict, features.tail(10), 30).explain(rows, predict(rows))
    monkeypatch.setattr("factory.models.explanation._AT_ONCE", 200)
    parts = Explainer(predict, features.tail(10), 30)
    found = [parts.explain(part, predict(part)) for part in (rows[:20], rows[20:40], rows[40:])]
    assert [len(one) for one in found] == [20, 10, 0]
    assert len(whole) == 30
    assert np.allclose(np.concatenate(found), whole)


def test_the_largest_contributions_come_first():
    first, second = largest(np.array([[1.0, -3.0, 2.0], [0.0, 0.1, -0.2]]), ["a", "b", "c"], 2)
    assert (first[0], first[1].tolist()) == (["b", "c"], [-3.0, -0.2])
    assert (second[0], second[1].tolist()) == (["c", "b"], [2.0, 0.1])
    assert len(largest(np.ones((1, 2)), ["a", "b"], 3)) == 2
