"""Detectors of anomalies and clusters, watched: drift of what they say, and truth that is known later."""

from dataclasses import replace

import pyarrow as pa
import pytest

from tests.data.rows import lake_in
from tests.models.life import Life
from tests.monitoring.test_monitor import BIRDS, TRAINING, TRUTH, World
from tests.training.models import anomaly, cells, clustering, one_trial, wines
from tests.training.training import Training


def numbered(rows: pa.Table) -> pa.Table:
    return rows.append_column("bird", pa.array(range(rows.num_rows)))


def world_of(section, rows: pa.Table, folder, mlflow_server) -> World:
    """A model of these rows in production."""
    training = Training(rows, section, folder / "training", mlflow_server)
    training.run = replace(training.run, snapshots={TRAINING: 0})
    life = Life(folder / "life", mlflow_server, training.name)
    life.training, life.tracking = training, training.tracking
    training.plan()
    selection = training.select([training.evaluate(0)])
    life.tested = training.test(selection)
    life.version = training.register(selection, life.tested).record
    life.promote(life.decide())
    world = World(lake_in(folder), section, training.name, training.tracking, folder)
    world.publish(TRAINING, rows)
    return world


@pytest.fixture
def detector(tmp_path, mlflow_server) -> World:
    features = [name for name in cells().column_names if name != "label"]
    section = anomaly(
        train_on=TRAINING.split(".")[1],
        features=features,
        predict={"input": "birds", "keep": ["bird"]},
    )
    return world_of(section, numbered(cells()), tmp_path, mlflow_server)


def test_what_a_detector_said_is_compared_with_labels_that_are_known_later(detector):
    rows = numbered(cells())
    predictions = detector.predict(rows.drop_columns(["label"]), task="anomaly")
    truth = detector.publish(TRUTH, rows.select(["bird", "label"]))
    quality = {
        "truth": {"dataset": "truth", "keys": ["bird"]},
        "quality": {"recall": {"min": 0.999}},
    }
    found = detector.measure(predictions, truth, **quality)
    assert found.quality.rows == rows.num_rows
    assert 0.2 < found.quality.metrics["recall"] < 0.999
    assert found.quality.missed.keys() == {"recall"}
    assert found.quality.metrics["anomaly_share"] > 0
    assert "mass_volume" in found.quality.skipped


def test_more_anomalies_than_in_training_are_drift_of_predictions(detector):
    rows = numbered(cells()).drop_columns(["label"]).to_pandas()
    like_before = detector.measure(detector.predict(pa.Table.from_pandas(rows), task="anomaly"))
    assert not like_before.prediction.drifted
    rows["mean_radius"] *= 2
    odd = detector.measure(detector.predict(pa.Table.from_pandas(rows), task="anomaly"))
    assert odd.prediction.drifted
    assert odd.breached


def test_clusters_of_other_sizes_than_in_training_are_drift_without_any_truth(
    tmp_path, mlflow_server
):
    section = clustering(
        train_on=TRAINING.split(".")[1],
        features=wines().column_names,
        search=one_trial("sklearn.cluster.KMeans", n_clusters=3),
    )
    world = world_of(section, wines(), tmp_path, mlflow_server)
    same = world.publish(BIRDS, wines())
    assert not world.measure(same, predictions=False).breached
    first = world.publish(BIRDS, wines().slice(0, 59))
    found = world.measure(first, predictions=False)
    assert found.prediction.drifted
    assert found.breached
