"""A training run that did not get to its end, and the next one, which goes on with what it has trained."""

import shutil

import pytest
import sklearn

from factory.training import kept_sweeps
from factory.training.kept_sweeps import (
    forget_models_of_others,
    keep_models,
    take_over_models,
)
from factory.training.trial_batch import train_batch
from tests.training.models import model, penguins
from tests.training.training import Training

SEARCH = {
    "strategy": "grid",
    "candidates": [
        {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": [0.1, 1.0]}}
    ],
}


@pytest.fixture
def broken_off(tmp_path, mlflow_server) -> Training:
    """A run with two trials, of which the first was trained and measured."""
    training = a_run(tmp_path / "runs" / "one", mlflow_server, run_id="one")
    training.plan()
    training.trials.train(training.planned.trials[0])
    return training


def a_run(folder, uri, *, run_id: str, rows=None, name: str | None = None) -> Training:
    folder.mkdir(parents=True)
    named = {} if name is None else {"name": name}
    return Training(rows or penguins(), model(search=SEARCH), folder, uri, run_id=run_id, **named)


def go_on(training: Training) -> None:
    """The next run, from its beginning to the end of its trials."""
    folder = training.workspace
    take_over_models(folder, [one for one in folder.parent.iterdir() if one != folder])
    planned = training.plan()
    forget_models_of_others(folder, training.model.packages)
    train_batch([(training.trials, one) for one in planned.trials])


def next_run(before: Training, **changes) -> Training:
    folder = before.workspace.parent / "two"
    return a_run(folder, before.uri, run_id="two", name=before.name, **changes)


def test_next_run_trains_what_is_missing_and_measures_all(broken_off, fits):
    assert keep_models(broken_off.workspace, broken_off.model.packages)
    kept = {file.name for file in broken_off.workspace.rglob("*") if file.is_file()}
    assert kept == {"0.joblib", "0.fit.json", "kept.json"}
    training = next_run(broken_off)
    go_on(training)
    assert fits == [training.planned.trials[1].name]
    runs = training.tracking.client.search_runs(
        [training.planned.sweep.experiment_id],
        f"tags.`mlflow.parentRunId` = '{training.planned.sweep.parent_run_id}'",
    )
    assert [run.data.tags.get("trained_in") for run in runs] in (["one", None], [None, "one"])
    assert all(run.data.metrics["f1_macro"] > 0.9 for run in runs)


def test_run_that_is_cleared_goes_on_with_its_own_models(broken_off, fits):
    keep_models(broken_off.workspace, broken_off.model.packages)
    go_on(broken_off)
    assert fits == [broken_off.planned.trials[1].name]


@pytest.mark.parametrize("changed", ["rows", "code", "configuration"])
def test_nothing_is_kept_of_other_rows_code_or_configuration(
    broken_off, fits, monkeypatch, changed
):
    keep_models(broken_off.workspace, broken_off.model.packages)
    rows = penguins().slice(1) if changed == "rows" else None
    training = next_run(broken_off, rows=rows)
    if changed == "code":
        monkeypatch.setattr(kept_sweeps, "_code_of", lambda _: "another version")
    if changed == "configuration":
        training.run = type(training.run)(**{**vars(training.run), "config_hash": "another"})
    go_on(training)
    assert len(fits) == 2


def test_run_that_has_trained_nothing_leaves_nothing(tmp_path, mlflow_server):
    training = a_run(tmp_path / "one", mlflow_server, run_id="one")
    training.plan()
    assert not keep_models(training.workspace, training.model.packages)


def test_ones_own_code_is_told_by_its_files_and_a_library_by_its_version(tmp_path, monkeypatch):
    package = tmp_path / "our_estimators"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    before = kept_sweeps._code_of("our_estimators")
    (package / "trees.py").write_text("LEAVES = 3\n")
    assert kept_sweeps._code_of("our_estimators") != before
    shutil.rmtree(package)
    assert kept_sweeps._code_of("sklearn") == sklearn.__version__
