import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from factory.trainers.trainer import Predictions
from factory.training.column_plots import save_columns
from factory.training.importance import Importance
from factory.training.plots import save_importances, save_plots
from factory.training.sweep_plots import save_sweep
from factory.training.tasks import TASKS
from tests.training.models import model
from tests.training.test_sweep import evaluation


def is_drawn(file):
    return len(np.unique(imread(file)[..., :3])) > 10


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_a_classification_has_a_confusion_matrix_and_curves(tmp_path, classes):
    random = np.random.default_rng(0)
    labels = np.array([f"class {n}" for n in range(classes)], dtype=object)
    likely = random.dirichlet(np.ones(classes), 400)
    predictions = Predictions(labels[likely.argmax(axis=1)], likely, labels)
    target = random.choice(labels, 400)
    files = save_plots(
        TASKS["classification"], "species", target, predictions, tmp_path, part="test"
    )
    assert [file.name for file in files] == [
        "confusion_matrix.png",
        "roc_curve.png",
        "precision_recall_curve.png",
        "calibration_curve.png",
    ]
    assert all(is_drawn(file) for file in files)


def test_without_probabilities_there_are_no_curves(tmp_path):
    labels = np.array(["a", "b"] * 9, dtype=object)
    files = save_plots(
        TASKS["classification"], "species", labels, Predictions(labels), tmp_path, part="test"
    )
    assert [file.name for file in files] == ["confusion_matrix.png"]


def test_test_rows_of_one_class_have_no_curves(tmp_path):
    labels = np.array(["a"] * 9, dtype=object)
    predictions = Predictions(labels, np.ones((9, 2)) / 2, np.array(["a", "b"], dtype=object))
    files = save_plots(
        TASKS["classification"], "species", labels, predictions, tmp_path, part="test"
    )
    assert [file.name for file in files] == ["confusion_matrix.png"]


def test_a_regression_has_residuals_and_predictions(tmp_path):
    target = np.arange(50.0)
    files = save_plots(
        TASKS["regression"], "target", target, Predictions(target + 1), tmp_path, part="test"
    )
    assert [file.name for file in files] == ["residuals.png", "predicted_vs_actual.png"]
    assert all(is_drawn(file) for file in files)


@pytest.mark.parametrize("trials", [1, 3, 200])
def test_a_sweep_is_drawn_whatever_its_size(tmp_path, trials):
    ranking = [evaluation(index, f1_macro=1 - index / 1000) for index in range(trials)]
    save_sweep(ranking, model(), tmp_path / "sweep.png")
    assert is_drawn(tmp_path / "sweep.png")
    assert imread(tmp_path / "sweep.png").shape[0] < 2000


@pytest.mark.parametrize("features", [1, 100])
def test_feature_importance_is_drawn_however_many_there_are(tmp_path, features):
    found = [Importance(f"feature {n}", 1 / (n + 1), 0.01) for n in range(features)]
    save_importances(found, "f1_macro", tmp_path / "feature_importance.png")
    assert is_drawn(tmp_path / "feature_importance.png")
    assert imread(tmp_path / "feature_importance.png").shape[0] < 2000


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.arange(50.0), id="numbers"),
        pytest.param(pd.array([1, None] * 25, dtype="Int64"), id="numbers and nulls"),
        pytest.param([1.0, np.inf] * 25, id="infinite"),
        pytest.param([np.inf] * 50, id="nothing finite"),
        pytest.param([None] * 50, id="nothing"),
        pytest.param([True, False] * 25, id="truth"),
        pytest.param(["yes", "no"] * 25, id="words"),
        pytest.param([f"customer {number}" for number in range(50)], id="names"),
        pytest.param([f"word {number} of many" for number in range(200)], id="sentences"),
        pytest.param(pd.date_range("2024-01-01", periods=50, tz="Europe/Berlin"), id="times"),
        pytest.param([{"a": 1}] * 50, id="mappings"),
    ],
)
def test_columns_of_every_type_are_drawn(tmp_path, values):
    rows = pd.DataFrame({"x": values})
    rows["y"] = rows.index % 2
    assert is_drawn(
        save_columns({"train": rows, "test": rows[:3]}, ["y", "x"], tmp_path / "columns.png")
    )


def test_of_many_columns_and_rows_some_are_drawn(tmp_path):
    rows = pd.DataFrame(np.zeros((100_001, 40)), columns=[f"c{number}" for number in range(40)])
    empty = rows[:0]
    file = save_columns({"train": rows, "test": empty}, list(rows.columns), tmp_path / "c.png")
    assert imread(file).shape[0] < 3000
