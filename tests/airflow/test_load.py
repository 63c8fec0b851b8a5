"""What cannot be built takes nothing else away, and is told by its DAG and reason."""

from pathlib import Path

import pytest

from tests.team.folder import MARINE, Folder, make_folder

EMPTY = "operator: airflow.providers.standard.operators.empty.EmptyOperator"
BASH = "operator: airflow.providers.standard.operators.bash.BashOperator"
DAGS = f"""\
dags:
  broken: {{tasks: {{a: {{{BASH}, bash_comand: x}}}}}}
  whole: {{tasks: {{a: {{{EMPTY}}}}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = make_folder(tmp_path)
    folder.write("marine", MARINE + DAGS)
    folder.write(
        "other", f"version: 1\nteam: other\nowner: a@b.c\n{DAGS.replace('broken', 'fine')}"
    )
    return folder


def test_dag_that_fails_takes_itself_away_only(folder: Folder) -> None:
    from factory.airflow.load import load_all

    assert set(load_all(folder.configs)) == {
        "marine.penguins",
        "marine.species.train",
        "marine.whole",
        "other.whole",
    }


def test_dag_that_fails_is_told_with_its_reason_and_line(folder: Folder) -> None:
    from factory.airflow.load import TeamFilesError, raise_problems

    with pytest.raises(TeamFilesError) as raised:
        raise_problems(str(folder.project / "dags" / "config_errors.py"))
    text = str(raised.value)
    assert "marine.yaml:29:3: F058 the DAG marine.broken cannot be built" in text
    assert "other.yaml:5:3: F058 the DAG other.fine cannot be built" in text
    assert "missing keyword argument 'bash_command'" in text
    assert "marine.whole" not in text


def test_generated_dag_that_fails_takes_itself_away_only(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from factory.airflow import load

    build = load.build

    def refuse(dag_id: str, document: dict) -> object:
        if dag_id == "marine.penguins":
            raise ValueError("no such hook")
        return build(dag_id, document)

    monkeypatch.setattr(load, "build", refuse)
    assert "marine.species.train" in load.load_all(folder.configs)
    with pytest.raises(load.TeamFilesError, match=r"marine.yaml:6:3: F058 the DAG marine.penguins"):
        load.raise_problems(str(folder.project / "dags" / "config_errors.py"))
