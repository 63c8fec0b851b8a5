"""Models that learn from no target, from the split to predictions, on a real MLflow server."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow.dataset
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest

from factory.models import registry
from factory.models.batch_prediction import PredictionForm, predict
from factory.models.predictor import load_predictor
from factory.serving.answers import answer_together
from factory.serving.limits import ServingLimits
from factory.serving.loading import load
from factory.trainers.scikit_learn.preprocessing import default_preprocessing
from factory.training.split import read_part
from tests.models.life import Life
from tests.training.models import (
    anomaly,
    cells,
    clustering,
    one_trial,
    unlabelled,
    wine,
    wines,
)
from tests.training.training import Training


@pytest.fixture(scope="module")
def detector(tmp_path_factory, mlflow_server) -> Life:
    life = Life(tmp_path_factory.mktemp("detector"), mlflow_server)
    life.train(anomaly(), cells(), plots=True)
    life.promote(life.decide())
    return life


@pytest.fixture(scope="module")
def unlabelled_detector(tmp_path_factory, mlflow_server) -> Life:
    life = Life(tmp_path_factory.mktemp("unlabelled"), mlflow_server)
    life.train(unlabelled(), cells().drop_columns(["label"]))
    life.promote(life.decide())
    return life


@pytest.fixture(scope="module")
def segments(tmp_path_factory, mlflow_server) -> Life:
    """Three clusters of wines, in production."""
    life = Life(tmp_path_factory.mktemp("segments"), mlflow_server)
    section = clustering(search=one_trial("sklearn.cluster.KMeans", n_clusters=3))
    life.train(section, wines(), plots=True)
    life.promote(life.decide())
    return life


def predictor_of(life: Life):
    return load_predictor(life.version, tracking=life.tracking)


def predicted(life: Life, task: str, folder: Path, rows):
    made = predict(
        pyarrow.dataset.dataset(rows),
        predictor_of(life),
        PredictionForm(task, (), 4),
        batch_rows=100,
        file=folder / "predictions.parquet",
    )
    return made.columns, pyarrow.dataset.dataset(made.file).to_table()


def test_metrics_with_labels_are_those_of_plain_scikit_learn(detector):
    train, _ = read_part(detector.training.workspace, "train")
    test, truth = read_part(detector.training.workspace, "test")
    prepare = default_preprocessing(train).fit(train)
    forest = IsolationForest(n_estimators=20, random_state=0).fit(prepare.transform(train))
    score = -forest.decision_function(prepare.transform(test))
    said = forest.predict(prepare.transform(test)) == -1
    found = detector.tested.metrics
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, score))
    assert found["average_precision"] == pytest.approx(
        metrics.average_precision_score(truth, score)
    )
    assert found["precision"] == pytest.approx(metrics.precision_score(truth, said))
    assert found["recall"] == pytest.approx(metrics.recall_score(truth, said))
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, said))
    assert found["anomaly_share"] == pytest.approx(said.mean())
    assert detector.tested.baseline["average_precision"] == pytest.approx(truth.mean())


def test_a_detector_is_promoted_and_predicts_what_plain_mlflow_says(detector, tmp_path):
    assert detector.champion == 1
    columns, table = predicted(detector, "anomaly", tmp_path, cells())
    assert columns == {
        "prediction": "BOOLEAN",
        "score": "DOUBLE",
        "model_version": "BIGINT",
        "input_version": "BIGINT",
    }
    said, score = (table[name].to_numpy() for name in ("prediction", "score"))
    assert said.any()
    assert score[said].min() > score[~said].max()
    features, _ = read_part(detector.training.workspace, "test")
    plain = np.asarray(mlflow.pyfunc.load_model(detector.version.uri).predict(features)).ravel()
    np.testing.assert_array_equal(predictor_of(detector).predict(features).values, plain)
    assert set(detector.version.example.predictions) <= {False, True}


def test_the_gate_compares_a_detector_with_the_champion(detector):
    again = Life(detector.folder / "again", detector.uri, detector.name)
    again.run = 10
    again.train(anomaly(search=one_trial("sklearn.svm.OneClassSVM", nu=0.05)), cells())
    decision = again.decide(confidence=0.9)
    assert decision.champion == 1
    assert decision.champion_metrics == pytest.approx(detector.tested.metrics)
    assert decision.interval is not None


def test_labels_are_not_learned_from(detector, tmp_path, mlflow_server):
    """Other labels of the same rows, divided in the same way, change no prediction."""
    rows = cells()
    section = anomaly(split={"method": "hash", "key": ["mean_radius"]})
    other = rows.set_column(
        rows.column_names.index("label"),
        "label",
        [["malignant" if at % 9 == 0 else "benign" for at in range(rows.num_rows)]],
    )
    said = []
    for number, labelled in enumerate((rows, other)):
        life = Life(tmp_path / str(number), mlflow_server)
        life.train(section, labelled)
        features = rows.drop_columns(["label"]).to_pandas()
        said.append(predictor_of(life).predict(features).columns["score"])
    np.testing.assert_array_equal(*said)


def test_without_labels_detectors_are_compared_on_the_same_rows(unlabelled_detector):
    life = unlabelled_detector
    assert life.tested.metrics.keys() == {"anomaly_share", "mass_volume"}
    assert life.tested.baseline == {}
    assert life.champion == 1
    again = Life(life.folder / "again", life.uri, life.name)
    again.run = 10
    worse = one_trial("sklearn.linear_model.SGDOneClassSVM")
    again.train(unlabelled(search=worse), cells().drop_columns(["label"]))
    decision = again.decide()
    assert decision.champion_metrics == pytest.approx(life.tested.metrics)
    assert decision.verdict == "keep"
    assert "test mass_volume" in decision.reason


def test_test_rows_without_labels_are_known_again(unlabelled_detector):
    life = unlabelled_detector
    again = Life(life.folder / "overlap", life.uri, life.name)
    again.run = 20
    section = unlabelled(split={"seed": 5})
    again.train(section, cells().drop_columns(["label"]))
    assert any(one.guard == "champion_overlap" for one in again.decide().findings)


def test_the_number_of_clusters_is_chosen_by_the_silhouette(tmp_path, mlflow_server):
    training = Training(wines(), clustering(), tmp_path, mlflow_server)
    training.plan()
    selection = training.select([training.evaluate(index) for index in range(4)])
    train, _ = read_part(tmp_path, "train")
    rows, _ = read_part(tmp_path, "validation")
    prepare = default_preprocessing(train).fit(train)
    by_hand = {}
    for count in (2, 3, 4, 5):
        means = KMeans(count, random_state=0).fit(prepare.transform(train))
        points = prepare.transform(rows)
        by_hand[count] = metrics.silhouette_score(points, means.predict(points))
    assert selection.winner.fit.trial.params == {"n_clusters": max(by_hand, key=by_hand.get)}
    assert selection.score == pytest.approx(max(by_hand.values()))
    assert selection.winner.metrics["cluster_count"] == max(by_hand, key=by_hand.get)


def test_clusters_are_predicted_by_number_with_the_distance_to_their_centre(segments, tmp_path):
    columns, table = predicted(segments, "clustering", tmp_path, wines())
    assert columns == {
        "prediction": "BIGINT",
        "probability": "DOUBLE",
        "distance": "DOUBLE",
        "model_version": "BIGINT",
        "input_version": "BIGINT",
    }
    assert set(table["prediction"].to_pylist()) == {0, 1, 2}
    assert table["probability"].null_count == table.num_rows
    train, _ = read_part(segments.training.workspace, "train")
    prepare = default_preprocessing(train).fit(train)
    means = KMeans(3, random_state=0).fit(prepare.transform(train))
    nearest = means.transform(prepare.transform(wines().to_pandas())).min(axis=1)
    np.testing.assert_allclose(table["distance"].to_numpy(), nearest)
    plain = mlflow.pyfunc.load_model(segments.version.uri).predict(wines().to_pandas())
    np.testing.assert_array_equal(table["prediction"].to_numpy(), np.asarray(plain).ravel())


def test_clusters_of_a_mixture_have_probabilities(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    search = one_trial("sklearn.mixture.GaussianMixture", n_components=3)
    life.train(clustering(search=search), wines())
    _, table = predicted(life, "clustering", tmp_path, wines())
    assert min(table["probability"].to_pylist()) > 1 / 3
    assert table["distance"].null_count == table.num_rows


def test_clusters_are_numbered_by_their_size(segments):
    train, _ = read_part(segments.training.workspace, "train")
    said = predictor_of(segments).predict(train).values
    counts = np.bincount(said)
    assert counts.tolist() == sorted(counts, reverse=True)


def test_clusters_of_a_new_version_keep_the_numbers_of_the_champions(segments):
    """Other rows, so that another cluster is the largest one; and one cluster more."""
    rows = wine()
    kinds = rows["target"].to_numpy()
    fewer = rows.take(np.flatnonzero((kinds != 1) | (np.arange(len(kinds)) % 3 == 0)))
    again = Life(segments.folder / "again", segments.uri, segments.name)
    again.run = 10
    search = one_trial("sklearn.cluster.KMeans", n_clusters=4)
    again.train(clustering(search=search), fewer.drop_columns(["target"]))
    rows = wines().to_pandas()
    before, now = (predictor_of(life).predict(rows).values for life in (segments, again))
    assert set(now) == {0, 1, 2, 3}
    assert (before == now).mean() > 0.6
    test, _ = read_part(again.training.workspace, "test")
    old, new = (predictor_of(life).predict(test).values for life in (segments, again))
    decision = again.decide()
    assert decision.metrics["adjusted_rand_with_champion"] == pytest.approx(
        metrics.adjusted_rand_score(old, new)
    )
    assert "adjusted_rand_with_champion" in decision.table()
    logged = again.tracking.client.get_run(again.version.mlflow_run_id).data.metrics
    assert "test_adjusted_rand_with_champion" in logged


def test_champion_and_challenger_are_measured_between_rows_that_the_challenger_prepares(segments):
    """A preprocessing that flattens the rows would make any silhouette larger."""
    again = Life(segments.folder / "flat", segments.uri, segments.name)
    again.run = 20
    flat = [
        {"steps": [{"transformer": "sklearn.decomposition.PCA", "params": {"n_components": 2}}]}
    ]
    search = one_trial("sklearn.cluster.KMeans", n_clusters=3)
    again.train(clustering(search=search, preprocessing=flat), wines())
    decision = again.decide()
    test, _ = read_part(again.training.workspace, "test")
    points = predictor_of(again).predict(test).points
    assert points.shape[1] == 2
    before = predictor_of(segments).predict(test).values
    assert decision.champion_metrics["silhouette"] == pytest.approx(
        metrics.silhouette_score(points, before)
    )
    assert decision.champion_metrics["silhouette"] > segments.tested.metrics["silhouette"]


def test_a_target_measures_how_far_clusters_meet_it(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    search = one_trial("sklearn.cluster.KMeans", n_clusters=3)
    life.train(
        clustering(search=search, target="target", objective={"metric": "adjusted_rand"}), wine()
    )
    rows, truth = read_part(life.training.workspace, "test")
    said = predictor_of(life).predict(rows).values
    assert life.tested.metrics["adjusted_rand"] == metrics.adjusted_rand_score(truth, said)
    assert life.tested.metrics["adjusted_rand"] > 0.7
    assert life.decide().verdict == "promote"


def answered(life: Life, rows: pd.DataFrame) -> dict[str, Any]:
    """What a service says about rows."""
    version = registry.version(life.name, life.version.version, tracking=life.tracking)
    served = load(version, tracking=life.tracking, settings=ServingLimits())
    (found,) = answer_together(served, [json.dumps({"rows": rows.to_dict("records")}).encode()])
    return json.loads(found.body)


def test_a_service_answers_with_scores_and_with_distances(detector, segments):
    rows, _ = read_part(detector.training.workspace, "test")
    found, said = answered(detector, rows), predictor_of(detector).predict(rows)
    assert found["predictions"] == said.values.tolist()
    assert found["score"] == pytest.approx(said.columns["score"])
    rows, _ = read_part(segments.training.workspace, "test")
    found, said = answered(segments, rows), predictor_of(segments).predict(rows)
    assert found["predictions"] == said.values.tolist()
    assert found["distance"] == pytest.approx(said.columns["distance"])


@pytest.mark.parametrize("name", ["scores.png", "roc_curve.png", "precision_recall_curve.png"])
def test_a_detector_has_plots_in_mlflow(detector, name):
    found = detector.tracking.client.list_artifacts(detector.version.mlflow_run_id, "test")
    assert f"test/{name}" in {one.path for one in found}


@pytest.mark.parametrize("name", ["cluster_sizes.png", "clusters.png"])
def test_clusters_have_plots_in_mlflow(segments, name):
    found = segments.tracking.client.list_artifacts(segments.version.mlflow_run_id, "test")
    assert f"test/{name}" in {one.path for one in found}


def test_folds_choose_without_a_target_too(tmp_path, mlflow_server):
    section = clustering(split={"validation": {"folds": 3}})
    training = Training(wines(), section, tmp_path, mlflow_server)
    training.plan()
    found = training.evaluate(1)
    assert found.metrics.keys() == {
        "calinski_harabasz",
        "cluster_count",
        "davies_bouldin",
        "silhouette",
    }
    assert found.deviations["silhouette"] > 0
    section = unlabelled(split={"validation": {"folds": 3}})
    rows = cells().drop_columns(["label"])
    training = Training(rows, section, tmp_path / "detector", mlflow_server)
    training.plan()
    assert training.evaluate(0).deviations["mass_volume"] > 0
