"""`preprocessing` as a list: what may be written, what it becomes, and which trials it makes."""

from typing import Literal

import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.trainers.column_steps import Entries
from factory.trainers.step_names import entry_names, named_steps
from factory.training.model import Model
from factory.training.search.strategy import Estimator, SearchStrategy
from factory.training.sweep import refuse_wrong
from tests.training.models import model, one_trial

SCALER = "sklearn.preprocessing.StandardScaler"
IMPUTER = "sklearn.impute.SimpleImputer"
TFIDF = "sklearn.feature_extraction.text.TfidfVectorizer"
PCA = "sklearn.decomposition.PCA"
LOGISTIC = "sklearn.linear_model.LogisticRegression"


def entry(columns, *steps):
    return {"columns": columns, "steps": list(steps)}


def step(transformer, **params):
    return {"transformer": transformer, "params": params}


def entries(*written) -> Entries:
    return model(preprocessing=list(written)).entries


def test_a_path_alone_is_a_transformer_without_parameters():
    [found] = entries(entry("numbers", SCALER))
    assert found == entries(entry("numbers", {"transformer": SCALER}))[0]


def test_a_list_is_the_same_after_a_trip_through_json():
    written = [
        entry(["income"], SCALER),
        entry({"regex": "^note"}, step(TFIDF, ngram_range=[[1, 2]])),
        {"columns": "rest", "steps": "passthrough"},
        {"steps": [step(PCA, n_components=2)]},
    ]
    config = model(preprocessing=written)
    assert Model.model_validate(config.model_dump(mode="json")).entries == config.entries
    assert Model.model_validate(config.as_trained()).entries == config.entries


def test_a_changed_step_is_another_configuration():
    hashes = {
        model(preprocessing=[entry("numbers", one)]).config_hash
        for one in (SCALER, step(SCALER, with_mean=False), PCA)
    }
    assert len(hashes | {model().config_hash}) == 4


def test_entries_are_named_by_their_columns():
    written = entries(
        entry(["income", "age"], SCALER),
        entry(["n_jobs"], SCALER),
        entry({"regex": "^note__.*$"}, TFIDF),
        entry({"regex": "note"}, TFIDF),
        entry("numbers", SCALER),
        entry(["größe"], SCALER),
    )
    names = ["income_age", "n_jobs_2", "note", "note_2", "numbers", "größe"]
    assert entry_names(written) == names


def test_steps_are_named_by_their_entries_and_classes():
    written = entries(
        entry("numbers", IMPUTER, SCALER, SCALER), {"steps": [step(PCA, n_components=2)]}
    )
    assert list(named_steps(written)) == [
        "numbers__simpleimputer",
        "numbers__standardscaler",
        "numbers__standardscaler_2",
        "pca",
    ]


GRID = {
    "strategy": "grid",
    "candidates": [
        {"estimator": LOGISTIC, "params": {"C": [0.1, 1.0]}},
        {"estimator": "sklearn.naive_bayes.GaussianNB"},
    ],
}


def test_a_grid_combines_steps_with_each_estimator():
    config = model(
        preprocessing=[entry("numbers", step(PCA, n_components=[1, 2], whiten=True))], search=GRID
    )
    assert config.most_trials == len(config.expand()) == 6
    assert [one.name for one in config.expand()] == [
        "LogisticRegression C=0.1 preprocessing__numbers__pca__n_components=1",
        "LogisticRegression C=0.1 preprocessing__numbers__pca__n_components=2",
        "LogisticRegression C=1 preprocessing__numbers__pca__n_components=1",
        "LogisticRegression C=1 preprocessing__numbers__pca__n_components=2",
        "GaussianNB preprocessing__numbers__pca__n_components=1",
        "GaussianNB preprocessing__numbers__pca__n_components=2",
    ]


def test_a_trial_has_its_own_values_and_mlflow_their_names():
    config = model(
        preprocessing=[entry("numbers", step(PCA, n_components=[1, 2]))],
        search=GRID | {"candidates": GRID["candidates"][:1]},
    )
    trial = config.expand()[1]
    assert trial.params == {"C": 0.1}
    assert trial.all_params == {
        "C": 0.1,
        "preprocessing__numbers__pca__transformer": PCA,
        "preprocessing__numbers__pca__n_components": 2,
    }
    assert type(trial).from_json(trial.as_json()) == trial
    trainer = config.trainer(trial.estimator, steps=trial.preprocessing)
    assert trainer.preprocessing[0].steps[0].params == {"n_components": 2}


def test_distributions_are_drawn_with_those_of_the_estimator():
    search = {
        "strategy": "random",
        "trials": 5,
        "candidates": [{"estimator": LOGISTIC, "params": {"C": {"loguniform": [0.1, 10]}}}],
    }
    selected = {"estimator": {"estimator": "sklearn.svm.LinearSVC", "params": {"C": [1, 2, 3]}}}
    written = [
        entry(["a"], step("sklearn.preprocessing.KBinsDiscretizer", n_bins={"randint": [2, 9]})),
        {"steps": [step("sklearn.feature_selection.SelectFromModel", **selected)]},
    ]
    found = [one.all_params for one in model(preprocessing=written, search=search).expand()]
    assert len({one["C"] for one in found}) == 5
    assert len({one["preprocessing__a__kbinsdiscretizer__n_bins"] for one in found}) > 1
    chosen = {one["preprocessing__selectfrommodel__estimator__C"] for one in found}
    assert chosen <= {1, 2, 3}
    assert len(chosen) > 1


def test_a_sweep_without_a_list_draws_what_it_always_drew():
    search = {
        "strategy": "random",
        "trials": 3,
        "candidates": [{"estimator": LOGISTIC, "params": {"C": {"loguniform": [0.1, 10]}}}],
    }
    config = model(search=search)
    assert config.expand() == config.search.expand()
    assert not any(one.preprocessing for one in config.expand())


class Halves(SearchStrategy):
    """A strategy of a plug-in, whose estimator stands in no list."""

    strategy: Literal["halves"] = "halves"

    @property
    def most_trials(self):
        return 2

    @property
    def tried(self):
        return (Estimator(estimator=LOGISTIC),)

    def draw(self):
        yield from ((LOGISTIC, {"C": value}) for value in (1.0, 0.5))


def test_trials_of_a_strategy_without_lists_have_the_steps_as_they_are_written():
    steps = {"pca": {"estimator": PCA, "params": {"n_components": 2}}}
    assert [one.preprocessing for one in Halves().expand(steps)] == [steps, steps]


def test_a_listed_trial_has_lists_as_values():
    config = model(
        preprocessing=[entry(["note"], step(TFIDF, ngram_range=[1, 2]))],
        search=one_trial(LOGISTIC),
    )
    [trial] = config.expand()
    assert trial.preprocessing["note__tfidfvectorizer"]["params"] == {"ngram_range": [1, 2]}


def test_packages_of_transformers_and_of_estimators_within_them_may_be_in_the_model():
    selected = {"estimator": {"estimator": "lightgbm.LGBMClassifier"}}
    written = [
        entry("texts", "category_encoders.CountEncoder"),
        {"steps": [step("sklearn.feature_selection.SelectFromModel", **selected)]},
    ]
    assert set(model(preprocessing=written).packages) == {
        "sklearn",
        "category_encoders",
        "lightgbm",
    }


def test_trials_with_steps_that_refuse_their_values_are_not_trained():
    written = [entry("numbers", step(PCA, n_components=-1))]
    config = model(preprocessing=written, search=one_trial(LOGISTIC))
    with pytest.raises(TerminalError, match="`n_components` of PCA must be"):
        refuse_wrong(config.expand(), config)


def test_an_estimator_that_prepares_its_rows_itself_takes_no_list():
    search = one_trial("fastai.tabular.learner.tabular_learner")
    with pytest.raises(ValidationError, match="there is none here"):
        model(preprocessing=[entry("numbers", SCALER)], search=search)


def test_estimators_that_prepare_their_rows_themselves_are_tried_once_in_a_mixed_sweep():
    candidates = [
        {"estimator": LOGISTIC},
        {"estimator": "fastai.tabular.learner.tabular_learner"},
    ]
    config = model(
        preprocessing=[entry("numbers", step(PCA, n_components=[1, 2]))],
        search={"strategy": "grid", "candidates": candidates},
    )
    assert [len(one.preprocessing) for one in config.expand()] == [1, 1, 0]
