import numpy as np
import pytest
from sklearn import metrics

from factory.kinds import plugin_problems
from factory.trainers.trainer import Predictions
from factory.training.metrics import Metric, score
from factory.training.tasks import TASKS
from tests.plugins import installed

CLASSIFICATION, REGRESSION = (TASKS[name].metrics for name in ("classification", "regression"))
TRUTH = np.array(["a", "b", "c", "a", "b", "c"], dtype=object)
SAID = np.array(["a", "b", "b", "a", "c", "c"], dtype=object)
LIKELY = np.array(
    [[0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.1, 0.5, 0.4], [0.9, 0.1, 0], [0, 0.4, 0.6], [0, 0.2, 0.8]]
)
CLASSES = np.array(["a", "b", "c"], dtype=object)


def test_every_metric_of_a_classification_is_computed():
    scores = score(CLASSIFICATION, TRUTH, Predictions(SAID, LIKELY, CLASSES))
    assert list(scores.values) == [metric.name for metric in CLASSIFICATION]
    assert scores.values["accuracy"] == pytest.approx(4 / 6)
    assert scores.values["f1_macro"] == metrics.f1_score(TRUTH, SAID, average="macro")
    assert scores.values["roc_auc"] == metrics.roc_auc_score(TRUTH, LIKELY, multi_class="ovr")
    assert scores.values["log_loss"] == metrics.log_loss(TRUTH, LIKELY)
    assert scores.skipped == {}


def test_roc_auc_of_two_classes_takes_the_second_as_positive():
    truth = np.array(["no", "yes", "no", "yes"], dtype=object)
    likely = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5]])
    predictions = Predictions(truth, likely, np.array(["no", "yes"], dtype=object))
    assert score(CLASSIFICATION, truth, predictions).values["roc_auc"] == 0.75


def test_every_metric_of_a_regression_is_computed():
    truth, said = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    scores = score(REGRESSION, truth, Predictions(said))
    assert scores.values == pytest.approx(
        {
            "max_error": 2.0,
            "mean_absolute_error": 1.0,
            "mean_absolute_percentage_error": 1 / 3,
            "median_absolute_error": 1.0,
            "r2": metrics.r2_score(truth, said),
            "root_mean_squared_error": (5 / 3) ** 0.5,
        }
    )


def test_what_needs_probabilities_is_skipped_without_them():
    scores = score(CLASSIFICATION, TRUTH, Predictions(SAID, None, CLASSES))
    assert set(scores.skipped) == {"log_loss", "roc_auc"}
    assert "no `predict_proba`" in scores.skipped["roc_auc"]


def test_a_class_that_training_never_saw_skips_what_it_makes_undefined():
    truth = np.array(["a", "b", "z"], dtype=object)
    predictions = Predictions(SAID[:3], LIKELY[:3], CLASSES)
    scores = score(CLASSIFICATION, truth, predictions)
    assert scores.values["accuracy"] == pytest.approx(2 / 3)
    assert {"log_loss", "roc_auc"} <= set(scores.skipped)


def test_a_metric_that_is_not_a_number_is_skipped():
    scores = score(REGRESSION, np.array([1.0]), Predictions(np.array([1.0])))
    assert scores.skipped == {"r2": "it is nan for these rows"}


def test_a_metric_that_names_its_function_by_path_gets_its_options():
    metric = Metric(
        "f2", ("classification",), "maximize", "sklearn.metrics:fbeta_score",
        options={"beta": 2, "average": "macro"},
    )  # fmt: skip
    found = score([metric], TRUTH, Predictions(SAID)).values
    assert found == {"f2": metrics.fbeta_score(TRUTH, SAID, beta=2, average="macro")}
    assert metric.summary == "maximize for a classification; 0 to inf"


def test_a_plugin_s_metric_is_found_by_the_name_that_it_calls_itself(tmp_path):
    code = """
from factory.training.metrics import Metric
GAIN = Metric("gain", ("regression",), "maximize", "sklearn.metrics:r2_score")
"""
    with installed(tmp_path, "acme_gain", code, metric={"profit": "GAIN"}):
        [(place, problem)] = plugin_problems(["acme_gain"])
    assert place == 0
    assert "acme_gain:GAIN calls itself 'gain'" in problem.message
