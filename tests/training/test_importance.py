import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from factory.trainers.trainer import Predictions
from factory.training.importance import as_csv, importances
from factory.training.metrics import find_metric


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    features = pd.DataFrame(random.normal(size=(300, 3)), columns=["strong", "weak", "unused"])
    return features, 10.0 * features["strong"].to_numpy() + features["weak"].to_numpy()


def ask(model):
    return lambda features: Predictions(model.predict(features))


def measured(rows, metric, goal, model=None):
    features, target = rows
    model = model or LinearRegression().fit(features, target)
    return importances(ask(model), features, target, metric=find_metric(metric), goal=goal, seed=1)


def test_it_is_what_scikit_learn_measures(rows):
    features, target = rows
    model = LinearRegression().fit(features, target)
    found = {one.feature: one.loss for one in measured(rows, "r2", "maximize", model)}
    there = permutation_importance(
        model,
        features.sample(300, random_state=1).sort_index(),
        target,
        scoring=lambda model, x, y: r2_score(y, model.predict(x)),
        n_repeats=3,
        random_state=1,
    )
    assert list(found.values()) == pytest.approx(
        sorted(there.importances_mean.tolist(), reverse=True)
    )


@pytest.mark.parametrize(
    ("metric", "goal"), [("r2", "maximize"), ("mean_absolute_error", "minimize")]
)
def test_what_a_model_leans_on_comes_first_whichever_way_the_metric_counts(rows, metric, goal):
    found = measured(rows, metric, goal)
    assert [one.feature for one in found] == ["strong", "weak", "unused"]
    assert found[0].loss > found[1].loss > 0
    assert found[2].loss == pytest.approx(0, abs=1e-9)


def test_it_is_the_same_each_time(rows):
    assert measured(rows, "r2", "maximize") == measured(rows, "r2", "maximize")


def test_texts_and_nulls_are_shuffled_too():
    features = pd.DataFrame({"kind": ["a", None] * 20, "size": [1.0, 2.0, None, 4.0] * 10})
    target = np.array(["yes", "no"] * 20, dtype=object)

    def predict(rows):
        return Predictions(np.where(rows["kind"].isna(), "no", "yes").astype(object))

    accuracy = find_metric("accuracy")
    found = importances(predict, features, target, metric=accuracy, goal="maximize", seed=0)
    assert [one.feature for one in found] == ["kind", "size"]
    assert found[0].loss > 0.2
    assert found[1].loss == 0


def test_a_metric_that_is_undefined_for_the_rows_gives_nothing(rows, caplog):
    features, _ = rows
    target = np.array(["a"] * 300, dtype=object)
    roc_auc = find_metric("roc_auc")
    found = importances(
        lambda rows: Predictions(target[: len(rows)]),
        features,
        target,
        metric=roc_auc,
        goal="maximize",
        seed=0,
    )
    assert found == []
    assert "No feature importance: the estimator gives no probabilities" in caplog.text


def test_hundreds_of_features_are_not_shuffled_one_by_one():
    wide = pd.DataFrame(np.zeros((5, 101)))
    accuracy = find_metric("accuracy")
    assert importances(None, wide, np.zeros(5), metric=accuracy, goal="maximize", seed=0) == []


def test_the_table_names_the_metric(rows):
    first = as_csv(measured(rows, "r2", "maximize"), "r2").splitlines()[0]
    assert first == "feature,loss_of_r2,deviation"
