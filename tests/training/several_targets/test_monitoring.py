"""Models with several targets, watched: drift of what is said of each, and truth that is known later."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.monitoring.test_monitor import BIRDS, TRAINING, TRUTH, World
from tests.monitoring.test_unsupervised import world_of
from tests.training.several_targets import fish as made
from tests.training.several_targets.fish import LABELS, SIZES, labels, sizes, table

KEPT = {"predict": {"input": "birds", "keep": ["bird"]}, "train_on": TRAINING.split(".")[1]}


def mails(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    return made.mails(rows, seed).rename(columns={"id": "bird"})


def fish(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    return made.fish(rows, seed).rename(columns={"id": "bird"})


@pytest.fixture
def labelled(tmp_path: Path, mlflow_server: str) -> World:
    return world_of(labels(**KEPT), table(mails()), tmp_path, mlflow_server)


@pytest.fixture
def measured(tmp_path: Path, mlflow_server: str) -> World:
    return world_of(sizes(**KEPT), table(fish()), tmp_path, mlflow_server)


def test_quality_is_measured_of_all_labels_and_of_each(labelled: World) -> None:
    rows = mails(200, seed=5)
    predictions = labelled.predict(table(rows.drop(columns=[*LABELS])), task="multilabel")
    known = rows[["bird", *LABELS]].astype({"billing": "object"})
    known.loc[:19, "billing"] = None
    truth = labelled.publish(TRUTH, table(known))
    quality: dict[str, Any] = {
        "truth": {"dataset": "truth", "keys": ["bird"]},
        "quality": {"f1/urgent": {"min": 0.9999}, "average_precision_macro": {"min": 0.5}},
    }
    found = labelled.measure(predictions, truth, **quality)
    assert (found.quality.rows, found.quality.predictions) == (180, 200)
    assert found.quality.missed.keys() == {"f1/urgent"}
    assert found.quality.metrics["f1_samples"] > 0.5
    assert found.quality.metrics["average_precision/spam"] > 0.8


def test_quality_of_numbers_is_measured_of_each_target(measured: World) -> None:
    rows = fish(200, seed=5)
    predictions = measured.predict(
        table(rows.drop(columns=[*SIZES])), task="multioutput_regression"
    )
    truth = measured.publish(TRUTH, table(rows[["bird", *SIZES]]))
    quality = {"truth": {"dataset": "truth", "keys": ["bird"]}, "quality": {"r2": {"min": 0.9999}}}
    found = measured.measure(predictions, truth, **quality)
    assert found.quality.rows == 200
    assert {"r2/length", "r2/weight"} <= found.quality.metrics.keys()
    assert found.quality.missed.keys() == {"r2"}


def test_drift_is_of_what_is_said_of_each_label(labelled: World) -> None:
    rows = mails(300, seed=5).drop(columns=[*LABELS])
    same = labelled.measure(labelled.predict(table(rows), task="multilabel"))
    assert same.prediction is None
    assert [one.column for one in same.of_targets] == [f"prediction_{name}" for name in LABELS]
    assert not any(one.drifted for one in same.of_targets)
    rows["links"] *= 3
    odd = labelled.measure(labelled.predict(table(rows), task="multilabel"))
    assert [one.column for one in odd.of_targets if one.drifted] == ["prediction_spam"]
    assert any("prediction_spam" in text for text in odd.findings)


def test_without_predictions_the_champion_is_asked(measured: World) -> None:
    rows = fish(300, seed=5).drop(columns=[*SIZES])
    rows["age"] += 10
    found = measured.measure(measured.publish(BIRDS, table(rows)), predictions=False)
    assert {one.column for one in found.of_targets if one.drifted} == {
        "prediction_length",
        "prediction_weight",
    }
