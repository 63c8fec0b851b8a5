"""`factory-train` by SageMaker's contract: folders in, folders and an exit code out."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from factory.training.backends import entry_point
from factory.training.backends.job_files import (
    JobSettings,
    given_files,
    hyperparameters,
    read_trial,
    write_settings,
)
from factory.training.backends.job_layout import BASE_VARIABLE, JobLayout
from factory.training.split import read_part, split
from factory.training.trial import fit
from tests.training.backends.run import LOCAL, SLOW, TREE, a_run
from tests.training.models import model, one_trial, penguins

LOGISTIC = "sklearn.linear_model.LogisticRegression"

FACTORY_TRAIN = [sys.executable, "-m", "factory.training.backends.entry_point"]


def container(folder: Path, estimator: str = TREE, **params: object) -> JobLayout:
    """The folders of a training container, as SageMaker makes them."""
    run = a_run(folder, LOCAL, "file:///lake", estimator, **params)
    layout = JobLayout(folder / "opt" / "ml")
    layout.make(hyperparameters(run.trials[0]))
    layout.channel("split").symlink_to(run.workspace / "split")
    layout.channel("settings").symlink_to(run.workspace / "jobs" / "settings")
    return layout


def environment(layout: JobLayout) -> dict[str, str]:
    return {**os.environ, BASE_VARIABLE: str(layout.base)}


def train(layout: JobLayout) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        FACTORY_TRAIN, env=environment(layout), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_trained_model_lies_in_the_model_folder(tmp_path):
    layout = container(tmp_path, max_depth=2)
    done = train(layout)
    assert (done.returncode, layout.failure.exists()) == (0, False)
    left = sorted(file.name for file in layout.model.iterdir())
    assert left[-1] == "fit.json"
    assert left[0].startswith("0.")
    assert json.loads((layout.model / "fit.json").read_text())["fit"]["trial"]["index"] == 0


def test_job_fits_as_the_task_would(tmp_path):
    rows = penguins()
    rows = rows.append_column("w", pa.array(range(rows.num_rows)))
    config = model(weights="w", class_weight="balanced", search=one_trial(LOGISTIC))
    divided = split(rows, config, tmp_path)
    [trial] = config.expand()
    settings = JobSettings(model=config.as_trained(), split=divided, processors="own")
    layout = JobLayout(tmp_path / "opt" / "ml")
    layout.make(hyperparameters(trial))
    layout.channel("split").mkdir()
    for file in given_files(tmp_path):
        (layout.channel("split") / file.name).symlink_to(file)
    layout.channel("settings").symlink_to(write_settings(settings, tmp_path).parent)
    entry_point.train(layout)

    fitted = fit(trial, divided, config, tmp_path)
    trainer, (features, _) = config.trainer(LOGISTIC), read_part(tmp_path, "test")
    here, there = (
        trainer.predict(trainer.load(file), features).probabilities
        for file in (tmp_path / fitted.model_file, layout.model / "0.joblib")
    )
    np.testing.assert_array_equal(here, there)


@pytest.mark.slow
def test_refusal_leaves_its_reason_and_exit_code_2(tmp_path):
    layout = container(tmp_path, max_depth=-1)
    assert train(layout).returncode == 2
    assert layout.failure.read_text().startswith("TerminalError: trial 0")
    assert list(layout.model.iterdir()) == []


@pytest.mark.slow
def test_failure_that_may_pass_has_exit_code_1(tmp_path):
    layout = container(tmp_path, "tests.training.backends.estimators.Unlucky")
    assert train(layout).returncode == 1
    assert layout.failure.read_text() == "the moon is in the wrong house"


@pytest.mark.slow
def test_missing_input_is_named(tmp_path):
    layout = JobLayout(tmp_path)
    done = train(layout)
    assert done.returncode == 2
    assert "hyperparameters.json cannot be read" in layout.failure.read_text()


def test_a_job_reads_the_trial_that_it_was_given_its_transformers_included():
    tfidf = "sklearn.feature_extraction.text.TfidfVectorizer"
    entry = {
        "columns": ["note"],
        "steps": [{"transformer": tfidf, "params": {"ngram_range": [1, 2], "max_df": 0.5}}],
    }
    for preprocessing in (None, [entry, {"columns": "rest", "steps": "drop"}]):
        config = model(preprocessing=preprocessing, search=one_trial(TREE, max_depth=2))
        [trial] = config.expand()
        assert read_trial(hyperparameters(trial)) == trial
    assert set(hyperparameters(trial)) == {
        "index",
        "name",
        "estimator",
        "params",
        "preprocessing__note__tfidfvectorizer",
    }


def test_reason_is_no_longer_than_sagemaker_keeps(tmp_path):
    layout = JobLayout(tmp_path)
    layout.fail("x" * 5000)
    assert len(layout.failure.read_text()) == 1024


@pytest.mark.slow
def test_process_that_is_asked_to_end_does_so_and_leaves_no_model(tmp_path):
    begun = tmp_path / "begun"
    layout = container(tmp_path, SLOW, gate=str(tmp_path / "gate"), begun=str(begun))
    with subprocess.Popen(
        FACTORY_TRAIN, env=environment(layout), stdout=subprocess.PIPE, text=True
    ) as process:
        while not begun.exists():
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
    assert "SIGTERM" in layout.failure.read_text()
    assert list(layout.model.iterdir()) == []
