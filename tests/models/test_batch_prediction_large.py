"""Millions of rows through a model, in memory that does not grow with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of
from tests.harness.memory import REPOSITORY

PREDICT = """
import sys
from pathlib import Path

from tests.harness.memory import peak_kilobytes
from tests.models.records import record

import numpy as np
import pandas as pd
from mlflow.models import infer_signature

from factory.lake.table import Lake
from factory.models.predictor import Predictor
from factory.models.batch_prediction import PredictionForm, predict, prediction_rows
from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer

folder = Path(sys.argv[1])
features = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 8)), columns=list("abcdefgh"))
target = np.where(features.a > 0, "cod", "hake")
trainer = ScikitLearnTrainer("classification")
model = trainer.fit("sklearn.linear_model.LogisticRegression", {}, features, target, 0).model
signature = infer_signature(features, pd.Series(target))
predictor = Predictor(record("lab.species").with_signature(signature), model, trainer)
rows = prediction_rows(
    ["sea.catches"], (), absent={}, workspace=folder, lake=Lake((folder / "lake").as_uri()),
    versions={"sea.catches": 0},
)
file = folder / "predictions.parquet"
form = PredictionForm("classification", ("id",), 0)
made = predict(rows, predictor, form, batch_rows=50_000, file=file)
print(made.rows, peak_kilobytes() // 1024)
"""


def peak(rows: int, folder: Path) -> int:
    """Megabytes that a process takes at most that predicts so many rows."""
    columns = ", ".join(f"random() - 0.5 as {name}" for name in "abcdefgh")
    folder.mkdir()
    source = rows_of(f"select i as id, {columns} from range({rows}) t(i)", folder)
    publishing.publish(lake_in(folder), "sea.catches", source.file, Write(), run_id="run")
    command = [sys.executable, "-W", "ignore", "-c", PREDICT, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    predicted, megabytes = map(int, done.stdout.split())
    assert predicted == rows
    return megabytes


@pytest.mark.nightly
@pytest.mark.parametrize("millions", [3, 8])
def test_memory_does_not_grow_with_the_rows(tmp_path, millions):
    # A row group of a million rows, and what the libraries take, is in either; the rest are 72 MB a million.
    many = peak(millions * 1_000_000, tmp_path / "many")
    assert many - peak(1_000_000, tmp_path / "few") < (millions - 1) * 50
