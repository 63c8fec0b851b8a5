"""A project of two teams, a copy of it as it was before, and its repository."""

import shutil
import subprocess
from pathlib import Path

import pytest

DEFAULTS = """\
version: 1
python_packages: [sklearn]
operators: [airflow.providers.standard.operators.empty.EmptyOperator]
"""
SEA = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    description: All catches.
    source: {type: csv, path: data/catches.csv}
    transforms: [{type: sql, file: clean.sql}]
    share_with: [lab]
"""
LAB = """\
version: 1
team: lab
owner: lab@example.org
models:
  species:
    description: Which fish?
    task: classification
    train_on: sea.catches
    target: species
    search:
      strategy: grid
      candidates: [{estimator: sklearn.linear_model.LogisticRegression, params: {C: [0.1, 1.0]}}]
    objective: {metric: f1_macro}
    predict: {input: sea.catches}
    monitor: {}
    deploy: {type: process}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FACTORY_STORAGE", "FACTORY_ENVIRONMENT", "FACTORY_CONFIGS", "FACTORY_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "project"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "_defaults.yaml").write_text(DEFAULTS)
    (folder / "configs" / "sea.yaml").write_text(SEA)
    (folder / "configs" / "lab.yaml").write_text(LAB)
    (folder / "clean.sql").write_text("select * from source")
    shutil.copytree(folder, tmp_path / "before")
    return folder


def change(project: Path, file: str, old: str, new: str) -> None:
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def repository(project: Path) -> Path:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", "-C", project, *who, *arguments], check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "All")
    git("tag", "v1")
    return project
