import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from threadpoolctl import threadpool_info

from factory.base.errors import TerminalError
from factory.trainers.dispatch import usable_cpus
from factory.trainers.scikit_learn.skops_types import trusted_types
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer
from tests.training.models import model, one_trial

CLASSIFIER = ScikitLearnTrainer("classification")
REGRESSOR = ScikitLearnTrainer("regression")
LOGISTIC = "sklearn.linear_model.LogisticRegression"
FOREST = "sklearn.ensemble.RandomForestClassifier"


def scaled(features):
    return MinMaxScaler()


def projected(features):
    return PCA(n_components=2, svd_solver="randomized")


def doubled(features):
    return FunctionTransformer(_double)


def nothing(features):
    return "scaled"


def _double(features):
    return features * 2


def wine():
    return load_wine(as_frame=True, return_X_y=True)


def fit(estimator=LOGISTIC, trainer=CLASSIFIER, seed=0, **params):
    features, target = wine()
    return trainer.fit(estimator, params, features, target.to_numpy(), seed)


@pytest.mark.parametrize("estimator", [FOREST, "sklearn.neural_network.MLPClassifier"])
def test_the_same_seed_gives_the_same_model(estimator):
    features, _ = wine()
    one, same, other = (fit(estimator, seed=seed).model for seed in (1, 1, 2))
    assert np.array_equal(one.predict_proba(features), same.predict_proba(features))
    assert not np.array_equal(one.predict_proba(features), other.predict_proba(features))


class Guesser(DummyClassifier):
    """Draws from numpy's global state, as estimators of other libraries may."""

    def fit(self, features, target):
        self.guess_ = np.random.random()
        return super().fit(features, target)


def test_an_estimator_that_draws_from_the_global_state_gets_the_seed_too():
    one, same, other = (fit(f"{__name__}.Guesser", seed=seed).model[-1] for seed in (1, 1, 2))
    assert one.guess_ == same.guess_ != other.guess_


def test_a_random_state_of_the_team_stays():
    assert fit(FOREST, random_state=5, seed=1).model[-1].random_state == 5
    assert fit(FOREST, random_state=None, seed=1).model[-1].random_state is None
    assert fit(FOREST, seed=1).model[-1].random_state == 1


def test_an_unfinished_training_is_a_warning_of_the_trial(caplog):
    fitted = fit(max_iter=1)
    assert any(text.startswith("ConvergenceWarning") for text in fitted.warnings)
    assert "ConvergenceWarning" in caplog.text


def test_parallel_trials_share_the_processors():
    def limit(parallel_trials):
        search = one_trial(LOGISTIC) | {"parallel_trials": parallel_trials}
        return model(search=search).trainer(LOGISTIC).threads

    assert limit(1) == usable_cpus()
    assert limit(1000) == 1


class Observer(DummyClassifier):
    def fit(self, features, target):
        self.threads_ = {pool["num_threads"] for pool in threadpool_info()}
        return super().fit(features, target)


def test_training_keeps_to_its_threads():
    trainer = ScikitLearnTrainer("classification", threads=1)
    assert fit(f"{__name__}.Observer", trainer).model[-1].threads_ == {1}


def test_a_stored_model_predicts_the_same(tmp_path):
    features, _ = wine()
    model = fit().model
    CLASSIFIER.save(model, tmp_path / "trials/0.joblib")
    again = CLASSIFIER.load(tmp_path / "trials/0.joblib")
    assert np.array_equal(again.predict(features), model.predict(features))
    assert [file.name for file in (tmp_path / "trials").iterdir()] == ["0.joblib"]


def test_predictions_carry_probabilities_where_there_are_some():
    features, _ = wine()
    found = CLASSIFIER.predict(fit().model, features)
    assert found.probabilities.shape == (178, 3)
    assert found.classes.tolist() == [0, 1, 2]
    assert CLASSIFIER.predict(fit("sklearn.svm.LinearSVC").model, features).probabilities is None


def test_preprocessing_of_the_team_replaces_the_default():
    model = fit(trainer=ScikitLearnTrainer("classification", f"{__name__}.scaled")).model
    assert isinstance(model["preprocessing"], MinMaxScaler)


def test_random_preprocessing_gets_the_seed():
    trainer = ScikitLearnTrainer("classification", f"{__name__}.projected")
    assert fit(trainer=trainer, seed=9).model["preprocessing"].random_state == 9


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        ("sklearn.linear_mdel.Ridge", {}, "no module 'sklearn.linear_mdel'"),
        (
            "sklearn.linear_model.LogisticRegresion",
            {},
            "did you mean `sklearn.linear_model.LogisticRegression`",
        ),
        (LOGISTIC, {"max_iterr": 3}, "no parameter `max_iterr` \\(did you mean `max_iter`"),
        (LOGISTIC, {"C": -1.0}, "The 'C' parameter of LogisticRegression must be"),
        ("sklearn.preprocessing.StandardScaler", {}, "no `predict`"),
        ("sklearn.linear_model.Ridge", {}, "is a regressor, and the model's task is class"),
        ("json.dumps", {}, "is no estimator's class"),
        ("math.pi", {}, "not defined in math"),
        ("collections.OrderedDict", {}, "is no estimator's class"),
    ],
)
def test_an_estimator_that_cannot_be_trained_is_terminal(estimator, params, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(TerminalError, match=message):
            fit(estimator, **params)


def test_preprocessing_that_returns_no_transformer_is_terminal():
    trainer = ScikitLearnTrainer("classification", f"{__name__}.nothing")
    with pytest.raises(TerminalError, match=r"nothing returned a str, .*`fit` and `transform`"):
        fit(trainer=trainer)


def test_a_classifier_is_no_regressor():
    with pytest.raises(TerminalError, match="is a classifier, and the model's task is regression"):
        fit(trainer=REGRESSOR)


def test_types_of_scikit_learn_are_trusted_and_others_are_not():
    assert "sklearn.tree._tree.Tree" in trusted_types(fit(FOREST).model, ())
    strange = fit(trainer=ScikitLearnTrainer("classification", f"{__name__}.doubled")).model
    with pytest.raises(TerminalError, match=r"not trusted: .*test_scikit_learn\._double"):
        trusted_types(strange, ())
    assert trusted_types(strange, ("tests",))


def test_a_package_is_not_trusted_for_the_beginning_of_its_name():
    strange = fit(trainer=ScikitLearnTrainer("classification", f"{__name__}.doubled")).model
    with pytest.raises(TerminalError, match="not trusted: "):
        trusted_types(strange, ("test",))


def test_string_classes_come_back_as_strings():
    features, target = load_iris(as_frame=True, return_X_y=True)
    names = target.map({0: "a", 1: "b", 2: "c"}).to_numpy(dtype=object)
    model = CLASSIFIER.fit(LOGISTIC, {}, features, names, 0).model
    assert set(CLASSIFIER.predict(model, features).values) == {"a", "b", "c"}


def test_columns_of_every_kind_are_learnt_from():
    size = 60
    features = pd.DataFrame(
        {
            "number": [1.0, np.nan, 3.0] * 20,
            "text": pd.Series(["a", None, "b"] * 20, dtype="str"),
            "time": pd.to_datetime(["2024-01-01", None, "2024-06-01"] * 20),
            "nothing": [np.nan] * size,
        }
    )
    target = np.array([0, 1] * 30)
    model = CLASSIFIER.fit(
        "sklearn.ensemble.HistGradientBoostingClassifier", {}, features, target, 0
    )
    unseen = features.iloc[:1].assign(text="never seen", time=pd.NaT, number=np.nan, nothing=1.0)
    assert CLASSIFIER.predict(model.model, unseen).values.shape == (1,)
