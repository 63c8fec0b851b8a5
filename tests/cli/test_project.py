"""What names on the command line mean, and what a run needs first."""

from pathlib import Path

import pytest
import typer

from factory.catalog import Project, read_all
from factory.cli.project import dag_of
from factory.cli.run import missing_datasets
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import rows_of
from tests.team.folder import Folder, make_folder

SEA = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  raw: {source: {type: csv, path: data/a.csv}}
  catches: {source: {type: dataset, dataset: raw}, share_with: [lab]}
"""

LAB = """\
version: 1
team: lab
owner: lab@example.org
datasets:
  haul: {source: {type: csv, path: data/b.csv}}
  landed: {source: {type: dataset, dataset: species_predictions}}
models:
  species:
    task: classification
    train_on: sea.catches
    target: species
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.LogisticRegression}]}
    objective: {metric: f1_macro}
    predict: {input: haul}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = make_folder(tmp_path)
    folder.write("_defaults", "storage: lake\npython_packages: [sklearn]\n")
    folder.write("sea", SEA)
    folder.write("lab", LAB)
    return folder


@pytest.fixture
def project(folder: Folder) -> Project:
    read = read_all(folder.configs, None)
    assert read.problems == ()
    return read


@pytest.mark.parametrize(
    ("name", "dag_id"),
    [
        ("lab.species", "lab.species.train"),
        ("lab.species.train", "lab.species.train"),
        ("lab.species.predict", "lab.species.predict"),
        ("lab.species_predictions", "lab.species.predict"),
        ("lab.landed", "lab.landed"),
    ],
)
def test_name_of_a_dataset_or_a_model_means_a_dag(project, name, dag_id):
    assert dag_of(project.teams["lab"], name) == dag_id


def test_misspelt_name_of_predictions_gets_a_suggestion(project, capsys):
    with pytest.raises(typer.Exit):
        dag_of(project.teams["lab"], "lab.species_prediction")
    assert "did you mean `lab.species_predictions`?" in capsys.readouterr().err


def test_datasets_that_were_never_published_are_produced_first(project, tmp_path):
    def needs(dag_id: str) -> list[str]:
        return missing_datasets(project, tmp_path, dag_id)

    assert needs("lab.species.train") == ["sea.raw", "sea.catches"]
    assert needs("lab.species.predict") == ["lab.haul"]
    assert needs("lab.landed") == ["lab.haul", "lab.species.predict"]


def test_datasets_that_were_published_are_not_produced_again(project, tmp_path):
    from factory.documents.installation import Installation
    from factory.lake.table import Lake

    lake = Lake(Installation.of(project.platform, tmp_path).storage)
    rows = rows_of("select 1 as id", tmp_path)
    publishing.publish(lake, "lab.species_predictions", rows.file, Write(), run_id="run")
    assert missing_datasets(project, tmp_path, "lab.landed") == []
