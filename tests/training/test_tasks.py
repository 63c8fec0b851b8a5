from typing import get_args

import pytest

from factory import kinds
from factory.training.learning_task import TaskName
from factory.training.tasks import TASKS


def test_every_task_has_one_object_and_metrics():
    assert tuple(TASKS) == get_args(TaskName)
    assert all(task.name == name and task.metrics for name, task in TASKS.items())


@pytest.mark.parametrize("kind", kinds.builtin(kinds.METRIC), ids=lambda kind: kind.name)
def test_every_built_in_metric_is_for_a_known_task(kind):
    assert kind.target.name == kind.name
    assert set(kind.target.tasks) <= set(TASKS)


def test_predictions_of_classes_have_a_probability_and_those_of_numbers_none():
    assert TASKS["classification"].prediction_columns.keys() == {"prediction", "probability"}
    assert TASKS["regression"].prediction_columns.keys() == {"prediction"}
