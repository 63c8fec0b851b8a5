"""Whatever `factory validate` accepts of `dags` is built and stored by Airflow, and nothing ends in a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pendulum
import pytest
import yaml
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from factory.airflow.build import build
from factory.base.answers import answer_here
from factory.documents.compile import compile_team
from factory.documents.installation import Installation
from factory.team.dag_questions import dag_questions
from factory.team.problems import Problem, ReadFailed
from factory.team.reader import TeamFile
from tests.airflow.random_dags import Dag, RandomDags
from tests.team.folder import Folder
from tests.team.test_fuzz import mutate_lines

HEAD = {"version": 1, "team": "marine", "owner": "marine@example.org"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "configs").mkdir()
    found = Folder(tmp_path)
    found.write("_defaults", "python_packages: [tests]\noperators: ['*']\n")
    return found


def written(dag: Dag) -> str:
    """A team's file that has the DAG."""
    return yaml.safe_dump({**HEAD, "dags": {"tidy": dag}}, allow_unicode=True, sort_keys=False)


def problems(folder: Folder, text: str) -> tuple[TeamFile | None, list[Problem]]:
    """What `factory validate` says, asked in this process, and the file if it can be read."""
    folder.write("marine", text)
    try:
        file = folder.read()
    except ReadFailed as failed:
        return None, list(failed.problems)
    return file, list(_answered(file))


def _answered(file: TeamFile) -> Iterator[Problem]:
    for question in dag_questions(file):
        for finding in question.tell(answer_here(question.function, question.argument)):
            yield file.layers.locate(finding)


def store(file: TeamFile) -> None:
    """Build the DAGs as Airflow does when it parses them, and store, read and plan them as the scheduler does."""
    installation = Installation("/lake", "/scratch", file.platform.project)
    for dag_id, document in compile_team(file.team, installation).items():
        _store(build(dag_id, document))


def _store(dag: DAG) -> None:
    dag.validate()
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    read = DagSerialization.from_dict(stored)
    assert set(read.task_dict) == set(dag.task_dict)
    since = pendulum.datetime(2024, 1, 1)
    read.timetable.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=since, latest=None, catchup=False),
    )


def look_at(folder: Folder, seed: int) -> bool:
    """Look at a right DAG, or at a mutation of one or of its text; True where that is refused."""
    dags = RandomDags(seed)
    dag = dags.right()
    is_right = seed % 5 == 0
    text = written(dag if is_right else dags.mutated(dag))
    if seed % 5 == 1:
        text = mutate_lines(written(dag), dags.dice)
    file, found = problems(folder, text)
    refused = [problem for problem in found if not problem.is_warning]
    assert not (is_right and refused), f"seed {seed}: {refused}"
    lines = len(text.replace("\r", "\n").splitlines()) + 1
    for problem in found:
        assert 1 <= problem.line <= lines, f"seed {seed}: {problem}"
    if not refused:
        assert file is not None
        try:
            store(file)
        except Exception as error:
            raise AssertionError(f"seed {seed}: accepted, and not stored") from error
    return bool(refused)


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(500), id="500"),
        pytest.param(range(500, 5500), id="5000", marks=pytest.mark.nightly),
    ],
)
def test_accepted_dags_are_stored_by_airflow(folder: Folder, seeds: range) -> None:
    refused = sum(look_at(folder, seed) for seed in seeds)
    assert 0.3 < refused / len(seeds) < 0.8
