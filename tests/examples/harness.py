"""The project of examples/teams in a folder of its own, and what a run of it came to."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from factory.base.section import qualify
from factory.catalog import read_all
from factory.lake.table import Lake
from factory.training.rows import model_rows
from factory.training.split import read_part, split
from tests.harness.project import REPOSITORY, call_factory

EXAMPLES = REPOSITORY / "examples" / "teams"

Rows = tuple[pd.DataFrame, NDArray[Any]]


@dataclass(frozen=True)
class Example:
    """A model of examples/teams that `factory run` has trained."""

    project: Path
    name: str
    """The full name, `team.model`."""
    printed: str
    """What the command has said."""

    @cached_property
    def champion(self) -> Mapping[str, Any]:
        """The version that is in production, as `factory champion --json` tells of it."""
        done = call_factory(self.project, "champion", self.name, "--json")
        (found,) = [one for one in json.loads(done.stdout) if "champion" in one["aliases"]]
        return found

    @property
    def snapshots(self) -> Mapping[str, int]:
        """The version of each dataset that the champion has learned from."""
        return self.champion["snapshots"]

    @property
    def tested(self) -> Mapping[str, float]:
        """The champion's metrics on the test rows, by name."""
        return {
            name.removeprefix("test_"): value
            for name, value in self.champion["metrics"].items()
            if name.startswith("test_")
        }

    @cached_property
    def params(self) -> Mapping[str, str]:
        """The champion's hyperparameters, as MLflow has them."""
        database = self.project / ".factory" / "mlflow" / "mlflow.db"
        client = MlflowClient(f"sqlite:///{database}")
        version = client.get_model_version_by_alias(self.name, "champion")
        return client.get_run(version.tags["trial_run"]).data.params

    def part(self, *parts: str) -> Rows:
        """The rows of some parts of the split, one below the other, with the model's transforms applied."""
        found = [read_part(self._divided, part) for part in parts]
        target = np.concatenate([target for _, target in found])
        return pd.concat([rows for rows, _ in found], ignore_index=True), target

    @cached_property
    def _divided(self) -> Path:
        team, _, name = self.name.partition(".")
        model = read_all(self.project / "configs", "dev").teams[team].team.models[name]
        workspace = self.project / "split" / f"{self.name} {self.champion['version']}"
        workspace.mkdir(parents=True)
        rows = model_rows(
            [qualify(one, team) for one in model.train_on.datasets],
            model.transforms,
            workspace=workspace,
            lake=Lake((self.project / ".factory" / "lake").as_uri()),
            versions=self.snapshots,
        )
        split(rows, model, workspace)
        return workspace


@dataclass
class Teams:
    """The project, and the models that have been trained in it."""

    project: Path
    environment: dict[str, str] = field(default_factory=dict)
    """For the command."""

    def make_data(self, *arguments: str) -> None:
        """Write files in data/, as a person does."""
        script = self.project / "make_data.py"
        subprocess.run([sys.executable, str(script), *arguments], check=True)

    def run(self, name: str) -> Example:
        """Train a model, after the datasets that it lacks."""
        done = self.call("run", name)
        assert done.returncode == 0, done.stdout + done.stderr
        return Example(self.project, name, done.stdout)

    def call(self, *arguments: str) -> Any:
        """Call `factory` for the project."""
        environment = {"PYTHONPATH": f"{self.project}:{REPOSITORY}", **self.environment}
        return call_factory(self.project, *arguments, environment=environment)


def make_teams(folder: Path) -> Teams:
    """A copy of examples/teams, without what a person has left there."""
    left = shutil.ignore_patterns(".factory", "data", "__pycache__")
    return Teams(shutil.copytree(EXAMPLES, folder, ignore=left))


def prepared(estimator: Any, rows: pd.DataFrame) -> Pipeline:
    """An estimator behind what docs/preprocessing.md says is done to numbers and texts by default."""
    numbers = list(rows.select_dtypes("number").columns)
    texts = [name for name in rows.columns if name not in numbers]
    one_hot = OneHotEncoder(
        max_categories=50, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), texts),
    )
    return make_pipeline(columns, estimator)
