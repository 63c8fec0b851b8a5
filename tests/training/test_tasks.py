import re
from typing import get_args

import pyarrow as pa
import pytest

from factory import kinds
from factory.base.errors import TerminalError
from factory.training.learning_task import TaskName
from factory.training.split import read_part, split
from factory.training.tasks import TASKS
from tests.training.models import anomaly, unlabelled


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


def labels(values):
    return pa.chunked_array([values])


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ([True, False, True], None),
        ([1, 0, 1], None),
        ([1.0, 0.0, 1.0], None),
        (["attack", "normal", "attack"], "attack"),
        ([7, 3, 7], 7),
        ([False, True, False], False),
    ],
)
def test_labels_of_anomalies_become_truth_values(values, positive):
    found = TASKS["anomaly"].prepare_target("label", labels(values), positive)
    assert found.to_pylist() == [True, False, True]


@pytest.mark.parametrize(
    ("values", "positive", "words"),
    [
        (["attack", "normal"], None, "add `positive: attack` to the model"),
        ([3, 7], None, "'label' holds 3, 7, which do not say what is an anomaly"),
        (
            ["attack", "normal"],
            "odd",
            "'label' has no label 'odd': write one of 'attack', 'normal'",
        ),
        (["a", "b", "c"], "a", "has 3 labels ('a', 'b', 'c')"),
        ([False, False], None, "none of the rows is an anomaly"),
        ([1, 1], None, "all are"),
        ([0.5, 1.0], None, "'label' holds fractions, which are not classes"),
    ],
)
def test_labels_that_do_not_say_what_an_anomaly_is_are_refused(values, positive, words):
    with pytest.raises(TerminalError, match=re.escape(words)):
        TASKS["anomaly"].prepare_target("label", labels(values), positive)


def test_each_task_says_what_becomes_of_a_target():
    learns = {name for name, task in TASKS.items() if task.learns_target}
    assert learns == {
        *("classification", "regression", "forecasting", "ranking"),
        *("multilabel", "multioutput_regression"),
    }


def test_a_model_without_target_names_none_anywhere():
    section = unlabelled()
    assert (section.target_columns, section.absent_target, section.counted_class) == ((), {}, None)
    assert section.split_method == "random"
    assert anomaly().split_method == "stratified"
    assert anomaly().absent_target == {"label": "VARCHAR"}
    assert (section.task_in_words, anomaly().task_in_words) == (
        "anomaly",
        "anomaly measured by `label`",
    )


def test_rows_without_a_label_are_left_out_only_where_there_is_a_target(tmp_path):
    rows = pa.table({"x": [*range(200)], "label": ["malignant", *["benign"] * 99] * 2})
    rows = rows.set_column(1, "label", pa.array([None, *rows.column("label").to_pylist()[1:]]))
    with_target = split(rows, anomaly(guard={"rare_classes": "train"}), tmp_path / "labelled")
    assert with_target.dropped == 1
    without = split(rows.drop_columns(["label"]), unlabelled(), tmp_path / "unlabelled")
    assert (without.dropped, sum(without.rows.values()), without.classes) == (0, 200, {})
    assert read_part(tmp_path / "unlabelled", "train")[1] is None
