"""DAGs in Python name datasets and models as team files do."""

import re
import shutil
from pathlib import Path

import pytest
from airflow.sdk import DAG, Asset

from factory.airflow.load import load_all

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("FACTORY_CONFIGS", "FACTORY_STORAGE", "FACTORY_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    (tmp_path / "dags").mkdir()
    return tmp_path


def parsed(project: Path, text: str) -> dict[str, DAG]:
    """The DAGs of a file of this text, as Airflow reads it."""
    file = project / "dags" / "own.py"
    namespace = {"__file__": str(file)}
    exec(compile(text, str(file), "exec"), namespace)
    return {name: value for name, value in namespace.items() if isinstance(value, DAG)}


def assets_of(dag: DAG) -> list[Asset]:
    return list(dag.timetable.asset_condition.objects)


def test_a_dag_in_python_is_started_by_the_assets_that_teams_emit(project):
    text = """
from airflow.sdk import DAG
from factory import dataset, model
dag = DAG(
    "own", schedule=[dataset("marine.penguins"), dataset("ecology.species_predictions"), model("ecology.species")]
)
"""
    started_by = assets_of(parsed(project, text)["dag"])
    teams = load_all(project / "configs")
    emitted = {outlet for dag in teams.values() for task in dag.tasks for outlet in task.outlets}
    assert len(started_by) == 3
    for asset in started_by:
        assert any((asset.name, asset.uri) == (one.name, one.uri) for one in emitted)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('dataset("marine.penguin")', "did you mean `marine.penguins`?"),
        ('dataset("marin.penguins")', "there is no team 'marin': did you mean `marine`?"),
        ('dataset("penguins")', "write `team.name`, such as 'marine.penguins'"),
        (
            'model("ecology.specie")',
            "team ecology has no model 'ecology.specie': did you mean `ecology.species`?",
        ),
        ('model("marine.penguins")', "team marine has no model 'marine.penguins': it has none"),
    ],
)
def test_a_wrong_name_says_what_to_write(project, call, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parsed(project, f"from factory import dataset, model\nasset = {call}\n")


def test_a_team_whose_file_has_problems_shows_them(project):
    file = project / "configs" / "marine.yaml"
    file.write_text(file.read_text().replace("checks:", "cheks:", 1))
    with pytest.raises(ValueError, match=r"marine.yaml:\d+:\d+: .*cheks"):
        parsed(project, 'from factory import dataset\nasset = dataset("marine.penguins")\n')
