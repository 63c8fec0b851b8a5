"""Columns that an estimator takes as categories by itself, named as the team's data names them."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.preprocessing import StandardScaler

from factory.base.errors import TerminalError
from factory.base.objects import import_object
from factory.trainers.fitting import Fitting, TargetTransform
from factory.trainers.native_categories import category_columns, with_places
from factory.trainers.scikit_learn.boosting import with_defaults
from factory.trainers.scikit_learn.estimator_check import find
from factory.trainers.scikit_learn.skops_types import check_round_trip
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from factory.trainers.trainer import Weights, WrittenEstimator
from tests.training.models import model, one_trial

HISTOGRAMS = "sklearn.ensemble.HistGradientBoostingClassifier"
CATBOOST, LIGHTGBM = "catboost.CatBoostClassifier", "lightgbm.LGBMClassifier"
FEW = {HISTOGRAMS: {"max_iter": 10}, CATBOOST: {"iterations": 10}, LIGHTGBM: {"n_estimators": 10}}
PARAMS = {
    HISTOGRAMS: "categorical_features",
    CATBOOST: "cat_features",
    LIGHTGBM: "categorical_feature",
}
BOOSTED = [pytest.param(one, marks=pytest.mark.extras) for one in (CATBOOST, LIGHTGBM)]


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


@pytest.mark.parametrize("estimator", [HISTOGRAMS, *BOOSTED])
def test_named_categories_are_learned_as_from_a_table_of_the_library(estimator: str) -> None:
    features, target = customers()
    table = as_the_library_has_them(features)
    told = {}
    if estimator == CATBOOST:
        told = {"cat_features": ["plan", "region"]}
    else:
        table = table.astype({"plan": "category", "region": "category"})
    written = with_defaults(estimator, {**FEW[estimator], **told, "random_state": 0}, 1)
    plain = import_object(estimator)(**written).fit(table, target)
    trainer, found = fitted(estimator, ["plan", "region"])
    ours = trainer.predict(found.model, features).probabilities
    np.testing.assert_allclose(ours, plain.predict_proba(table))
    assert len(np.unique(ours)) > 2  # it has learned something


@pytest.mark.parametrize("estimator", [HISTOGRAMS, *BOOSTED])
def test_a_model_of_categories_is_stored_and_knows_what_to_do_with_new_and_missing_ones(
    estimator: str,
) -> None:
    trainer, found = fitted(estimator, ["plan", "region"])
    check_round_trip(found.model, ("sklearn", "catboost", "lightgbm"))
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
    with pytest.raises(TerminalError, match=r"'plna', a category, is none of the features: did"):
        fitted(HISTOGRAMS, ["plna"])


def test_preprocessing_of_a_category_is_for_the_other_estimators() -> None:
    features, target = customers()
    section = model(
        target="left",
        preprocessing=[
            {"columns": ["plan", "age"], "steps": "passthrough"},
            {"columns": ["region"], "steps": "drop"},
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
def test_places_of_categories_reach_lightgbm() -> None:
    features, target = customers()
    steps = [
        {"columns": ["region"], "steps": ["sklearn.preprocessing.OrdinalEncoder"]},
        {"columns": ["age"], "steps": "passthrough"},
    ]
    section = model(target="left", preprocessing=steps)
    trainer = ScikitLearnTrainer("classification", preprocessing=section.preprocessing)
    params = {"categorical_feature": [0], "n_estimators": 5}
    found = trainer.fit(LIGHTGBM, params, features[["age", "region"]], target, 0)
    assert found.warnings == ()


@pytest.mark.extras
@pytest.mark.parametrize(
    ("around", "params"),
    [
        ("sklearn.calibration.CalibratedClassifierCV", {"cv": 2}),
        ("sklearn.ensemble.StackingClassifier", {"cv": 2}),
        ("sklearn.ensemble.VotingClassifier", {"voting": "soft"}),
    ],
)
def test_estimators_around_catboost_copy_it_with_its_lists(around: str, params) -> None:
    features, target = customers()
    inner = {
        "estimator": CATBOOST,
        "params": {"iterations": 5, "cat_features": ["plan", "region"], "class_weights": [1, 3]},
    }
    one = "estimator" if around.endswith("CV") else "estimators"
    given = {**params, one: inner if one == "estimator" else {"one": inner}}
    trainer = ScikitLearnTrainer("classification")
    found = trainer.fit(around, given, features, target, 0).model
    check_round_trip(found, ("sklearn", "catboost"))
    assert set(trainer.predict(found, features).values) == {"yes", "no"}


@pytest.mark.extras
def test_catboost_with_categories_learns_a_target_on_another_scale() -> None:
    features, _ = customers()
    amount = features["age"].to_numpy() * 3 + 1
    fitting = Fitting(target_transform=TargetTransform(transformer="log1p"))
    trainer = ScikitLearnTrainer("regression", fitting=fitting)
    params = {"iterations": 5, "cat_features": ["plan", "region"]}
    found = trainer.fit("catboost.CatBoostRegressor", params, features, amount, 0).model
    check_round_trip(found, ("sklearn", "catboost"))


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
