"""A registered model of every family says the same of the same rows: over HTTP, in a batch, and by plain MLflow."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

from factory.models.batch_prediction import PredictionForm, predict
from factory.models.predictor import load_predictor
from factory.training.forecasting.lag_table import after_the_end
from factory.training.forecasting.rows import asked_rows
from factory.training.forecasting.series import read_recent
from factory.training.model import Model
from tests.serving.service import Service, serving
from tests.training import shows
from tests.training.forecasting import visits
from tests.training.models import (
    anomaly,
    cells,
    clustering,
    diabetes,
    model,
    one_trial,
    penguins,
    regression,
    wines,
)
from tests.training.several_targets.fish import fish, labels, mails, sizes, table
from tests.training.training import Training

# A minute and a half for all models; other tests ask some of them in one or two of these ways.
pytestmark = pytest.mark.nightly

Section = Callable[..., Model]
FAMILIES: dict[str, tuple[Section, Callable[[], pa.Table], str, dict[str, Any]]] = {
    "scikit_learn_classes": (model, penguins, "sklearn.ensemble.RandomForestClassifier", {}),
    "scikit_learn_numbers": (regression, diabetes, "sklearn.svm.SVR", {}),
    "lightgbm_classes": (model, penguins, "lightgbm.LGBMClassifier", {"n_estimators": 10}),
    "lightgbm_numbers": (regression, diabetes, "lightgbm.LGBMRegressor", {"n_estimators": 10}),
    "xgboost_classes": (model, penguins, "xgboost.XGBClassifier", {"n_estimators": 10}),
    "xgboost_numbers": (regression, diabetes, "xgboost.XGBRegressor", {"n_estimators": 10}),
    "catboost_classes": (model, penguins, "catboost.CatBoostClassifier", {"iterations": 10}),
    "catboost_numbers": (regression, diabetes, "catboost.CatBoostRegressor", {"iterations": 10}),
    "catboost_categories": (
        model,
        penguins,
        "catboost.CatBoostClassifier",
        {"iterations": 10, "cat_features": ["island", "sex"]},
    ),
    "histogram_categories": (
        model,
        penguins,
        "sklearn.ensemble.HistGradientBoostingClassifier",
        {"max_iter": 10, "categorical_features": ["island", "sex"]},
    ),
    "imbalanced_learn": (
        model,
        penguins,
        "imblearn.ensemble.BalancedRandomForestClassifier",
        {"n_estimators": 5},
    ),
    "fastai_classes": (
        model,
        penguins,
        "fastai.tabular.learner.tabular_learner",
        {"epochs": 2, "lr": 0.02},
    ),
    "anomalies": (anomaly, cells, "sklearn.ensemble.IsolationForest", {"n_estimators": 10}),
    "clusters": (clustering, wines, "sklearn.cluster.KMeans", {"n_clusters": 3}),
    "mixtures": (clustering, wines, "sklearn.mixture.GaussianMixture", {"n_components": 3}),
    "rankings": (shows.ranker, shows.table, "lightgbm.LGBMRanker", {"n_estimators": 10}),
}
"""The section, the rows, the estimator and its parameters; forecasts have other rows, and a test of their own."""
_FOREST = "sklearn.ensemble.RandomForest"
OF_SEVERAL: dict[str, tuple[Section, Callable[[], pa.Table], str, dict[str, Any]]] = {
    "numbers_together": (sizes, lambda: table(fish()), f"{_FOREST}Regressor", {}),
    "labels": (labels, lambda: table(mails()), f"{_FOREST}Classifier", {}),
    "xgboost_numbers_together": (
        sizes,
        lambda: table(fish()),
        "xgboost.XGBRegressor",
        {"n_estimators": 10},
    ),
    "catboost_labels": (
        labels,
        lambda: table(mails()),
        "catboost.CatBoostClassifier",
        {"iterations": 10, "loss_function": "MultiLogloss"},
    ),
}
"""The same of models with several targets."""


@dataclass(frozen=True)
class Released:
    """A model whose version 1 is in production."""

    name: str
    training: Training

    @property
    def rows(self) -> pa.Table:
        """Some of the rows as a dataset holds them; of each the model can say something."""
        whole = self.training.rows.to_pandas().dropna().iloc[::7]
        return pa.Table.from_pandas(whole, preserve_index=False)

    def in_a_batch(self, rows: pa.Table, file: Path) -> pa.Table:
        record = self.training.registered.record
        made = predict(
            pyarrow.dataset.dataset(rows),
            load_predictor(record, tracking=self.training.tracking),
            PredictionForm(record.task, (), 1),
            batch_rows=11,
            file=file,
        )
        return pyarrow.dataset.dataset(made.file).to_table()

    def by_plain_mlflow(self, rows: pd.DataFrame) -> list[Any]:
        # Whole numbers are no doubles to MLflow, as the signature has them; other callers need not care.
        rows = rows.astype(dict.fromkeys(rows.select_dtypes("integer"), float))
        mlflow.set_tracking_uri(self.training.uri)
        plain = mlflow.pyfunc.load_model(self.training.registered.record.uri)
        return np.asarray(plain.predict(rows)).ravel().tolist()


def released(name: str, section: Model, rows: pa.Table, folder: Path, uri: str) -> Released:
    training = Training(rows, section, folder, uri, name=f"families.{name}")
    training.registered = training.all()
    return Released(training.name, training)


@pytest.fixture(scope="module")
def models(tmp_path_factory, mlflow_server, promote) -> dict[str, Released]:
    """One of each family."""
    folder = tmp_path_factory.mktemp("families")
    made = {
        name: released(
            name,
            section(search=one_trial(estimator, **params)),
            rows(),
            folder / name,
            mlflow_server,
        )
        for name, (section, rows, estimator, params) in {**FAMILIES, **OF_SEVERAL}.items()
    }
    made["forecasts"] = released(
        "forecasts", visits.forecaster(), visits.table(), folder / "forecasts", mlflow_server
    )
    for one in made.values():
        promote(one.name, 1)
    return made


@pytest.fixture(scope="module")
def service(tmp_path_factory, mlflow_server, models) -> Service:
    names = [one.name for one in models.values()]
    with serving(tmp_path_factory.mktemp("service"), mlflow_server, *names) as running:
        yield running


def as_json(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(rows.to_json(orient="records", date_format="iso", double_precision=15))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_service_a_batch_and_plain_mlflow_say_the_same(
    models: dict[str, Released], service: Service, tmp_path: Path, family: str
) -> None:
    one = models[family]
    record = one.training.registered.record
    features = one.rows.to_pandas()[list(record.features)]
    batch = one.in_a_batch(one.rows, tmp_path / "predictions.parquet")
    status, served = service.ask(one.name, as_json(features))
    assert status == 200, served
    said = batch["prediction"].to_pylist()
    assert len(set(said)) > 1
    if one.training.model.learning_task.has_classes:
        assert served["predictions"] == said == one.by_plain_mlflow(features)
    else:
        assert served["predictions"] == pytest.approx(said, rel=1e-6)
        assert one.by_plain_mlflow(features) == pytest.approx(said, rel=1e-6)


@pytest.mark.parametrize("family", OF_SEVERAL)
def test_of_each_target_a_service_a_batch_and_plain_mlflow_say_the_same(
    models: dict[str, Released], service: Service, tmp_path: Path, family: str
) -> None:
    one = models[family]
    targets = one.training.model.target_columns
    features = one.rows.to_pandas()[list(one.training.registered.record.features)]
    batch = one.in_a_batch(one.rows, tmp_path / "predictions.parquet").to_pandas()
    said = batch[[f"prediction_{name}" for name in targets]].to_numpy(dtype=float)
    status, served = service.ask(one.name, as_json(features))
    assert status == 200, served
    assert [[*row] for row in served["predictions"]] == [[*targets]] * len(features)
    answers = np.array([[*row.values()] for row in served["predictions"]], dtype=float)
    np.testing.assert_allclose(answers, said, rtol=1e-6)
    plain = np.array(one.by_plain_mlflow(features), dtype=float).reshape(said.shape)
    np.testing.assert_allclose(plain, said, rtol=1e-6)
    assert len(np.unique(said, axis=0)) > 1


def test_forecasts_are_the_same_over_http_in_a_batch_and_by_plain_mlflow(
    models: dict[str, Released], service: Service, tmp_path: Path
) -> None:
    one = models["forecasts"]
    record = one.training.registered.record
    known = visits.with_future(visits.frame())
    rows = visits.table(known)
    said = one.in_a_batch(rows, tmp_path / "forecasts.parquet")["prediction"].to_pylist()
    status, served = service.ask(one.name, as_json(known))
    assert status == 200, served
    assert [each["prediction"] for each in served["forecasts"]] == pytest.approx(said)
    series = read_recent(rows, record.forecast)
    asked = asked_rows(series, after_the_end(series))
    assert one.by_plain_mlflow(asked) == pytest.approx(said)
