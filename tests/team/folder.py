"""A project folder to write team files into."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from factory.catalog import Project, read_all
from factory.team.problems import ReadFailed
from factory.team.reader import TeamFile, read_platform, read_team


@dataclass(frozen=True)
class Folder:
    """A project with its folder `configs`."""

    project: Path

    @property
    def configs(self) -> Path:
        return self.project / "configs"

    def write(self, name: str, text: str) -> Path:
        path = self.configs / f"{name}.yaml"
        path.write_text(text)
        return path

    def read(self, name: str = "marine", environment: str | None = None) -> TeamFile:
        platform = read_platform(self.configs, environment)
        return read_team(self.configs / f"{name}.yaml", platform, environment)

    def problems(self, name: str = "marine", environment: str | None = None) -> list[str]:
        """The problems of one file, each as `file:line:column: message`."""
        with pytest.raises(ReadFailed) as failed:
            self.read(name, environment)
        return [
            f"{problem.file.name}:{problem.line}:{problem.column}: {problem.message}"
            for problem in failed.value.problems
        ]

    def read_all(self, environment: str | None = None) -> Project:
        return read_all(self.configs, environment)


def make_folder(project: Path) -> Folder:
    """A folder with nothing but a `_defaults.yaml`."""
    (project / "configs").mkdir()
    folder = Folder(project)
    folder.write("_defaults", "python_packages: [sklearn, palmerpenguins]\noperators: ['*']\n")
    return folder


MARINE = """\
version: 1
team: marine
owner: marine-data@example.org

datasets:
  penguins:
    schedule: "@daily"
    source: {type: python, call: palmerpenguins.load_penguins}
    checks:
      - {check: not_null, columns: [species, body_mass_g]}
      - {check: row_count, min: 300, on_fail: warn}

models:
  species:
    task: classification
    train_on: penguins
    target: species
    split: {test: 0.2, validation: 0.2, seed: 7}
    search:
      strategy: grid
      candidates:
        - estimator: sklearn.linear_model.LogisticRegression
          params: {C: [1e-1, 1.0, 10.0], max_iter: 1000}
        - estimator: sklearn.ensemble.RandomForestClassifier
          params: {n_estimators: [100, 300], max_depth: [4, null]}
      parallel_trials: 4
    objective: {metric: f1_macro, goal: maximize}
"""
"""A valid team file."""
