"""Models that are chosen by folds: as scikit-learn's cross-validation would choose them."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    RepeatedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import Pipeline

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.preprocessing import default_preprocessing
from factory.training.folds import LEARNED, LEFT_OUT, MEASURED, read_folds
from factory.training.model import Model
from factory.training.split import read_part, split
from factory.training.sweep import choose, rank
from factory.training.trial import fit, load_fitted
from tests.training.models import diabetes, model, one_trial, penguins, regression
from tests.training.training import Training

LOGISTIC = "sklearn.linear_model.LogisticRegression"
RIDGE = "sklearn.linear_model.Ridge"
BOOSTED = "sklearn.ensemble.HistGradientBoostingRegressor"
FIVE = {"validation": {"folds": 5}}


def numbered(rows: int, **columns) -> pa.Table:
    """A regression of `rows` rows: `x` numbers them, and `target` follows it with some noise."""
    x = np.arange(rows, dtype=float)
    noise = np.random.default_rng(0).normal(size=rows)
    return pa.table({"x": x, "target": 2 * x + noise, **columns})


def folded(rows: pa.Table, workspace, **how):
    """The `x` of the rows that each fold learns from, and of those that it is measured on."""
    split(rows, regression(split={**FIVE, **how}, features=["x"]), workspace)
    x = read_part(workspace, "train")[0]["x"].to_numpy()
    folds = read_folds(workspace)
    return [(x[fold == LEARNED], x[fold == MEASURED]) for fold in folds]


def pipeline(estimator, features: pd.DataFrame) -> Pipeline:
    return Pipeline([("prepare", default_preprocessing(features)), ("estimator", estimator)])


def check_like(training: Training, estimator, cross_validator, scoring: dict[str, str], **how):
    """The trial's means and deviations are those of scikit-learn for the same folds."""
    training.plan()
    found = training.evaluate(0)
    features, target = read_part(training.workspace, "train")
    by_hand = pipeline(estimator, features)
    scores = cross_validate(by_hand, features, target, cv=cross_validator, scoring=scoring, **how)
    for name in scoring:
        values = np.abs(scores[f"test_{name}"])
        assert found.metrics[name] == pytest.approx(values.mean())
        assert found.deviations[name] == pytest.approx(values.std())
    return found


def test_means_and_deviations_of_a_classification_are_those_of_scikit_learn(
    tmp_path, mlflow_server
):
    training = Training(penguins(), model(split={**FIVE, "seed": 3}), tmp_path, mlflow_server)
    check_like(
        training,
        LogisticRegression(C=0.1, random_state=3),
        StratifiedKFold(5, shuffle=True, random_state=3),
        {"accuracy": "accuracy", "f1_macro": "f1_macro", "log_loss": "neg_log_loss"},
    )


def test_means_and_deviations_of_a_regression_are_those_of_scikit_learn(tmp_path, mlflow_server):
    section = regression(split={"validation": {"folds": 4, "repeats": 3}, "seed": 1})
    training = Training(diabetes(), section, tmp_path, mlflow_server)
    check_like(
        training,
        Ridge(random_state=1),
        RepeatedKFold(n_splits=4, n_repeats=3, random_state=1),
        {"root_mean_squared_error": "neg_root_mean_squared_error", "r2": "r2"},
    )


def test_groups_stay_whole_as_in_scikit_learn(tmp_path, mlflow_server):
    rows = numbered(200, boat=[each * 7 % 31 for each in range(200)])
    section = regression(split={**FIVE, "method": "group", "column": "boat"}, features=["x"])
    training = Training(rows, section, tmp_path, mlflow_server)
    training.plan()
    features, _ = read_part(tmp_path, "train")
    boats = features["x"].to_numpy().astype(int) * 7 % 31
    check_like(
        training,
        Ridge(random_state=0),
        GroupKFold(5),
        {"mean_absolute_error": "neg_mean_absolute_error"},
        params=None,
        groups=boats,
    )
    for fold in read_folds(tmp_path):
        assert not set(boats[fold == LEARNED]) & set(boats[fold == MEASURED])


def test_time_expands_as_in_scikit_learn(tmp_path, mlflow_server):
    section = regression(split={**FIVE, "method": "time", "column": "x"}, features=["x"])
    training = Training(numbered(103), section, tmp_path, mlflow_server)
    check_like(
        training,
        Ridge(random_state=0),
        TimeSeriesSplit(5),
        {"mean_absolute_error": "neg_mean_absolute_error"},
    )
    for learned, measured in folded(numbered(103), tmp_path / "b", method="time", column="x"):
        assert learned.max() < measured.min()


def test_the_gap_lies_before_each_fold(tmp_path):
    days = pd.date_range("2026-01-01", periods=120)
    rows = numbered(120, day=days)
    how = {"method": "time", "column": "day", "gap": "7d"}
    for learned, measured in folded(rows, tmp_path, **how):
        assert measured.min() - learned.max() == 7
    assert (read_folds(tmp_path)[0] == LEFT_OUT).any()


ROLLING = {"method": "time", "column": "day", "window": "20d"}


def test_a_window_rolls_on_from_fold_to_fold_as_in_scikit_learn(tmp_path):
    rows = numbered(120, day=pd.date_range("2026-01-01", periods=120))
    expected = TimeSeriesSplit(5, max_train_size=20).split(np.arange(96))
    for (learned, measured), (before, after) in zip(
        folded(rows, tmp_path, **ROLLING), expected, strict=True
    ):
        assert sorted(learned) == before.tolist()
        assert sorted(measured) == after.tolist()


def test_the_model_itself_learns_from_the_newest_window(tmp_path):
    rows = numbered(120, day=pd.date_range("2026-01-01", periods=120))
    search = one_trial("sklearn.dummy.DummyRegressor")
    section = regression(split={**FIVE, **ROLLING}, features=["x"], search=search)
    divided = split(rows, section, tmp_path)
    trained = fit(section.expand()[0], divided, section, tmp_path)
    features, target = read_part(tmp_path, "train")
    newest = target[features["x"].to_numpy() >= 76]
    [said] = load_fitted(trained, section, tmp_path).predict(features[:1])
    assert len(newest) == 20
    assert said == pytest.approx(newest.mean())


def test_rows_of_one_moment_are_on_one_side_of_a_border(tmp_path):
    rows = numbered(120, day=[each // 7 for each in range(120)])
    for learned, measured in folded(rows, tmp_path, method="time", column="day"):
        assert not set(learned // 7) & set(measured // 7)


def test_hash_leaves_every_row_in_its_fold_as_others_come(tmp_path):
    how = {"method": "hash", "key": ["x"]}
    before = folded(numbered(300), tmp_path / "a", **how)
    after = folded(numbered(900), tmp_path / "b", **how)
    for (_, few), (_, many) in zip(before, after, strict=True):
        assert set(few) == {x for x in many if x < 300}
    assert sum(len(measured) for _, measured in after) == pytest.approx(720, abs=40)


def test_each_row_that_is_not_for_the_test_is_measured_once_a_repeat(tmp_path):
    split(diabetes(), regression(split={"validation": {"folds": 5, "repeats": 2}}), tmp_path)
    folds = read_folds(tmp_path)
    assert folds.shape == (10, 354)
    assert ((folds == MEASURED).sum(axis=0) == 2).all()
    assert ((folds == MEASURED).sum(axis=1) > 69).all()
    assert (folds[:5] != folds[5:]).any()


def test_the_same_rows_and_seed_give_the_same_folds_in_any_order(tmp_path):
    rows = numbered(150)
    turned = rows.take(np.arange(150)[::-1])
    found = [folded(each, tmp_path / str(at)) for at, each in enumerate((rows, turned))]
    other = folded(rows, tmp_path / "other", seed=1)
    assert [sorted(measured) for _, measured in found[0]] == [
        sorted(measured) for _, measured in found[1]
    ]
    assert [sorted(measured) for _, measured in found[0]] != [
        sorted(measured) for _, measured in other
    ]


def test_rows_with_the_same_features_are_in_one_fold(tmp_path):
    x = [float(each % 40) for each in range(400)]
    rows = pa.table({"x": x, "target": [each + at for at, each in enumerate(x)]})
    for learned, measured in folded(rows, tmp_path, duplicates="together"):
        assert not set(learned) & set(measured)


def test_the_test_rows_are_those_of_the_same_split_without_folds(tmp_path):
    for workspace, how in ((tmp_path / "a", {}), (tmp_path / "b", FIVE)):
        result = split(penguins(), model(split=how), workspace)
    features = [read_part(tmp_path / each, "test")[0] for each in ("a", "b")]
    pd.testing.assert_frame_equal(*features)
    assert (result.folds, result.rows) == (5, {"train": 275, "test": 69})


def test_the_model_learns_from_all_rows_that_are_not_for_the_test(tmp_path):
    section = model(split=FIVE, search=one_trial(LOGISTIC, C=0.5))
    (trial,) = section.expand()
    found = fit(trial, split(penguins(), section, tmp_path), section, tmp_path)
    features, target = read_part(tmp_path, "train")
    by_hand = pipeline(LogisticRegression(C=0.5, random_state=0), features).fit(features, target)
    others, _ = read_part(tmp_path, "test")
    trainer = section.trainer(LOGISTIC)
    ours = trainer.predict(trainer.load(tmp_path / found.model_file), others)
    np.testing.assert_allclose(ours.probabilities, by_hand.predict_proba(others))
    assert sorted(file.name for file in (tmp_path / "trials").iterdir()) == [
        "0.folds.npz",
        "0.joblib",
    ]


def test_mlflow_has_means_deviations_and_each_fold(tmp_path, mlflow_server):
    section = model(split=FIVE, trial_plots=True)
    training = Training(penguins(), section, tmp_path, mlflow_server)
    planned = training.plan()
    evaluations = [training.evaluate(each.index) for each in planned.trials]
    client, one = training.tracking.client, evaluations[0]
    metrics = client.get_run(one.mlflow_run_id).data.metrics
    assert metrics["f1_macro"] == one.metrics["f1_macro"]
    assert metrics["f1_macro_std"] == one.deviations["f1_macro"] > 0
    history = client.get_metric_history(one.mlflow_run_id, "fold_f1_macro")
    assert sorted(each.step for each in history) == [1, 2, 3, 4, 5]
    assert np.mean([each.value for each in history]) == pytest.approx(one.metrics["f1_macro"])
    plots = client.list_artifacts(one.mlflow_run_id, "validation")
    assert "validation/roc_curve.png" in [each.path for each in plots]

    selection = training.select(evaluations)
    parent = client.get_run(planned.sweep.parent_run_id)
    assert parent.data.tags["split"] == "stratified, seed 0, 5 folds"
    assert "rows_validation" not in parent.data.metrics
    best = selection.winner
    assert parent.data.metrics["best_f1_macro_std"] == best.deviations["f1_macro"]
    table = client.download_artifacts(planned.sweep.parent_run_id, "sweep/sweep.csv")
    (header, *_) = csv.reader(Path(table).read_text(encoding="utf-8").splitlines())
    assert "f1_macro_std" in header


def test_104_rows_choose_and_are_registered(tmp_path, mlflow_server):
    rows = penguins().to_pandas().dropna().groupby("species").head(37)[:104]
    search = {
        "strategy": "grid",
        "choose": "one_standard_error",
        "candidates": [{"estimator": LOGISTIC, "params": {"C": [0.0001, 0.1, 1.0, 10.0]}}],
    }
    section = model(split={"validation": {"folds": 5, "repeats": 2}}, search=search)
    training = Training(
        pa.Table.from_pandas(rows, preserve_index=False), section, tmp_path, mlflow_server
    )
    registration = training.all()
    assert training.split.rows == {"train": 84, "test": 20}
    assert training.split.findings == ()
    version = training.tracking.client.get_model_version(training.name, "1")
    assert "as the mean over 5 folds, 2 times" in version.description
    assert "the first within one standard error of the best of 4 by f1_macro" in version.description
    assert version.tags["trial"] == "LogisticRegression C=0.1"
    assert registration.record.metrics["validation_f1_macro"] > 0.95


def measured_trials(section: Model, *scores: tuple[float, float]):
    """Evaluations with these means and deviations of the objective, in the order of the trials."""
    from factory.training.trial import Evaluation, Fit

    trials = section.expand()
    return [
        Evaluation(
            fit=Fit(
                trial=trial,
                model_file="",
                sha256="",
                fit_seconds=1,
                started_at=0,
                warnings=(),
            ),
            metrics={section.objective.metric: mean},
            deviations={section.objective.metric: deviation},
            mlflow_run_id="",
        )
        for trial, (mean, deviation) in zip(trials, scores, strict=True)
    ]


@pytest.mark.parametrize(("choice", "winner"), [("best", 2), ("one_standard_error", 1)])
def test_one_standard_error_takes_the_first_trial_that_is_near_the_best(choice, winner):
    grid = {
        "strategy": "grid",
        "choose": choice,
        "candidates": [{"estimator": LOGISTIC, "params": {"C": [0.1, 0.3, 1.0]}}],
    }
    section = model(split=FIVE, search=grid)
    # Half of 0.04 is the standard error of five folds.
    trials = measured_trials(section, (0.87, 0.3), (0.885, 0.01), (0.9, 0.04))
    assert choose(rank(trials, section), section).fit.trial.index == winner


def test_the_standard_error_is_that_of_the_values_of_the_folds():
    values = np.array([0.8, 0.9, 0.7, 0.85, 0.95])
    assert values.std() / math.sqrt(5 - 1) == pytest.approx(values.std(ddof=1) / math.sqrt(5))


def test_early_stopping_looks_at_each_fold_and_the_model_takes_the_mean_of_the_best_iterations(
    tmp_path, mlflow_server
):
    params = {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 3, "learning_rate": 0.3}
    section = regression(split=FIVE, search=one_trial(BOOSTED, **params))
    training = Training(diabetes(), section, tmp_path, mlflow_server)
    training.plan()
    found = training.evaluate(0)
    best = found.fit.folds.best
    assert len(best) == 5
    assert all(3 < each < 300 for each in best)
    trained = section.trainer(BOOSTED).load(tmp_path / found.fit.model_file)[-1]
    assert trained.n_iter_ == round(np.mean(best))
    assert not trained.do_early_stopping_
    run = training.tracking.client.get_run(found.mlflow_run_id)
    assert run.data.params["best_iteration"] == str(trained.n_iter_)


class Stopping(RegressorMixin, BaseEstimator):
    """Stops early by rows that it is given; nobody knows what it calls its iterations."""

    def __init__(self, early_stopping_rounds=None, random_state=None):
        self.early_stopping_rounds = early_stopping_rounds
        self.random_state = random_state

    def fit(self, features, target, eval_set=None):
        raise AssertionError("it is refused before")


def test_estimators_whose_iterations_nobody_knows_are_refused_before_they_are_trained(tmp_path):
    search = one_trial("tests.training.test_folds.Stopping", early_stopping_rounds=5)
    section = regression(split=FIVE, search=search)
    (trial,) = section.expand()
    divided = split(diabetes(), section, tmp_path)
    with pytest.raises(TerminalError, match="take early_stopping_rounds away, or write"):
        fit(trial, divided, section, tmp_path)


def test_estimators_that_put_rows_aside_keep_their_parameters(tmp_path):
    params = {"early_stopping": True, "max_iter": 500, "hidden_layer_sizes": [5]}
    section = regression(
        split=FIVE, search=one_trial("sklearn.neural_network.MLPRegressor", **params)
    )
    (trial,) = section.expand()
    found = fit(trial, split(diabetes(), section, tmp_path), section, tmp_path)
    assert found.steps.best is None
    trained = section.trainer(trial.estimator).load(tmp_path / found.model_file)[-1]
    assert trained.early_stopping


def test_a_class_of_fewer_rows_than_places_is_refused_with_words(tmp_path):
    rows = penguins().to_pandas().dropna()
    rows = pd.concat([rows[rows.species != "Chinstrap"], rows[rows.species == "Chinstrap"][:5]])
    table = pa.Table.from_pandas(rows, preserve_index=False)
    with pytest.raises(TerminalError, match=r"6 rows of each class .* fewer of Chinstrap \(5\)"):
        split(table, model(split=FIVE), tmp_path)


def test_rows_of_a_rare_class_are_learned_from_in_each_fold(tmp_path):
    rows = penguins().to_pandas().dropna()
    rows = pd.concat([rows[rows.species != "Chinstrap"], rows[rows.species == "Chinstrap"][:5]])
    table = pa.Table.from_pandas(rows, preserve_index=False)
    result = split(table, model(split=FIVE, guard={"rare_classes": "train"}), tmp_path)
    _, target = read_part(tmp_path, "train")
    is_rare = target == "Chinstrap"
    assert is_rare.sum() == 5
    assert (read_folds(tmp_path)[:, is_rare] == LEARNED).all()
    assert "fewer than 6 rows are in training only" in result.findings[0].text


def test_too_few_rows_that_a_fold_learns_from_are_a_finding(tmp_path):
    result = split(numbered(60), regression(split={"validation": {"folds": 2}}), tmp_path)
    (found,) = [one for one in result.findings if one.guard == "min_rows"]
    assert found.action == "halt"
    assert "24 rows that a fold learns from (at least 30)" in found.text


@pytest.mark.parametrize(
    ("rows", "how", "said"),
    [
        (
            numbered(12),
            {"validation": {"folds": 20}},
            "20 folds need as many different rows, and 10",
        ),
        (
            numbered(60, boat=[each % 4 for each in range(60)]),
            {**FIVE, "method": "group", "column": "boat"},
            "needs 6 groups or more in 'boat', and there are 4",
        ),
        (
            numbered(60, day=[each % 4 for each in range(60)]),
            {**FIVE, "method": "time", "column": "day"},
            "'day' has 4 different values",
        ),
        (
            numbered(8, key=list(range(8))),
            {**FIVE, "method": "hash", "key": ["key"]},
            "none would be in fold",
        ),
    ],
)
def test_rows_that_are_too_few_for_the_folds_are_refused_with_words(tmp_path, rows, how, said):
    with pytest.raises(TerminalError, match=said):
        split(rows, regression(split=how), tmp_path)


def test_a_fold_that_learns_from_one_class_is_refused_with_words(tmp_path):
    rows = pa.table(
        {"day": list(range(100)), "x": list(range(100)), "species": ["a"] * 50 + ["b"] * 50}
    )
    how = {**FIVE, "method": "time", "column": "day"}
    with pytest.raises(TerminalError, match="fold 1 learns from are of the class 'a'"):
        split(rows, model(split=how), tmp_path)


def test_a_failure_names_the_fold(tmp_path):
    section = model(split=FIVE, search=one_trial(LOGISTIC, C=-1.0))
    (trial,) = section.expand()
    with pytest.raises(TerminalError, match=r"trial 0 \(LogisticRegression\): fold 1: .*'C'"):
        fit(trial, split(penguins(), section, tmp_path), section, tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": {"validation": {"folds": 1}}}, "greater than or equal to 2"),
        ({"split": {"validation": {"folds": 21}}}, "less than or equal to 20"),
        ({"split": {"validation": {"folds": 5, "repeats": 11}}}, "less than or equal to 10"),
        (
            {"split": {"validation": {"folds": 5, "repeats": 2}, "method": "hash"}},
            "`repeats` belongs to `method: random` or `method: stratified` only",
        ),
        (
            {"search": {**one_trial(LOGISTIC), "choose": "one_standard_error"}},
            "compares what folds have measured",
        ),
        (
            {
                "split": FIVE,
                "search": {
                    "strategy": "random",
                    "choose": "one_standard_error",
                    "trials": 2,
                    "candidates": [{"estimator": LOGISTIC, "params": {"C": [1.0, 2.0]}}],
                },
            },
            "`strategy: random` has no order",
        ),
        (
            {
                "split": FIVE,
                "search": one_trial("fastai.tabular.learner.tabular_learner", patience=3),
            },
            "`patience` stops by validation rows",
        ),
        (
            {
                "split": FIVE,
                "search": one_trial("fastai.vision.learner.vision_learner", arch="resnet18"),
            },
            "folds train each trial many times",
        ),
    ],
)
def test_what_cannot_be_is_refused_when_the_file_is_read(changes, said):
    with pytest.raises(ValidationError, match=said):
        model(**changes)


def test_folds_change_what_is_trained_and_are_read_back():
    section = model(split=FIVE)
    assert len({section.config_hash, model().config_hash}) == 2
    again = Model.model_validate(json.loads(json.dumps(section.as_trained())))
    assert again.config_hash == section.config_hash
    assert model().as_trained().get("split") is None


def test_a_model_without_folds_has_no_folds_in_its_workspace(tmp_path):
    section = model(search=one_trial(LOGISTIC))
    (trial,) = section.expand()
    found = fit(trial, split(penguins(), section, tmp_path), section, tmp_path)
    assert found.folds is None
    assert not (tmp_path / "split" / "folds.npy").exists()
