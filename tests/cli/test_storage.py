"""The command line and a lake in S3."""

import json

import pytest
from typer.testing import CliRunner

from factory.base.errors import TerminalError
from factory.cli.main import app
from factory.cli.storage import check_storage, missing_extra
from factory.documents.installation import Installation
from factory.lake.storage import access
from factory.runtime.errors import EmbeddedRuntimeError
from factory.runtime.lake_access import reaching
from tests.harness.s3 import S3Server

TEAM = """\
version: 1
team: marine
owner: marine@example.org
datasets: {penguins: {source: {type: csv, path: data/penguins.csv}}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("FACTORY_STORAGE", raising=False)
    (tmp_path / "configs").mkdir()
    (tmp_path / "dags").mkdir()
    (tmp_path / "configs" / "_defaults.yaml").write_text(
        "version: 1\nstorage: s3://lake/prod\nstorage_connection: aws_lake\n"
    )
    (tmp_path / "configs" / "marine.yaml").write_text(TEAM)
    return tmp_path


@pytest.fixture
def without_boto3(monkeypatch):
    monkeypatch.setattr("factory.lake.storage.access.find_spec", lambda _: None)


@pytest.mark.parametrize("command", [["validate"], ["up"], ["run", "marine.penguins"]])
def test_missing_extra_is_said_before_anything_starts(project, without_boto3, command):
    done = CliRunner().invoke(app, [*command, "--project", str(project)])
    assert done.exit_code == 1
    assert 'storage at s3://lake/prod needs the extra `aws`: pip install "ml-dag-factory[aws]"' in (
        done.output
    )
    assert "Traceback" not in done.output
    assert not (project / ".factory").exists()


@pytest.mark.extras
def test_extra_that_is_there_is_not_missed(project):
    assert missing_extra(project) is None
    assert CliRunner().invoke(app, ["validate", "--project", str(project)]).exit_code == 0


def test_folder_needs_no_extra(project, without_boto3, monkeypatch):
    monkeypatch.setenv("FACTORY_STORAGE", ".factory/lake")
    check_storage(project)


def test_artifacts_in_s3_need_the_extra_too(project, without_boto3, monkeypatch):
    monkeypatch.setenv("FACTORY_STORAGE", ".factory/lake")
    monkeypatch.setenv("FACTORY_ARTIFACTS", "s3://lake/artifacts")
    with pytest.raises(EmbeddedRuntimeError, match=r"s3://lake/artifacts needs the extra `aws`"):
        check_storage(project)


def test_run_finds_the_connection_in_the_environment(project, s3: S3Server, monkeypatch):
    installation = Installation(
        "s3://lake/prod", "/scratch", project, storage_connection="aws_lake"
    )
    with (
        pytest.raises(TerminalError, match="no Airflow connection 'aws_lake'"),
        reaching(installation, project),
    ):
        pass
    connection = {"conn_type": "aws", "login": "AKIAX", "password": "a secret"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_LAKE", json.dumps(connection))
    with reaching(installation, project):
        assert access.current().connection == "aws_lake"
    assert access.current().connection is None


def test_bucket_that_is_missing_is_no_traceback(project, s3: S3Server):
    file = project / "configs" / "_defaults.yaml"
    file.write_text("version: 1\nstorage: s3://other/prod\n")
    (project / "configs" / "marine.yaml").write_text(
        TEAM + "models: {species: {task: classification, train_on: penguins, target: species, "
        "search: {strategy: list, trials: [{estimator: sklearn.dummy.DummyClassifier}]}, "
        "objective: {metric: accuracy}}}\n"
    )
    done = CliRunner().invoke(app, ["run", "marine.species", "--project", str(project)])
    assert done.exit_code == 1
    assert "there is no bucket 'other'" in done.output
    assert "Traceback" not in done.output
