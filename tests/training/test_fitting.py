"""`weights`, `class_weight`, `resample`, `target_transform` and `refit`: what may be written, and what is trained."""

import json

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from factory.base.answers import answer_here
from factory.base.errors import TerminalError
from factory.documents.training import _after_the_trials
from factory.models.predictor import load_predictor
from factory.models.record import ModelRecord
from factory.training.backends.job_files import given_files, hyperparameters, read_trial
from factory.training.guard.known_rows import FILE, TrainingRows
from factory.training.model import Model
from factory.training.refit import fit_again
from factory.training.search.strategy import Trial
from factory.training.split import (
    read_learned,
    read_part,
    split,
    training_rows_folder,
)
from factory.training.trial import fit, load_fitted
from factory.training.weights import read_weights
from tests.training.models import diabetes, model, one_trial, penguins, regression
from tests.training.training import Training

LOGISTIC = "sklearn.linear_model.LogisticRegression"
KNN = "sklearn.neighbors.KNeighborsClassifier"
BOOSTED = "sklearn.ensemble.HistGradientBoostingRegressor"
STOPS = {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 3, "learning_rate": 0.2}
SMOTE = "imblearn.over_sampling.SMOTE"
FASTAI = "fastai.tabular.learner.tabular_learner"


def broken(make=model, **changes):
    """What is wrong with a model, each with its place below the section."""
    with pytest.raises(ValidationError) as caught:
        make(**changes)
    return [
        (error["ctx"]["at"], error["msg"])
        for error in caught.value.errors()
        if error["type"] in ("fitting", "target_transform", "max_trials", "space")
    ]


def asked(config: Model):
    """What the questions of a model find."""
    return [
        (finding.path, finding.message)
        for question in config.questions()
        for finding in question.tell(answer_here(question.function, question.argument))
    ]


# What may be written.


def test_hash_of_a_model_without_any_of_them_stays():
    assert model().config_hash == model(refit="train").config_hash
    hashes = {
        one.config_hash
        for one in (
            model(),
            model(weights="w"),
            model(class_weight="balanced"),
            model(class_weight={"Adelie": 2}),
            model(resample={"sampler": SMOTE}),
            model(refit="train+validation"),
        )
    }
    assert len(hashes) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": "w", "class_weight": {"1": 5, "true": 0.5}},
        {"resample": {"sampler": SMOTE, "params": {"sampling_strategy": {"1": 20}}}},
        {"refit": "train+validation"},
    ],
)
def test_section_comes_back_from_a_document(changes):
    config = model(**changes)
    assert Model.model_validate(json.loads(json.dumps(config.as_trained()))) == config


@pytest.mark.parametrize(
    "written", ["log1p", "sklearn.preprocessing.PowerTransformer", {"transformer": "quantile"}]
)
def test_target_transform_comes_back_from_a_document(written):
    config = regression(target_transform=written)
    assert Model.model_validate(json.loads(json.dumps(config.as_trained()))) == config


def test_weight_is_no_target_and_excludes_a_sampler():
    assert broken(weights="species") == [
        (("weights",), "the target 'species' cannot be the weight too")
    ]
    sampler = {"sampler": SMOTE}
    for key, value in (("weights", "w"), ("class_weight", "balanced")):
        [(at, message)] = broken(**{key: value}, resample=sampler)
        assert at == ("resample",)
        assert (
            message == f"`{key}` excludes `resample`: rows that a sampler has made have no weight"
        )


def test_keys_for_classes_and_for_numbers_are_for_their_task():
    [(at, message)] = broken(target_transform="log1p")
    assert at == ("target_transform",)
    assert message == (
        "`target_transform` is for a target of numbers, and this is a classification"
    )
    assert [at for at, _ in broken(regression, class_weight="balanced")] == [("class_weight",)]
    assert [at for at, _ in broken(regression, resample={"sampler": SMOTE})] == [("resample",)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("weights", "w"), ("class_weight", "balanced"), ("resample", {"sampler": SMOTE})],
)
def test_fastai_takes_none_of_them(key, value):
    search = {
        "strategy": "list",
        "trials": [{"estimator": LOGISTIC}, {"estimator": FASTAI, "params": {"epochs": 1}}],
    }
    [(at, message)] = broken(search=search, **{key: value})
    assert at == (key,)
    assert message == (
        f"`{key}` is for estimators with scikit-learn's API, and {FASTAI} is trained by fastai"
    )


def test_refit_needs_validation_rows_and_no_jobs():
    folds = {"validation": {"folds": 3}}
    backend = {"type": "local-process"}
    assert [at for at, _ in broken(refit="train+validation", split=folds)] == [("refit",)]
    assert [at for at, _ in broken(refit="train+validation", backend=backend)] == [("refit",)]
    search = one_trial(FASTAI, epochs=3, patience=1)
    [(at, message)] = broken(refit="train+validation", search=search)
    assert at == ("search", "trials", 0, "estimator")
    assert message.startswith("`patience` stops by validation rows")


def test_word_for_a_target_is_one_of_six():
    [(_, message)] = [
        (None, error["msg"]) for error in _errors(regression, target_transform="log2")
    ]
    assert message == "'log2' is no transform of a target"
    [error] = _errors(
        regression, target_transform={"transformer": "quantile", "params": {"n_quantiles": 9}}
    )
    assert error["msg"] == "`quantile` takes no parameters"


def _errors(make, **changes):
    with pytest.raises(ValidationError) as caught:
        make(**changes)
    return caught.value.errors()


def test_estimator_whose_fit_takes_no_weights_is_refused():
    for changes in ({"weights": "w"}, {"class_weight": "balanced"}):
        found = asked(model(search=one_trial(KNN), **changes))
        assert found == [
            (
                ("search", "trials", 0, "estimator"),
                "KNeighborsClassifier takes no weights of rows",
            )
        ]
    assert asked(model(search=one_trial(KNN))) == []
    assert asked(model(weights="w", class_weight="balanced")) == []


def test_estimator_within_one_that_hands_weights_on_is_looked_at():
    around = {"line": {"estimator": LOGISTIC}, "near": {"estimator": KNN}}
    search = one_trial("sklearn.ensemble.VotingClassifier", estimators=around)
    [(at, message)] = asked(model(weights="w", search=search))
    assert at == ("search", "trials", 0, "params", "estimators", "near", "estimator")
    assert message == "KNeighborsClassifier takes no weights of rows"


def test_weights_by_class_are_refused_where_classes_are_numbered():
    around = {"line": {"estimator": LOGISTIC, "params": {"class_weight": {"yes": 2}}}}
    search = one_trial("sklearn.ensemble.VotingClassifier", estimators=around)
    [(at, message)] = asked(model(search=search))
    assert at[-1] == "class_weight"
    assert message.startswith("VotingClassifier numbers the classes")


def test_transformer_of_a_target_must_lead_back():
    transform = {"transformer": "sklearn.preprocessing.Normalizer"}
    [(at, message)] = asked(regression(target_transform=transform))
    assert at == ("target_transform", "transformer")
    assert message.startswith("Normalizer has no `inverse_transform`")
    params = {
        "transformer": "sklearn.preprocessing.PowerTransformer",
        "params": {"method": "box"},
    }
    [(at, _)] = asked(regression(target_transform=params))
    assert at == ("target_transform", "params", "method")


@pytest.mark.parametrize("path", [LOGISTIC, "sklearn.preprocessing.StandardScaler"])
def test_what_makes_no_rows_is_no_sampler(path):
    [(at, message)] = asked(model(resample={"sampler": path}))
    assert at == ("resample", "sampler")
    assert message.endswith("has no `fit_resample`, so that it makes no other rows")


@pytest.mark.extras
def test_parameters_of_a_sampler_are_looked_at():
    found = asked(model(resample={"sampler": SMOTE, "params": {"k_neighbours": 3}}))
    assert [at for at, _ in found] == [("resample", "params", "k_neighbours")]
    assert asked(model(resample={"sampler": SMOTE, "params": {"k_neighbors": [3, 5]}})) == []


@pytest.mark.extras
def test_xgboost_has_no_weights_of_classes_of_its_own():
    [(at, message)] = asked(
        model(search=one_trial("xgboost.XGBClassifier", class_weight="balanced"))
    )
    assert at == ("search", "trials", 0, "params", "class_weight")
    assert message == (
        "XGBClassifier has no parameter `class_weight`, and would learn as if it were not there"
    )


# What is tried.


def test_parameters_of_a_sampler_are_tried_with_each_estimator():
    config = model(resample={"sampler": SMOTE, "params": {"k_neighbors": [3, 5]}})
    trials = config.expand()
    assert config.most_trials == len(trials) == 4
    assert trials[1].name == "LogisticRegression C=0.1 resample__k_neighbors=5"
    assert trials[1].params == {"C": 0.1}
    assert trials[1].all_params == {
        "C": 0.1,
        "resample__sampler": SMOTE,
        "resample__k_neighbors": 5,
    }
    assert Trial.from_json(json.loads(json.dumps(trials[1].as_json()))) == trials[1]
    assert read_trial(hyperparameters(trials[1])) == trials[1]
    trainer = config.trainer(LOGISTIC, resample=trials[1].resample)
    assert trainer.fitting.resample.params == {"k_neighbors": 5}


def test_too_many_values_for_a_sampler_are_told_at_its_place():
    search = model().search.model_dump() | {"max_trials": 3}
    sampler = {"sampler": SMOTE, "params": {"k_neighbors": [3, 5]}}
    [(at, message)] = broken(search=search, resample=sampler)
    assert at == ("resample",)
    assert message.startswith("`search` and what `resample` has to be tried make 4 trials")


def test_what_cannot_be_tried_for_a_sampler_is_told_at_its_place():
    sampler = {"sampler": SMOTE, "params": {"k_neighbors": {"randint": [2, 9]}}}
    [(at, _)] = broken(resample=sampler)
    assert at == ("resample", "params", "k_neighbors")


# Rows, weights and classes.


def weighted_penguins(weights=None):
    rows = penguins()
    chance = np.random.default_rng(1)
    values = chance.integers(0, 5, rows.num_rows) if weights is None else weights
    return rows.append_column("w", pa.array(values))


def test_column_of_weights_is_no_feature_and_goes_along_with_its_rows(tmp_path):
    rows = weighted_penguins()
    again = rows.append_column("same", rows["w"].cast(pa.float64()))
    divided = split(again, model(weights="w"), tmp_path)
    assert "w" not in divided.features
    for part in ("train", "validation"):
        features, _ = read_part(tmp_path, part)
        np.testing.assert_array_equal(read_weights(tmp_path, part), features["same"])
    assert read_weights(tmp_path, "test") is None
    jobs = {file.name for file in given_files(tmp_path)}
    assert {"train.weights.npy", "validation.weights.npy"} < jobs


def test_column_of_weights_may_be_named_as_a_feature(tmp_path):
    divided = split(weighted_penguins(), model(weights="w", features=["w", "year"]), tmp_path)
    assert divided.features == ("w", "year")


def test_order_in_which_weighted_rows_arrive_does_not_matter(tmp_path):
    rows = pa.table({"x": [1.0] * 200, "y": [1.0, 2.0] * 100, "w": np.arange(200)})
    config = regression(target="y", weights="w")
    for side, table in (("a", rows), ("b", rows.take(np.arange(200)[::-1]))):
        split(table, config, tmp_path / side)
    one, other = (read_weights(tmp_path / side, "train") for side in "ab")
    np.testing.assert_array_equal(one, other)


def test_wrong_weights_are_counted(tmp_path):
    values = [None, float("nan"), -1.0, float("inf"), *[1.0] * 340]
    with pytest.raises(TerminalError) as caught:
        split(weighted_penguins(values), model(weights="w"), tmp_path)
    assert str(caught.value) == (
        "weights: 'w' must be a number of at least 0 in each row, and of 344 values there are 2 missing, 1 below 0, "
        "1 infinite: take them out in a transform (`where w >= 0`), or fill them in "
        "(`coalesce(w, 1)`)"
    )
    with pytest.raises(TerminalError, match="all 344 rows weigh 0 in 'w'"):
        split(weighted_penguins([0] * 344), model(weights="w"), tmp_path)
    with pytest.raises(TerminalError, match="weights: 'island' is of type"):
        split(penguins(), model(weights="island"), tmp_path)
    with pytest.raises(TerminalError, match="weights"):
        split(penguins(), model(weights="w"), tmp_path)


def test_weight_for_an_unknown_class_is_refused(tmp_path):
    weights = {"Adelie": 2, "Adélie": 3}
    told = r'has no class "Adélie": write one of "Adelie", "Chinstrap", "Gentoo"'
    for config in (
        model(class_weight=weights),
        model(search=one_trial(LOGISTIC, class_weight=weights)),
        model(resample={"sampler": SMOTE, "params": {"sampling_strategy": weights}}),
    ):
        with pytest.raises(TerminalError, match=told):
            split(penguins(), config, tmp_path)
    split(penguins(), model(class_weight={"Adelie": 2}), tmp_path)


def test_classes_that_are_numbers_or_truth_values_are_named_by_texts(tmp_path):
    numbers = pa.table({"x": np.arange(200.0), "y": np.arange(200) % 2})
    truths = numbers.set_column(1, "y", pa.array(np.arange(200) % 2 == 0))
    split(numbers, model(target="y", class_weight={"0": 1, "1": 5}), tmp_path)
    split(truths, model(target="y", class_weight={"true": 1, "false": 5}), tmp_path)
    with pytest.raises(TerminalError, match='write one of "false", "true"'):
        split(truths, model(target="y", class_weight={"True": 1}), tmp_path)


@pytest.mark.parametrize(
    ("word", "value", "refused"), [("log1p", -1.0, 3), ("log", 0.0, 3), ("sqrt", -0.1, 3)]
)
def test_target_that_a_word_cannot_take_is_counted(word, value, refused, tmp_path):
    rows = pa.table({"x": np.arange(100.0), "y": [value] * 3 + [1.0] * 97})
    with pytest.raises(TerminalError, match=rf"and {refused} of 100 rows have others in 'y'"):
        split(rows, regression(target="y", target_transform=word), tmp_path)
    split(rows, regression(target="y", target_transform="yeo_johnson"), tmp_path)


def test_folds_weigh_their_own_rows(tmp_path):
    rows = weighted_penguins()
    config = model(
        weights="w", features=["year", "w"], split={"validation": {"folds": 3}}, search=_one()
    )
    divided = split(rows, config, tmp_path)
    [trial] = config.expand()
    fitted = load_fitted(fit(trial, divided, config, tmp_path), config, tmp_path)
    features, target = read_part(tmp_path, "train")
    plain = make_pipeline(StandardScaler(), LogisticRegression(random_state=0))
    plain.fit(features, target, logisticregression__sample_weight=read_weights(tmp_path, "train"))
    np.testing.assert_allclose(
        fitted.predict_proba(features), plain.predict_proba(features), atol=1e-12
    )


def _one():
    return one_trial(LOGISTIC)


# The winner once more.


def test_refit_learns_from_training_and_validation_rows(tmp_path):
    config = regression(refit="train+validation", features=["bmi", "bp"])
    divided = split(diabetes(), config, tmp_path)
    [trial] = config.expand()
    again = fit_again(fit(trial, divided, config, tmp_path), divided, config, tmp_path)
    features, target = read_learned(tmp_path, config)
    assert len(features) == divided.rows["train"] + divided.rows["validation"]
    plain = make_pipeline(StandardScaler(), Ridge(random_state=0)).fit(features, target)
    test, _ = read_part(tmp_path, "test")
    np.testing.assert_array_equal(
        load_fitted(again, config, tmp_path).predict(test), plain.predict(test)
    )
    same = fit_again(again, divided, config, tmp_path)
    np.testing.assert_array_equal(
        load_fitted(same, config, tmp_path).predict(test), plain.predict(test)
    )


def test_refit_takes_as_many_iterations_as_were_best(tmp_path):
    config = regression(refit="train+validation", search=one_trial(BOOSTED, **STOPS))
    divided = split(diabetes(), config, tmp_path)
    [trial] = config.expand()
    first = fit(trial, divided, config, tmp_path)
    again = fit_again(first, divided, config, tmp_path)
    assert again.steps.best == first.steps.best < 300
    features, target = read_learned(tmp_path, config)
    scale = StandardScaler().fit(features)
    plain = HistGradientBoostingRegressor(
        max_iter=first.steps.best, learning_rate=0.2, early_stopping=False, random_state=0
    ).fit(scale.transform(features), target)
    test, _ = read_part(tmp_path, "test")
    np.testing.assert_allclose(
        load_fitted(again, config, tmp_path).predict(test), plain.predict(scale.transform(test))
    )


def test_refit_weighs_validation_rows_too(tmp_path):
    config = model(weights="w", features=["year", "w"], refit="train+validation", search=_one())
    divided = split(weighted_penguins(), config, tmp_path)
    [trial] = config.expand()
    again = fit_again(fit(trial, divided, config, tmp_path), divided, config, tmp_path)
    features, target = read_learned(tmp_path, config)
    plain = make_pipeline(StandardScaler(), LogisticRegression(random_state=0))
    plain.fit(features, target, logisticregression__sample_weight=features["w"])
    np.testing.assert_allclose(
        load_fitted(again, config, tmp_path).predict_proba(features),
        plain.predict_proba(features),
        atol=1e-12,
    )


def test_validation_rows_are_known_rows_of_a_refitted_model(tmp_path):
    known = {}
    for rows in ("train", "train+validation"):
        config = regression(refit=rows)
        divided = split(diabetes(), config, tmp_path / rows)
        file = training_rows_folder(tmp_path / rows) / FILE
        known[rows] = set(TrainingRows.load(file).hashes.tolist())
    assert known["train"] < known["train+validation"]
    assert len(known["train+validation"]) == divided.rows["train"] + divided.rows["validation"]


def test_refit_is_a_task_of_its_own_between_choice_and_test():
    tasks = {task.name: task.after for task in _after_the_trials(model(refit="train+validation"))}
    assert tasks["refit"] == ("select_best",)
    assert tasks["test"] == ("refit",)
    assert "refit" not in {task.name for task in _after_the_trials(model())}


# From the rows to a version that answers.


def say_again(training: Training, record: ModelRecord):
    """What a version says about the test rows, through our predictor and by plain MLflow."""
    features, target = read_part(training.workspace, "test")
    ours = load_predictor(record, tracking=training.tracking).predict(features).values
    plain = mlflow.pyfunc.load_model(record.uri).predict(features)
    return features, target, ours, np.asarray(plain).ravel()


@pytest.mark.parametrize("word", ["log1p", "quantile"])
def test_metrics_and_answers_have_the_targets_own_units(word, tmp_path, mlflow_server):
    config = regression(target_transform=word, features=["bmi", "bp"])
    training = Training(diabetes(), config, tmp_path, mlflow_server)
    record = training.all().record
    _, target, ours, plain = say_again(training, record)
    np.testing.assert_array_equal(ours, plain)
    error = float(np.sqrt(np.mean((target - ours) ** 2)))
    assert record.metrics["test_root_mean_squared_error"] == pytest.approx(error)
    assert 30 < error < 80


def test_weighted_version_answers_as_plain_mlflow_and_is_measured_unweighted(
    tmp_path, mlflow_server
):
    config = model(weights="w", class_weight="balanced", search=_one())
    training = Training(weighted_penguins(), config, tmp_path, mlflow_server)
    record = training.all().record
    _, target, ours, plain = say_again(training, record)
    assert ours.tolist() == plain.tolist()
    assert record.metrics["test_accuracy"] == pytest.approx(float(np.mean(ours == target)))


@pytest.mark.extras
def test_resampled_version_answers_as_plain_mlflow(tmp_path, mlflow_server):
    sampler = {"sampler": SMOTE, "params": {"k_neighbors": [3, 5]}}
    training = Training(
        penguins(), model(resample=sampler, search=_one_of_grid()), tmp_path, mlflow_server
    )
    record = training.all().record
    assert record.packages == ("sklearn",)
    _, _, ours, plain = say_again(training, record)
    assert ours.tolist() == plain.tolist()
    runs = training.tracking.client.get_run(training.evaluate(1).mlflow_run_id).data
    assert runs.params["resample__sampler"] == SMOTE
    assert runs.params["resample__k_neighbors"] == "5"


def _one_of_grid():
    return {"strategy": "grid", "candidates": [{"estimator": LOGISTIC}]}


def test_refitted_version_is_tested_registered_and_told_of(tmp_path, mlflow_server):
    config = regression(refit="train+validation", search=one_trial(BOOSTED, **STOPS))
    training = Training(diabetes(), config, tmp_path, mlflow_server)
    training.plan()
    first = training.select([training.evaluate(0)])
    selection = training.refit(first)
    record = training.register(selection, training.test(selection)).record
    features, _, ours, plain = say_again(training, record)
    np.testing.assert_array_equal(ours, plain)
    np.testing.assert_array_equal(
        ours, load_fitted(selection.winner.fit, config, tmp_path).predict(features)
    )
    assert not np.array_equal(
        ours, load_fitted(first.winner.fit, config, tmp_path).predict(features)
    )
    run = training.tracking.client.get_run(training.planned.sweep.parent_run_id).data
    assert run.tags["refit"] == "train+validation"
    assert run.tags["refit_iterations"] == str(first.winner.fit.steps.best)
    learned = training.split.rows["train"] + training.split.rows["validation"]
    assert run.metrics["refit_rows"] == learned
    assert run.metrics["refit_seconds"] == selection.winner.fit.fit_seconds
