"""Samplers of imbalanced-learn, and weights in libraries of boosted trees: the same numbers as by themselves."""

from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline as with_sampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PowerTransformer, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from factory.base.errors import TerminalError
from factory.trainers.fitting import Fitting, Resample
from factory.trainers.scikit_learn.skops_types import trusted_types
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from factory.trainers.trainer import Weights
from tests.trainers.test_fitting import LOGISTIC, STOPS, classifier, diabetes, weights_of, wine
from tests.trainers.test_fitting import regressor as regressor_of

SMOTE_PATH = "imblearn.over_sampling.SMOTE"


def few_reds(names=("red", "white", "rose")):
    features, target = wine(names)
    kept = (target != names[0]) | (np.arange(len(target)) % 4 == 0)
    return features[kept], target[kept]


def resampling(sampler: str, **params: Any) -> ScikitLearnTrainer:
    return classifier(resample=Resample(sampler=sampler, params=params))


@pytest.mark.parametrize(
    ("path", "sampler"),
    [
        (SMOTE_PATH, SMOTE),
        ("imblearn.over_sampling.RandomOverSampler", RandomOverSampler),
        ("imblearn.under_sampling.RandomUnderSampler", RandomUnderSampler),
    ],
)
@pytest.mark.parametrize("names", [("red", "white", "rose"), (3, 7, 12), (True, False, False)])
def test_training_rows_are_resampled_as_by_imbalanced_learns_pipeline(path, sampler, names):
    features, target = few_reds(names)
    trainer = resampling(path)
    fitted = trainer.fit(LOGISTIC, {}, features, target, 3)
    plain = with_sampler(
        StandardScaler(), sampler(random_state=3), LogisticRegression(random_state=3)
    ).fit(features, target)
    ours = trainer.predict(fitted.model, features)
    np.testing.assert_array_equal(ours.probabilities, plain.predict_proba(features))
    np.testing.assert_array_equal(ours.values, plain.predict(features))


def test_stored_model_has_nothing_of_imbalanced_learn():
    fitted = resampling(SMOTE_PATH).fit(LOGISTIC, {}, *few_reds(), 0)
    assert [name for name, _ in fitted.model.steps] == ["preprocessing", "estimator"]
    assert not [name for name in trusted_types(fitted.model, ()) if "imblearn" in name]


def test_validation_rows_are_not_resampled():
    features, target = few_reds()
    even = np.arange(len(target)) % 2 == 0
    rows = (features[~even], target[~even])
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    fitted = resampling(SMOTE_PATH).fit(path, STOPS, features[even], target[even], 0, rows)
    scale = StandardScaler().fit(features[even])
    made, classes = SMOTE(random_state=0).fit_resample(
        scale.transform(features[even]), target[even]
    )
    plain = HistGradientBoostingClassifier(**STOPS, random_state=0)
    plain.fit(made, classes, X_val=scale.transform(rows[0]), y_val=rows[1])
    assert fitted.steps.best == plain.n_iter_
    ours = classifier().predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, plain.predict_proba(scale.transform(features)))


def test_strategy_of_a_sampler_names_classes_of_any_type():
    for names in (("red", "white", "rose"), (3, 7, 12)):
        features, target = few_reds(names)
        trainer = resampling(SMOTE_PATH, sampling_strategy={str(names[0]): 40})
        fitted = trainer.fit(LOGISTIC, {}, features, target, 0)
        plain = with_sampler(
            StandardScaler(),
            SMOTE(random_state=0, sampling_strategy={names[0]: 40}),
            LogisticRegression(random_state=0),
        ).fit(features, target)
        ours = trainer.predict(fitted.model, features).probabilities
        np.testing.assert_array_equal(ours, plain.predict_proba(features))


def test_sampler_that_refuses_the_rows_is_named():
    with pytest.raises(TerminalError, match=r"^resample: SMOTE refuses the rows: Expected n_neigh"):
        resampling(SMOTE_PATH, k_neighbors=50).fit(LOGISTIC, {}, *few_reds(), 0)


def test_xgboost_learns_texts_that_are_weighted_by_class():
    features, target = few_reds()
    trainer = classifier(class_weight="balanced")
    fitted = trainer.fit("xgboost.XGBClassifier", {"n_estimators": 10}, features, target, 0)
    numbers = np.unique(target, return_inverse=True)[1]
    plain = xgboost.XGBClassifier(n_estimators=10, random_state=0, n_jobs=1)
    scaled = StandardScaler().fit_transform(features)
    plain.fit(scaled, numbers, sample_weight=compute_sample_weight("balanced", target))
    ours = trainer.predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, plain.predict_proba(scaled))


def test_catboost_takes_weights_of_classes_that_are_texts():
    features, target = few_reds()
    params = {"iterations": 10, "class_weights": {"red": 5, "white": 2}}
    fitted = classifier().fit("catboost.CatBoostClassifier", params, features, target, 0)
    numbers = np.unique(target, return_inverse=True)[1]
    plain = catboost.CatBoostClassifier(
        iterations=10,
        class_weights=[5, 1, 2],
        random_state=0,
        thread_count=1,
        allow_writing_files=False,
        logging_level="Silent",
    )
    scaled = StandardScaler().fit_transform(features)
    plain.fit(scaled, numbers)
    ours = classifier().predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, plain.predict_proba(scaled))


def test_lightgbm_takes_weights_of_classes_that_are_numbers():
    features, target = few_reds((3, 7, 12))
    params = {"n_estimators": 10, "class_weight": {"3": 5.0}}
    fitted = classifier().fit("lightgbm.LGBMClassifier", params, features, target, 0)
    weights = np.where(target == 3, 5.0, 1.0)
    plain = lightgbm.LGBMClassifier(n_estimators=10, random_state=0, n_jobs=1, verbosity=-1)
    scaled = StandardScaler().fit_transform(features)
    plain.fit(scaled, target, sample_weight=weights)
    ours = classifier().predict(fitted.model, features).probabilities
    np.testing.assert_allclose(ours, plain.predict_proba(scaled))


LIBRARIES = {
    "xgboost.XGBRegressor": {"n_estimators": 300, "early_stopping_rounds": 5, "learning_rate": 0.3},
    "lightgbm.LGBMRegressor": {"n_estimators": 300, "early_stopping_rounds": 5},
    "catboost.CatBoostRegressor": {"iterations": 300, "early_stopping_rounds": 5},
}


def _plain_best(path: str, rows: tuple[Any, ...], weights: Weights) -> int:
    """The best iteration by the library itself."""
    learned, target, watched, truth = rows
    params = LIBRARIES[path]
    if path.startswith("xgboost"):
        one = xgboost.XGBRegressor(**params, random_state=0, n_jobs=1)
        one.fit(
            learned,
            target,
            sample_weight=weights.training,
            eval_set=[(watched, truth)],
            sample_weight_eval_set=[weights.validation],
            verbose=False,
        )
        return one.best_iteration + 1
    if path.startswith("lightgbm"):
        one = lightgbm.LGBMRegressor(**params, random_state=0, n_jobs=1, verbosity=-1)
        one.fit(
            learned,
            target,
            sample_weight=weights.training,
            eval_set=[(watched, truth)],
            eval_sample_weight=[weights.validation],
        )
        return one.best_iteration_
    one = catboost.CatBoostRegressor(
        **params, random_state=0, thread_count=1, allow_writing_files=False, logging_level="Silent"
    )
    pool = catboost.Pool(watched, truth, weight=weights.validation)
    one.fit(learned, target, sample_weight=weights.training, eval_set=pool)
    return one.get_best_iteration() + 1


@pytest.mark.parametrize("path", LIBRARIES)
def test_libraries_stop_early_by_weighted_rows_and_a_transformed_truth(path):
    features, target = diabetes()
    weights = Weights(weights_of(300), weights_of(142, seed=1))
    trainer = regressor_of("yeo_johnson")
    fitted = trainer.fit(
        path,
        LIBRARIES[path],
        features[:300],
        target[:300],
        0,
        (features[300:], target[300:]),
        weights,
    )
    scale, power = StandardScaler().fit(features[:300]), PowerTransformer()
    rows = (
        scale.transform(features[:300]),
        power.fit_transform(target[:300].reshape(-1, 1)).ravel(),
        scale.transform(features[300:]),
        power.transform(target[300:].reshape(-1, 1)).ravel(),
    )
    assert fitted.steps.best == _plain_best(path, rows, weights)
    assert fitted.history


def test_xgboost_stops_early_by_weighted_classes():
    features, target = few_reds()
    even = np.arange(len(target)) % 2 == 0
    trainer = ScikitLearnTrainer("classification", fitting=Fitting(class_weight="balanced"))
    params = {"n_estimators": 200, "early_stopping_rounds": 5}
    fitted = trainer.fit(
        "xgboost.XGBClassifier",
        params,
        features[even],
        target[even],
        0,
        (features[~even], target[~even]),
    )
    classes, numbers = np.unique(target, return_inverse=True)
    weights = compute_sample_weight("balanced", target[even])
    of_class = {one: weights[target[even] == one][0] for one in classes}
    watched = np.array([of_class[one] for one in target[~even]])
    scale = StandardScaler().fit(features[even])
    plain = xgboost.XGBClassifier(**params, random_state=0, n_jobs=1)
    plain.fit(
        scale.transform(features[even]),
        numbers[even],
        sample_weight=weights,
        eval_set=[(scale.transform(features[~even]), numbers[~even])],
        sample_weight_eval_set=[watched],
        verbose=False,
    )
    assert fitted.steps.best == plain.best_iteration + 1
    ours = trainer.predict(fitted.model, features).probabilities
    np.testing.assert_array_equal(ours, plain.predict_proba(scale.transform(features)))
