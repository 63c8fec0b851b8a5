"""Columns that an estimator takes as categories by itself, named as the team's data names them."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import StandardScaler

from factory.base.errors import TerminalError
from factory.trainers.native_categories import category_columns, with_places
from factory.trainers.scikit_learn.estimator_check import find
from factory.trainers.scikit_learn.skops_types import check_round_trip
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from factory.trainers.trainer import Weights, WrittenEstimator
from tests.training.models import model, one_trial

HISTOGRAMS = "sklearn.ensemble.HistGradientBoostingClassifier"
CATBOOST = "catboost.CatBoostClassifier"
FEW = {HISTOGRAMS: {"max_iter": 10}, CATBOOST: {"iterations": 10}}
PARAMS = {HISTOGRAMS: "categorical_features", CATBOOST: "cat_features"}
BOTH = [HISTOGRAMS, pytest.param(CATBOOST, marks=pytest.mark.extras)]


def customers(rows: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers with a plan, of which some have none, a region that is a number, and an age."""
    random = np.random.default_rng(0)
    plan = random.choice(["basic", "gold", "team"], rows).astype(object)
    plan[::17] = None
    features = pd.DataFrame(
        {
            "age": random.integers(18, 80, rows).astype(float),
            "plan": plan,
            "region": random.choice([1.0, 2.0, 30.0], rows),
        }
    )
    leaves = (features["plan"] == "basic") ^ (features["region"] == 2)
    return features, np.where(leaves, "yes", "no").astype(object)


def as_the_library_has_them(features: pd.DataFrame) -> pd.DataFrame:
    """The categories first, as texts, and the number as the default preprocessing makes it."""
    return pd.DataFrame(
        {
            "plan": features["plan"].fillna("missing"),
            "region": features["region"].astype(int).astype(str),
            "age": StandardScaler().fit_transform(features[["age"]])[:, 0],
        }
    )


def fitted(estimator: str, categories: list[str], **params):
    features, target = customers()
    written = {PARAMS[estimator]: categories, **FEW[estimator], **params}
    trainer = ScikitLearnTrainer("classification")
    return trainer, trainer.fit(estimator, written, features, target, 0)


def test_histograms_learn_named_categories_as_from_a_table_of_the_library() -> None:
    features, target = customers()
    table = as_the_library_has_them(features).astype({"plan": "category", "region": "category"})
    plain = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(table, target)
    trainer, found = fitted(HISTOGRAMS, ["plan", "region"])
    np.testing.assert_allclose(
        trainer.predict(found.model, features).probabilities, plain.predict_proba(table)
    )


@pytest.mark.extras
def test_catboost_learns_named_categories_as_from_a_table_of_the_library() -> None:
    import catboost

    features, target = customers()
    table = as_the_library_has_them(features)
    plain = catboost.CatBoostClassifier(
        iterations=10,
        cat_features=["plan", "region"],
        random_state=0,
        allow_writing_files=False,
        logging_level="Silent",
    ).fit(table, target)
    trainer, found = fitted(CATBOOST, ["plan", "region"])
    np.testing.assert_allclose(
        trainer.predict(found.model, features).probabilities, plain.predict_proba(table)
    )


@pytest.mark.parametrize("estimator", BOTH)
def test_a_model_of_categories_is_stored_and_knows_what_to_do_with_new_and_missing_ones(
    estimator: str,
) -> None:
    trainer, found = fitted(estimator, ["plan", "region"])
    check_round_trip(found.model, ("sklearn", "catboost"))
    rows = pd.DataFrame({"age": [30.0, 40.0], "plan": ["new", None], "region": [7.0, np.nan]})
    assert set(trainer.predict(found.model, rows).values) <= {"yes", "no"}


@pytest.mark.extras
def test_early_stopping_of_catboost_weighs_validation_rows_with_categories() -> None:
    features, target = customers()
    even = np.arange(len(target)) % 2 == 0
    weights = np.where(target == "yes", 3.0, 1.0)
    found = ScikitLearnTrainer("classification").fit(
        CATBOOST,
        {"iterations": 60, "early_stopping_rounds": 3, "cat_features": ["plan", "region"]},
        features[even],
        target[even],
        0,
        (features[~even], target[~even]),
        Weights(weights[even], weights[~even]),
    )
    assert found.steps.best


def test_a_name_that_is_no_feature_is_told() -> None:
    with pytest.raises(TerminalError, match="'plna', a category, is none of the features.*`plan`"):
        fitted(HISTOGRAMS, ["plna"])


def test_preprocessing_of_a_category_is_for_the_other_estimators() -> None:
    features, target = customers()
    section = model(
        target="left",
        preprocessing=[
            {"columns": ["plan", "age"], "steps": "passthrough"},
            {"columns": ["plan"], "steps": "drop"},
        ],
    )
    trainer = ScikitLearnTrainer("classification", preprocessing=section.preprocessing)
    params = {"categorical_features": ["plan", "region"], "max_iter": 5}
    found = trainer.fit(HISTOGRAMS, params, features, target, 0).model
    assert found[:-1].transform(features).shape == (len(features), 3)


def test_names_become_places_at_any_depth() -> None:
    inner = {"estimator": CATBOOST, "params": {"cat_features": ["plan", "region"]}}
    params = {"estimators": {"one": inner, "two": {"estimator": HISTOGRAMS}}, "cv": 2}
    columns = category_columns({**params, "categorical_features": ["region", "age"]})
    assert columns == ("region", "age", "plan")
    placed = with_places(params, columns)
    assert placed["estimators"]["one"]["params"] == {"cat_features": [2, 0]}
    assert inner["params"] == {"cat_features": ["plan", "region"]}


def test_places_and_words_of_the_library_stay_what_they_are() -> None:
    for value in ([0, 1], [True, False], "from_dtype", None):
        params = {"categorical_features": value}
        assert category_columns(params) == ()
        assert with_places(params, ()) == params


def test_names_that_would_be_tried_one_by_one_are_told() -> None:
    written = {PARAMS[HISTOGRAMS]: ["plan", "region"]}
    [one] = find(WrittenEstimator(HISTOGRAMS, written, "classification", has_spaces=True))
    assert one.path == ("params", "categorical_features")
    assert one.suggestion == "write `categorical_features: [['plan', 'region']]` for one value"


@pytest.mark.extras
def test_names_for_catboost_that_would_be_tried_one_by_one_are_told() -> None:
    written = {PARAMS[CATBOOST]: ["plan", "region"]}
    [one] = find(WrittenEstimator(CATBOOST, written, "classification", has_spaces=True))
    assert one.path == ("params", "cat_features")
    assert "write `cat_features: [['plan', 'region']]`" in (one.suggestion or "")


@pytest.mark.parametrize(
    ("features", "message"),
    [(["age", "plan"], "'plna' is none of the `features`"), (None, "'species' is the target")],
)
def test_names_that_are_no_features_have_their_place(features, message) -> None:
    name = "plna" if features else "species"
    search = one_trial(HISTOGRAMS, categorical_features=["plan", name])
    with pytest.raises(ValidationError) as caught:
        model(search=search, **({"features": features} if features else {}))
    [error] = caught.value.errors()
    assert message in error["msg"]
    assert error["ctx"]["at"][-2:] == ("categorical_features", 1)
