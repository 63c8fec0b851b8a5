"""Weights of rows and classes, and targets on another scale: the same numbers as by scikit-learn itself."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.utils.class_weight import compute_sample_weight

from factory.base.errors import TerminalError
from factory.trainers.fitting import Fitting, TargetTransform
from factory.trainers.scikit_learn.skops_types import check_round_trip
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from factory.trainers.trainer import Weights

LOGISTIC = "sklearn.linear_model.LogisticRegression"
RIDGE = "sklearn.linear_model.Ridge"
BOOSTED = "sklearn.ensemble.HistGradientBoosting"
STOPS = {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 3, "learning_rate": 0.2}


def wine(names=("red", "white", "rose")):
    features, target = load_wine(as_frame=True, return_X_y=True)
    kind = type(names[0])
    classes = np.array(names, dtype=object if kind is str else kind)
    return features, classes[target.to_numpy()]


def diabetes():
    features, target = load_diabetes(as_frame=True, return_X_y=True)
    return features, target.to_numpy()


def weights_of(rows, seed=0):
    return np.random.default_rng(seed).exponential(size=rows)


def classifier(**fitting):
    return ScikitLearnTrainer("classification", fitting=Fitting(**fitting))


def regressor(transform, **params):
    section = TargetTransform(transformer=transform, params=params)
    return ScikitLearnTrainer("regression", fitting=Fitting(target_transform=section))


def plain(estimator):
    """With the default preprocessing for numbers of which none is missing."""
    return make_pipeline(StandardScaler(), estimator)


def test_weights_of_rows_go_to_the_estimator():
    features, target = wine()
    weights = weights_of(len(target))
    fitted = classifier().fit(LOGISTIC, {}, features, target, 0, None, Weights(weights))
    expected = plain(LogisticRegression(random_state=0))
    expected.fit(features, target, logisticregression__sample_weight=weights)
    ours = classifier().predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, expected.predict_proba(features))


def test_early_stopping_weighs_validation_rows_too():
    features, target = wine()
    weights, even = weights_of(len(target)), np.arange(len(target)) % 2 == 0
    fitted = classifier().fit(
        f"{BOOSTED}Classifier",
        STOPS,
        features[even],
        target[even],
        0,
        (features[~even], target[~even]),
        Weights(weights[even], weights[~even]),
    )
    scale = StandardScaler().fit(features[even])
    expected = HistGradientBoostingClassifier(**STOPS, random_state=0)
    expected.fit(
        scale.transform(features[even]),
        target[even],
        weights[even],
        X_val=scale.transform(features[~even]),
        y_val=target[~even],
        sample_weight_val=weights[~even],
    )
    assert fitted.steps.best == expected.n_iter_ < 300
    ours = classifier().predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, expected.predict_proba(scale.transform(features)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("VotingClassifier", VotingClassifier),
        ("StackingClassifier", StackingClassifier),
    ],
)
def test_estimators_around_others_hand_weights_on(path, expected):
    features, target = wine()
    weights = weights_of(len(target))
    written = {
        "line": {"estimator": LOGISTIC},
        "bayes": {"estimator": "sklearn.naive_bayes.GaussianNB"},
    }
    fitted = classifier().fit(
        f"sklearn.ensemble.{path}",
        {"estimators": written},
        features,
        target,
        0,
        None,
        Weights(weights),
    )
    inner = [("line", LogisticRegression(random_state=0)), ("bayes", GaussianNB())]
    scaled = StandardScaler().fit_transform(features)
    found = expected(inner).fit(scaled, target, sample_weight=weights)
    ours = classifier().predict(fitted.model, features).values
    np.testing.assert_array_equal(ours, found.predict(scaled))


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (("red", "white", "rose"), {"red": 5.0, "white": 1.0, "rose": 0.5}),
        ((3, 7, 12), {"3": 5.0, "7": 1.0, "12": 0.5}),
        ((False, True, True), {"false": 5.0, "true": 1.0}),
    ],
)
def test_weight_of_a_class_is_scikit_learns_for_texts_numbers_and_truth_values(names, written):
    features, target = wine(names)
    by_class = {one: written[str(one).lower()] for one in names}
    as_parameter = classifier().fit(LOGISTIC, {"class_weight": written}, features, target, 0)
    as_key = classifier(class_weight=written).fit(LOGISTIC, {}, features, target, 0)
    expected = plain(LogisticRegression(random_state=0, class_weight=by_class))
    expected.fit(features, target)
    said = expected.predict_proba(features)
    for fitted in (as_parameter, as_key):
        ours = classifier().predict(fitted.model, features).probabilities
        np.testing.assert_allclose(ours, said, atol=1e-6)


def test_balanced_classes_and_weights_of_rows_are_multiplied():
    features, target = wine()
    few = np.flatnonzero((target != "red") | (np.arange(len(target)) % 3 == 0))
    features, target = features.iloc[few], target[few]
    weights = weights_of(len(target))
    trainer = classifier(class_weight="balanced")
    fitted = trainer.fit(LOGISTIC, {}, features, target, 0, None, Weights(weights))
    expected = plain(LogisticRegression(random_state=0))
    product = weights * compute_sample_weight("balanced", target)
    expected.fit(features, target, logisticregression__sample_weight=product)
    ours = trainer.predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, expected.predict_proba(features))


def test_classes_that_are_not_named_weigh_one():
    features, target = wine()
    fitted = classifier(class_weight={"red": 3.0}).fit(LOGISTIC, {}, features, target, 0)
    expected = plain(LogisticRegression(random_state=0))
    by_class = np.where(target == "red", 3.0, 1.0)
    expected.fit(features, target, logisticregression__sample_weight=by_class)
    ours = classifier().predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, expected.predict_proba(features))


def test_weights_of_classes_stand_in_estimators_within_others():
    features, target = wine((3, 7, 12))
    params = {"estimator": {"estimator": LOGISTIC, "params": {"class_weight": {"7": 4}}}}
    path = "sklearn.calibration.CalibratedClassifierCV"
    fitted = classifier().fit(path, params, features, target, 0)
    [first, *_] = fitted.model[-1].calibrated_classifiers_
    assert first.estimator.class_weight == {7: 4}


TRANSFORMS = [
    ("log1p", FunctionTransformer(np.log1p, np.expm1)),
    ("log", FunctionTransformer(np.log, np.exp)),
    ("sqrt", FunctionTransformer(np.sqrt, np.square)),
    ("yeo_johnson", PowerTransformer()),
    ("quantile", QuantileTransformer(n_quantiles=442, output_distribution="normal")),
    ("standardize", StandardScaler()),
    ("sklearn.preprocessing.PowerTransformer", PowerTransformer()),
]


@pytest.mark.parametrize(("word", "transformer"), TRANSFORMS, ids=[one for one, _ in TRANSFORMS])
def test_target_is_learned_on_another_scale_as_by_scikit_learn(word, transformer):
    features, target = diabetes()
    trainer = regressor(word)
    fitted = trainer.fit(RIDGE, {"alpha": 0.1}, features, target, 0)
    expected = TransformedTargetRegressor(plain(Ridge(alpha=0.1)), transformer=transformer)
    expected.fit(features, target)
    ours = trainer.predict(fitted.model, features).values
    np.testing.assert_allclose(ours, expected.predict(features), rtol=1e-12)
    assert fitted.warnings == ()
    check_round_trip(fitted.model, ())


def test_transformer_of_a_target_gets_its_parameters():
    features, target = diabetes()
    trainer = regressor("sklearn.preprocessing.PowerTransformer", method="box-cox")
    found = trainer.fit(RIDGE, {}, features, target, 0).model[-1].transformer_
    assert found.method == "box-cox"


def test_early_stopping_looks_at_the_transformed_truth():
    features, target = diabetes()
    learned, watched = features[:300], features[300:]
    trainer = regressor("yeo_johnson")
    rows = (watched, target[300:])
    fitted = trainer.fit(f"{BOOSTED}Regressor", STOPS, learned, target[:300], 0, rows)

    scale, power = StandardScaler().fit(learned), PowerTransformer()
    truth = power.fit_transform(target[:300].reshape(-1, 1)).ravel()
    expected = HistGradientBoostingRegressor(**STOPS, random_state=0)
    expected.fit(
        scale.transform(learned),
        truth,
        X_val=scale.transform(watched),
        y_val=power.transform(target[300:].reshape(-1, 1)).ravel(),
    )
    assert fitted.steps.best == expected.n_iter_ < 300
    assert len(fitted.history) == expected.n_iter_
    said = power.inverse_transform(expected.predict(scale.transform(watched)).reshape(-1, 1))
    np.testing.assert_allclose(trainer.predict(fitted.model, watched).values, said.ravel())


def test_weights_go_through_the_transformed_target():
    features, target = diabetes()
    weights = weights_of(len(target))
    trainer = regressor("log1p")
    fitted = trainer.fit(RIDGE, {}, features, target, 0, None, Weights(weights))
    scaled = StandardScaler().fit_transform(features)
    expected = Ridge().fit(scaled, np.log1p(target), weights)
    ours = trainer.predict(fitted.model, features).values
    np.testing.assert_allclose(ours, np.expm1(expected.predict(scaled)))


def test_transformer_that_refuses_the_target_is_terminal():
    features, target = diabetes()
    trainer = regressor("sklearn.preprocessing.PowerTransformer", method="box-cox")
    with pytest.raises(TerminalError, match="can only be applied to strictly positive data"):
        trainer.fit(RIDGE, {}, features, -target, 0)


def test_untransformed_models_are_what_they_were():
    features, target = diabetes()
    fitted = ScikitLearnTrainer("regression").fit(RIDGE, {}, features, target, 0)
    assert isinstance(fitted.model[-1], Ridge)
    assert clone(fitted.model[-1]).get_params() == Ridge(random_state=0).get_params()


def test_rows_may_have_missing_values_and_texts():
    features, target = wine()
    frame = features.assign(place=pd.Series(["a", None] * 89), alcohol=np.nan)
    weights = Weights(weights_of(len(target)))
    trainer = classifier(class_weight="balanced")
    fitted = trainer.fit(LOGISTIC, {}, frame, target, 0, None, weights)
    assert len(trainer.predict(fitted.model, frame).values) == len(target)
