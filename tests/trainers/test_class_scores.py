"""`scoring` by the class that counts, as scikit-learn's scorers with `pos_label` have it."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from factory.trainers.class_scores import with_scorers
from factory.trainers.scikit_learn.skops_types import check_round_trip
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from tests.training.models import model, one_trial

TUNED = "sklearn.model_selection.TunedThresholdClassifierCV"
LOGISTIC = "sklearn.linear_model.LogisticRegression"


def cells():
    features, target = load_breast_cancer(as_frame=True, return_X_y=True)
    return features.iloc[:, :3], np.where(target == 1, "benign", "malignant").astype(object)


@pytest.mark.parametrize("positive", ["benign", "malignant"])
def test_a_threshold_is_tuned_for_the_class_that_counts(positive: str) -> None:
    features, target = cells()
    params = {"estimator": {"estimator": LOGISTIC}, "cv": 3, "scoring": "f1"}
    trainer = ScikitLearnTrainer("classification", positive=positive)
    found = trainer.fit(TUNED, params, features, target, 0).model
    plain = make_pipeline(
        StandardScaler(),
        TunedThresholdClassifierCV(
            LogisticRegression(random_state=0),
            cv=3,
            scoring=make_scorer(f1_score, pos_label=positive),
            random_state=0,
        ),
    ).fit(features, target)
    assert found[-1].best_threshold_ == plain[-1].best_threshold_
    np.testing.assert_array_equal(trainer.predict(found, features).values, plain.predict(features))
    check_round_trip(found, ("sklearn",))


@pytest.mark.parametrize("word", ["average_precision", "jaccard", "precision", "recall"])
def test_an_estimator_within_another_chooses_by_the_class_that_counts(word: str) -> None:
    features, target = cells()
    chooses = {
        "estimator": "sklearn.model_selection.GridSearchCV",
        "params": {
            "estimator": {"estimator": LOGISTIC},
            "param_grid": {"C": [0.1, 1.0]},
            "cv": 2,
            "scoring": word,
        },
    }
    trainer = ScikitLearnTrainer("classification", positive="malignant")
    with_one = {"estimator": chooses, "method": "sigmoid", "cv": 2}
    found = trainer.fit("sklearn.calibration.CalibratedClassifierCV", with_one, features, target, 0)
    assert set(trainer.predict(found.model, features).values) == {"benign", "malignant"}


def test_an_estimator_with_scorers_of_its_own_gets_the_word() -> None:
    params = {"Cs": 2, "cv": 2, "scoring": "f1"}
    path = "sklearn.linear_model.LogisticRegressionCV"
    assert with_scorers(path, params, "malignant") == params


def test_an_estimator_that_gets_numbers_for_classes_chooses_by_scikit_learns_word() -> None:
    features, target = cells()
    chooses = {
        "estimator": TUNED,
        "params": {"estimator": {"estimator": LOGISTIC}, "scoring": "f1"},
    }
    trainer = ScikitLearnTrainer("classification", positive="malignant")
    params = {"estimators": {"one": chooses}}
    found = trainer.fit("sklearn.ensemble.VotingClassifier", params, features, target, 0).model
    assert set(trainer.predict(found, features).values) == {"benign", "malignant"}


def test_a_model_says_which_class_counts() -> None:
    section = model(
        target="left",
        positive="yes",
        search=one_trial(TUNED, estimator={"estimator": LOGISTIC}, scoring="recall"),
        objective={"metric": "recall"},
    )
    assert section.trainer(TUNED).positive == "yes"
