"""What a lake in S3 adds to documents."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_one, compile_team
from factory.documents.installation import Installation
from factory.documents.team_dag import MAKE_BUCKET
from factory.team.team import PlatformConfig

PROJECT = Path(__file__).parents[2]


def platform(**values):
    return PlatformConfig.model_validate({"storage": "s3://lake/prod", **values})


def documents(installation: Installation) -> dict:
    read = read_all(PROJECT / "configs", "dev")
    return {
        dag_id: document
        for file in read.teams.values()
        for dag_id, document in compile_team(file.team, installation).items()
    }


def test_every_task_is_told_the_connection_and_no_document_holds_a_secret():
    installation = Installation.of(platform(storage_connection="aws_lake"), PROJECT, {})
    made = documents(installation)
    assert made
    for document in made.values():
        assert document["default_args"]["shared"]["storage_connection"] == "aws_lake"
        assert MAKE_BUCKET not in document["tasks"]


def test_bucket_is_made_before_anything_else_if_asked_to():
    for document in documents(Installation.of(platform(create_bucket=True), PROJECT, {})).values():
        tasks = document["tasks"]
        assert next(iter(tasks)) == MAKE_BUCKET
        assert document["default_args"]["shared"]["storage"] == "s3://lake/prod"
        assert tasks[MAKE_BUCKET]["decorator"].endswith(".setup")
        assert tasks["open_workspace"]["dependencies"] == [MAKE_BUCKET]
        first = [name for name, task in tasks.items() if not task.get("dependencies")]
        assert first == [MAKE_BUCKET]


def test_one_dag_alone_is_the_same_as_among_all():
    installation = Installation.of(
        platform(storage_connection="x", create_bucket=True), PROJECT, {}
    )
    read = read_all(PROJECT / "configs", "dev")
    for file in read.teams.values():
        for dag_id, document in compile_team(file.team, installation).items():
            assert compile_one(file.team, dag_id, installation) == document


@pytest.mark.parametrize("storage", [".factory/lake", "file:///data/lake"])
def test_folder_needs_neither_connection_nor_bucket(storage):
    asked = platform(storage_connection="aws_lake", create_bucket=True)
    installation = Installation.of(asked, PROJECT, {"FACTORY_STORAGE": storage})
    assert installation.storage_connection is None
    assert not installation.create_bucket
    assert documents(installation) == documents(
        Installation(installation.storage, installation.workspace, PROJECT)
    )


def test_environment_wins_over_the_platforms_file():
    found = Installation.of(
        platform(storage_connection="one"),
        PROJECT,
        {"FACTORY_STORAGE": "s3://other", "FACTORY_STORAGE_CONNECTION": "two"},
    )
    assert found.storage == "s3://other"
    assert found.storage_connection == "two"
