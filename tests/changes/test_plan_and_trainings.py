"""Whether a model comes out otherwise is what `factory plan` says: each change is trained, and what the models say is compared."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from factory.changes.plan import State, make_plan
from factory.models.predictor import load_predictor
from tests.changes.conftest import change
from tests.training.models import penguins
from tests.training.training import Training

TRAINS = "lab.species.train"
SPLIT = "split: {seed: 11}\n    monitor: {}"
AGAIN: Mapping[str, tuple[str, str]] = {
    "another value of a hyperparameter": ("C: [0.1, 1.0]", "C: [0.001]"),
    "fewer features": ("monitor: {}", "features: [body_mass_g, island]\n    monitor: {}"),
    "another seed of the split": ("monitor: {}", SPLIT),
    "another preprocessing": (
        "monitor: {}",
        "preprocessing: [{columns: numbers, steps: [sklearn.impute.SimpleImputer, sklearn.preprocessing.PowerTransformer]}]\n    monitor: {}",
    ),
    "weights by class": (
        "monitor: {}",
        "class_weight: {Adelie: 9, Gentoo: 1, Chinstrap: 1}\n    monitor: {}",
    ),
}
"""What makes another model of the same rows."""
NOT: Mapping[str, tuple[str, str]] = {
    "a description": ("Which fish?", "Which fish is it?"),
    "how many trials run at once": ("strategy: grid", "strategy: grid\n      parallel_trials: 4"),
    "how many trials share a task": ("strategy: grid", "strategy: grid\n      batch: 8"),
    "the monitor": ("monitor: {}", "monitor: {min_rows: 20}"),
    "who is asked": ("monitor: {}", "promotion: {approval: {assignees: [ada]}}\n    monitor: {}"),
    "another margin": (
        "monitor: {}",
        "promotion: {beat_champion: {absolute: 0.05}}\n    monitor: {}",
    ),
    "when it is trained": ("monitor: {}", "schedule: '@weekly'\n    monitor: {}"),
    "where it is deployed": (
        "{type: process}",
        "{type: process, url: 'http://models.example.org'}",
    ),
    "plots of each trial": ("monitor: {}", "trial_plots: true\n    monitor: {}"),
}
"""What does not."""


def answers(project: Path, folder: Path, uri: str, run: str) -> np.ndarray:
    """What the model says that the project trains on the penguins, with its probabilities."""
    model = State.of(project, project, "dev").section(TRAINS)
    training = Training(penguins(), model, folder / run, uri, run_id=run)
    training.workspace.mkdir()
    registered = training.all()
    predictor = load_predictor(registered.record, tracking=training.tracking)
    said = predictor.predict(penguins().to_pandas())
    return said.probabilities


@pytest.fixture(scope="module")
def trained_before(tmp_path_factory, mlflow_server):
    """The answers of the project as it was, trained once for all changes."""
    found: dict[str, np.ndarray] = {}

    def answered(project: Path) -> np.ndarray:
        if not found:
            folder = tmp_path_factory.mktemp("before")
            found["before"] = answers(project, folder, mlflow_server, "before")
        return found["before"]

    return answered


def effect(project: Path) -> str | None:
    before = State.of(project.parent / "before", project, "dev")
    changes = make_plan(before, State.of(project, project, "dev")).changes
    return next((one.effect for one in changes if one.dag_id == TRAINS), None)


@pytest.mark.parametrize("what", AGAIN)
def test_what_is_told_as_a_retraining_makes_another_model(
    project, tmp_path, mlflow_server, trained_before, what
):
    before = trained_before(project.parent / "before")
    change(project, "configs/lab.yaml", *AGAIN[what])
    assert effect(project) == "retrain"
    assert not np.array_equal(answers(project, tmp_path, mlflow_server, "now"), before)


@pytest.mark.parametrize("what", NOT)
def test_what_is_told_as_none_makes_the_same_model_to_the_last_bit(
    project, tmp_path, mlflow_server, trained_before, what
):
    before = trained_before(project.parent / "before")
    change(project, "configs/lab.yaml", *NOT[what])
    assert effect(project) != "retrain"
    assert np.array_equal(answers(project, tmp_path, mlflow_server, "now"), before)
