"""Predictions as JSON, and predictions that make no sense."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from factory.serving.answers import answer, answer_together, form_of
from factory.serving.loading import nonsense
from factory.trainers.trainer import Predictions
from factory.training.tasks import TASKS

CLASSES = np.array(["a", "b"])


def classified(values=("a", "b"), probabilities=((0.75, 0.25), (0.5, 0.5))):
    found = None if probabilities is None else np.array(probabilities)
    return Predictions(np.array(values), found, CLASSES)


def test_a_classification_answers_with_the_probability_of_each_class():
    assert json.loads(answer("t.m", 3, classified())) == {
        "model": "t.m",
        "version": 3,
        "predictions": ["a", "b"],
        "probabilities": [{"a": 0.75, "b": 0.25}, {"a": 0.5, "b": 0.5}],
    }


def test_an_estimator_without_probabilities_answers_with_classes_alone():
    assert "probabilities" not in json.loads(answer("t.m", 3, classified(probabilities=None)))


def test_a_number_that_is_not_finite_is_null():
    found = json.loads(answer("t.m", 1, Predictions(np.array([1.5, np.nan, np.inf]))))
    assert found["predictions"] == [1.5, None, None]


def test_a_body_that_breaks_its_reader_takes_no_other_answer_away():
    class Contract:
        def parse(self, body):
            if body == b"bad":
                raise MemoryError
            return [{"x": 1}]

        def is_one(self, body):
            return False

    version = SimpleNamespace(uri="models:/t.m/1", model="t.m", number=1)
    served = SimpleNamespace(
        contract=Contract(),
        version=version,
        predict=lambda rows: Predictions(np.array([1.5] * len(rows))),
    )
    bad, good = answer_together(served, [b"bad", b"good"])
    assert (bad.status_code, json.loads(good.body)["predictions"]) == (500, [1.5])


@pytest.mark.parametrize(
    ("classes", "keys"), [([True, False], ["true", "false"]), ([3, 4], ["3", "4"])]
)
def test_classes_keep_their_type_and_their_keys_are_json(classes, keys):
    known = np.array(classes)
    found = json.loads(answer("t.m", 1, Predictions(known, np.eye(2), known)))
    assert found["predictions"] == classes
    assert list(found["probabilities"][0]) == keys


@pytest.mark.parametrize(
    "predictions",
    [
        classified(),
        classified(probabilities=None),
        classified(probabilities=np.float32([[1 / 3, 2 / 3], [1, 0]])),
        Predictions(np.array([1.0, -2.0])),
        Predictions(np.array([1, 2])),
    ],
)
def test_sensible_predictions_are_no_nonsense(predictions):
    assert nonsense(predictions, 2) is None


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        (Predictions(np.array([1.0])), "shape"),
        (Predictions(np.array([1.0, np.nan])), "not finite"),
        (Predictions(np.array([1.0, np.inf])), "not finite"),
        (Predictions(np.array(["a", "b"])), "no numbers"),
        (classified(values=("a", "c")), "does not know"),
        (classified(probabilities=((np.nan, 1), (0.5, 0.5))), "outside of 0 to 1"),
        (classified(probabilities=((-0.5, 1.5), (0.5, 0.5))), "outside of 0 to 1"),
        (classified(probabilities=((0.5, 0.1), (0.5, 0.5))), "add up to 1"),
        (classified(probabilities=((1.0,), (1.0,))), "shape"),
    ],
)
def test_nonsense_is_told(predictions, said):
    assert said in nonsense(predictions, 2)


def test_a_detector_answers_with_the_score_of_each_row():
    said = Predictions(
        np.array([False, True]),
        classes=np.array([False, True]),
        columns={"score": np.array([-0.5, np.inf])},
    )
    assert nonsense(said, 2) is None
    assert json.loads(answer("t.m", 1, said)) == {
        "model": "t.m",
        "version": 1,
        "predictions": [False, True],
        "score": [-0.5, None],
    }


def test_clusters_answer_with_the_distance_to_their_centre_where_they_have_one():
    said = Predictions(
        np.array([0, 2]), classes=np.array([2, 0]), columns={"distance": np.array([1.5, 0.5])}
    )
    assert nonsense(said, 2) is None
    found = json.loads(answer("t.m", 1, said))
    assert (found["predictions"], found["distance"]) == ([0, 2], [1.5, 0.5])
    mixed = Predictions(np.array([0, 2]), np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([2, 0]))
    assert json.loads(answer("t.m", 1, mixed))["probabilities"][0] == {"2": 0.2, "0": 0.8}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_the_answer_of_each_task_is_described_with_all_that_it_holds(task):
    fields = form_of(task).model_fields
    columns = {
        name for name in task.prediction_columns if name not in ("prediction", "probability")
    }
    said = "predictions" if task.step_column is None else "forecasts"
    assert {"model", "version", said, *columns} <= fields.keys()
