"""Boosted trees and estimators of imbalanced-learn: trained, registered, read back, asked."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest

from factory.base.errors import TerminalError
from factory.models.predictor import load_predictor
from factory.models.record import ModelRecord
from factory.trainers.scikit_learn.boosting import with_defaults
from factory.trainers.scikit_learn.estimator_check import find
from factory.trainers.trainer import WrittenEstimator
from factory.training.split import read_part, split
from factory.training.trial import fit
from tests.trainers.test_rankers import FEW as RANKERS
from tests.training.models import diabetes, model, one_trial, penguins, regression
from tests.training.training import Training

FEW_TREES: dict[str, dict[str, Any]] = {
    "catboost": {"iterations": 20},
    "imblearn": {"n_estimators": 3},
    "lightgbm": {"n_estimators": 10},
    "xgboost": {"n_estimators": 10},
}
CLASSIFIERS = (
    "catboost.CatBoostClassifier",
    "imblearn.ensemble.BalancedRandomForestClassifier",
    "lightgbm.LGBMClassifier",
    "xgboost.XGBClassifier",
)
REGRESSORS = (
    "catboost.CatBoostRegressor",
    "lightgbm.LGBMRegressor",
    "xgboost.XGBRegressor",
)
FURTHER = (
    "imblearn.ensemble.BalancedBaggingClassifier",
    "imblearn.ensemble.EasyEnsembleClassifier",
    "imblearn.ensemble.RUSBoostClassifier",
    "xgboost.XGBRFClassifier",
)
NIGHTLY = tuple(pytest.param(one, marks=pytest.mark.nightly) for one in FURTHER)
FURTHER_REGRESSOR = "xgboost.XGBRFRegressor"
NOT_TRIED = {
    "CatBoost": "what the others are made from",
    "LGBMModel": "what the others are made from",
    "XGBModel": "what the others are made from",
    "DaskLGBMClassifier": "needs a cluster of Dask",
    "DaskLGBMRanker": "needs a cluster of Dask",
    "DaskLGBMRegressor": "needs a cluster of Dask",
}
"""Estimators of these libraries, and why no model is trained with them."""


def few(estimator: str) -> dict[str, Any]:
    return one_trial(estimator, **FEW_TREES[estimator.partition(".")[0]])


def said_again(training: Training, record: ModelRecord) -> tuple[Any, Any]:
    """What a registered version says about test rows, through our predictor and by plain MLflow."""
    features, _ = read_part(training.workspace, "test")
    predictor = load_predictor(record, tracking=training.tracking)
    plain = mlflow.pyfunc.load_model(record.uri).predict(features)
    return predictor.predict(features).values, np.asarray(plain)


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *NIGHTLY])
def test_classifier_with_texts_as_classes_is_registered_and_says_the_same(
    estimator: str, tmp_path: Path, mlflow_server: str
) -> None:
    section = model(search=few(estimator))
    training = Training(penguins(), section, tmp_path, mlflow_server)
    record = training.all().record
    assert record.metrics["test_f1_macro"] > 0.8
    ours, plain = said_again(training, record)
    assert ours.tolist() == plain.ravel().tolist()
    assert set(ours) <= {"Adelie", "Chinstrap", "Gentoo"}


@pytest.mark.parametrize(
    "estimator", [*REGRESSORS, pytest.param(FURTHER_REGRESSOR, marks=pytest.mark.nightly)]
)
def test_regressor_is_registered_and_says_the_same(
    estimator: str, tmp_path: Path, mlflow_server: str
) -> None:
    section = regression(search=few(estimator))
    training = Training(diabetes(), section, tmp_path, mlflow_server)
    record = training.all().record
    assert record.metrics["test_r2"] > 0.1
    ours, plain = said_again(training, record)
    np.testing.assert_array_equal(ours, plain.ravel())


def test_classes_need_not_count_from_0(tmp_path: Path, mlflow_server: str) -> None:
    rows = penguins()
    codes = pa.array(
        [{"Adelie": 3, "Chinstrap": 7, "Gentoo": 12}[v] for v in rows["species"].to_pylist()]
    )
    rows = rows.set_column(rows.column_names.index("species"), "species", codes)
    section = model(search=few("xgboost.XGBClassifier"))
    training = Training(rows, section, tmp_path, mlflow_server)
    ours, plain = said_again(training, training.all().record)
    assert set(ours.tolist()) == set(plain.tolist()) == {3, 7, 12}


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *REGRESSORS])
def test_same_seed_gives_the_same_predictions(estimator: str) -> None:
    section, rows = (
        (model(search=few(estimator)), penguins())
        if estimator in CLASSIFIERS
        else (regression(search=few(estimator)), diabetes())
    )
    frame = rows.to_pandas().dropna()
    features, target = frame.drop(columns=section.target), frame[section.target].to_numpy()
    trainer = section.trainer(estimator)
    params = FEW_TREES[estimator.partition(".")[0]]
    one, two = (trainer.fit(estimator, params, features, target, seed=3).model for _ in range(2))
    np.testing.assert_array_equal(
        trainer.predict(one, features).values, trainer.predict(two, features).values
    )


def test_catboost_writes_no_files_and_no_line_for_each_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = diabetes().to_pandas()
    trainer = regression().trainer("catboost.CatBoostRegressor")
    trainer.fit(
        "catboost.CatBoostRegressor",
        {"iterations": 5},
        frame[["bmi"]],
        frame["target"].to_numpy(),
        seed=0,
    )
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("catboost.CatBoostRegressor", {"train_dir": "x"}),
        ("catboost.CatBoostRegressor", {"allow_writing_files": True}),
        ("catboost.CatBoostRegressor", {"snapshot_file": "x"}),
        ("catboost.CatBoostRegressor", {"output_borders": "/tmp/x"}),
        ("catboost.CatBoostRegressor", {"input_borders": "/etc/passwd"}),
        ("lightgbm.LGBMRegressor", {"forcedsplits_filename": "/etc/passwd"}),
        ("lightgbm.LGBMRegressor", {"forced_splits": "/etc/passwd"}),
        ("lightgbm.LGBMRegressor", {"machines": "10.0.0.1:80", "num_machines": 2}),
    ],
)
def test_parameters_that_touch_files_are_refused(estimator: str, params: dict[str, Any]) -> None:
    frame = diabetes().to_pandas()
    with pytest.raises(TerminalError, match="reads or writes files"):
        regression().trainer(estimator).fit(
            estimator, params, frame[["bmi"]], frame["target"].to_numpy(), seed=0
        )


def test_what_is_written_wins_over_what_is_usual() -> None:
    assert with_defaults("catboost.CatBoostRegressor", {"verbose": 100}, 2) == {
        "verbose": 100,
        "allow_writing_files": False,
        "thread_count": 2,
    }
    assert with_defaults("lightgbm.LGBMRegressor", {"n_jobs": 4}, 2) == {
        "verbosity": -1,
        "n_jobs": 4,
    }
    assert with_defaults("sklearn.svm.SVC", {"C": 1}, 2) == {"C": 1}


STOPPING: dict[str, dict[str, Any]] = {
    "catboost": {"iterations": 3000, "early_stopping_rounds": 10, "learning_rate": 0.3},
    "lightgbm": {"n_estimators": 3000, "early_stopping_rounds": 10, "learning_rate": 0.3},
    "xgboost": {"n_estimators": 3000, "early_stopping_rounds": 10, "learning_rate": 0.3},
}


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *REGRESSORS])
def test_early_stopping_looks_at_the_validation_rows_and_its_best_iteration_is_kept(
    estimator: str, tmp_path: Path, mlflow_server: str
) -> None:
    if (params := STOPPING.get(estimator.partition(".")[0])) is None:
        pytest.skip("a forest does not stop early")
    section, rows = (
        (model(search=one_trial(estimator, **params)), penguins())
        if estimator in CLASSIFIERS
        else (regression(search=one_trial(estimator, **params)), diabetes())
    )
    training = Training(rows, section, tmp_path, mlflow_server)
    record = training.all().record
    [run] = training.tracking.client.search_runs(
        [training.planned.sweep.experiment_id], "tags.role = 'trial'"
    )
    best = int(run.data.params["best_iteration"])
    assert 1 <= best < 3000
    assert any(name.startswith("iteration_valid_") for name in run.data.metrics)
    ours, plain = said_again(training, record)
    np.testing.assert_array_equal(ours, plain.ravel())


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *REGRESSORS])
def test_after_folds_it_takes_the_mean_of_their_best_iterations_and_does_not_stop_early(
    estimator: str, tmp_path: Path
) -> None:
    library = estimator.partition(".")[0]
    if (params := STOPPING.get(library)) is None:
        pytest.skip("a forest does not stop early")
    how: dict[str, Any] = {
        "search": one_trial(estimator, **params),
        "split": {"validation": {"folds": 3}},
    }
    section, rows = (
        (model(**how), penguins()) if estimator in CLASSIFIERS else (regression(**how), diabetes())
    )
    (trial,) = section.search.expand()
    found = fit(trial, split(rows, section, tmp_path), section, tmp_path)
    assert found.folds is not None
    assert len(found.folds.best) == 3
    expected = max(1, round(sum(found.folds.best) / 3))
    trained = section.trainer(estimator).load(tmp_path / found.model_file)[-1]
    trained = getattr(trained, "estimator", trained)
    if library == "catboost":
        trees = trained.tree_count_
    elif library == "lightgbm":
        trees = trained.booster_.current_iteration()
    else:
        trees = trained.get_booster().num_boosted_rounds()
    assert trees == found.steps.best == expected


@pytest.mark.parametrize(
    ("library", "word"),
    [
        ("catboost.CatBoostRegressor", "od_wait"),
        ("lightgbm.LGBMRegressor", "early_stopping_round"),
        ("xgboost.XGBRegressor", "early_stopping_rounds"),
    ],
)
def test_early_stopping_within_another_estimator_is_refused_since_it_gets_no_rows_there(
    library: str, word: str
) -> None:
    inner = {"estimator": library, "params": {word: [None, 5]}}
    params = {"estimator": inner, "n_estimators": [2]}
    around = "sklearn.ensemble.BaggingRegressor"
    [one] = find(WrittenEstimator(around, params, "regression", has_spaces=True))
    assert one.path == ("params", "estimator", "params", word, 1)
    assert "gets no validation rows to stop early by" in one.message
    alone = WrittenEstimator(library, {word: [None, 5]}, "regression", has_spaces=True)
    assert list(find(alone)) == []


TRIED = {
    one.rpartition(".")[2]
    for one in (*CLASSIFIERS, *REGRESSORS, *FURTHER, FURTHER_REGRESSOR, *RANKERS)
}


@pytest.mark.parametrize("library", ["catboost", "imblearn.ensemble", "lightgbm", "xgboost"])
def test_each_estimator_of_a_library_is_tried_or_has_its_reason_not_to_be(library: str) -> None:
    module = importlib.import_module(library)
    public = [getattr(module, name) for name in getattr(module, "__all__", dir(module))]
    estimators = {
        one.__name__
        for one in public
        if inspect.isclass(one) and hasattr(one, "fit") and hasattr(one, "predict")
    }
    assert estimators
    assert estimators <= TRIED ^ NOT_TRIED.keys()


def test_docs_name_the_estimators_that_are_tried_and_those_that_are_not() -> None:
    page = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text()
    named = [*sorted(TRIED), *sorted(NOT_TRIED)]
    assert [name for name in named if f"`{name}`" not in page] == []
    assert {f"| {why} |" in page for why in NOT_TRIED.values()} == {True}


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("catboost.CatBoostRegressor", {"depth": 99}),
        ("lightgbm.LGBMRegressor", {"num_leaves": -1}),
        ("xgboost.XGBRegressor", {"max_depth": -3}),
    ],
)
def test_values_that_a_library_refuses_are_not_tried_again(
    estimator: str, params: dict[str, Any]
) -> None:
    frame = diabetes().to_pandas()
    with pytest.raises(TerminalError, match="refuses to be trained"):
        regression().trainer(estimator).fit(
            estimator, params, frame[["bmi"]], frame["target"].to_numpy(), seed=0
        )
