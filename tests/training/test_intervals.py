"""What is recorded with a regression's version about how far off it is."""

import numpy as np
import pytest

from factory.models.predictor import load_predictor
from factory.training.cross_validation import measured_rows, read_predictions
from factory.training.split import read_part
from tests.training.models import diabetes, model, penguins, regression
from tests.training.training import Training


@pytest.fixture(scope="module")
def training(tmp_path_factory, mlflow_server):
    training = Training(
        diabetes(), regression(), tmp_path_factory.mktemp("diabetes"), mlflow_server
    )
    training.record = training.all().record
    return training


def kth_smallest(errors, level):
    """By the definition; `level` in hundredths."""
    place = -(-(len(errors) + 1) * level // 100)
    return np.sort(np.abs(errors))[place - 1]


def test_half_widths_come_from_the_validation_rows(training):
    features, target = read_part(training.workspace, "validation")
    said = load_predictor(training.record, tracking=training.tracking).predict(features)
    found = training.record.interval
    assert found.rows == len(target)
    for level in (50, 80, 90, 95):
        expected = kth_smallest(target - said.values, level)
        assert found.half_width(level / 100) == pytest.approx(expected)


def test_coverage_of_the_test_rows_is_a_metric_of_the_run(training):
    features, target = read_part(training.workspace, "test")
    said = load_predictor(training.record, tracking=training.tracking).predict(features)
    metrics = training.tracking.client.get_run(training.planned.sweep.parent_run_id).data.metrics
    for level in (0.8, 0.9, 0.95):
        width = training.record.interval.half_width(level)
        share = np.mean((target >= said.values - width) & (target <= said.values + width))
        assert metrics[f"test_interval_{level}_coverage"] == pytest.approx(share)
        assert share == pytest.approx(level, abs=0.1)
    assert not any("interval" in name for name in training.record.metrics)


def test_with_folds_each_row_is_measured_by_a_model_that_has_not_learned_from_it(
    tmp_path, mlflow_server
):
    config = regression(split={"test": 0.2, "validation": {"folds": 5}})
    training = Training(diabetes(), config, tmp_path, mlflow_server)
    training.plan()
    evaluated = training.evaluate(0)
    tested = training.test(training.select([evaluated]))
    said = read_predictions(evaluated.fit.folds, tmp_path)
    truth, _ = measured_rows(tmp_path)
    errors = np.concatenate([a - b.values for a, b in zip(truth, said, strict=True)])
    assert tested.interval.rows == len(errors) == len(read_part(tmp_path, "train")[1])
    assert tested.interval.half_width(0.9) == pytest.approx(kth_smallest(errors, 90))


def test_classification_has_none(tmp_path, mlflow_server):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    assert training.all().record.interval is None
