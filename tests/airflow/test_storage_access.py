"""Credentials of an Airflow connection: used by tasks, renewed, and shown by nothing."""

import json
import logging
import traceback

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from factory.airflow.operators import (
    BranchStepOperator,
    ShortCircuitStepOperator,
    StepOperator,
)
from factory.airflow.storage_access import access_of, aws_session, storage_access
from factory.base.errors import TerminalError
from factory.lake import publishing
from factory.lake.storage import access
from factory.lake.storage.errors import AccessDeniedError, StorageError
from factory.lake.table import Lake
from tests.data.rows import rows_of
from tests.harness.s3 import ACCESS_KEY, REGION, SECRET_KEY

DATASET = "marine.penguins"
OF_CONNECTION = "AKIACONNECTIONKEY001"
SECRET_OF_CONNECTION = "connection/planted+secret0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/lake"


@pytest.fixture
def connection(s3, monkeypatch):
    """Adds a connection `aws_lake`; the environment has no credentials of its own."""

    def add(conn_type="aws", login=OF_CONNECTION, **extra):
        value = {
            "conn_type": conn_type,
            "login": login,
            "password": SECRET_OF_CONNECTION,
            "extra": {"region_name": REGION, "endpoint_url": s3.endpoint, **extra},
        }
        monkeypatch.setenv("AIRFLOW_CONN_AWS_LAKE", json.dumps(value))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        s3.known_keys = {OF_CONNECTION}
        return "aws_lake"

    return add


def publish(tmp_path):
    from factory.lake.write import Write

    file = rows_of("select 1 as id", tmp_path, "rows").file
    return publishing.publish(Lake("s3://lake/a"), DATASET, file, Write(), run_id="first").snapshot


def test_lake_and_files_use_the_connections_credentials(connection, tmp_path):
    with storage_access(connection()):
        assert publish(tmp_path).version == 0
        assert Lake("s3://lake/a").newest(DATASET).rows == 1
        assert list(Lake("s3://lake/a").files.names("marine/penguins/_delta_log/"))
        assert access.current().region == REGION


def test_credentials_end_with_the_task(connection, tmp_path, monkeypatch):
    with storage_access(connection()):
        publish(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert access.current().connection is None


def test_connection_wins_over_the_environment(connection, tmp_path, monkeypatch):
    connection()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with storage_access("aws_lake"):
        assert publish(tmp_path).version == 0


def test_temporary_credentials_of_a_role_work_and_are_hidden(connection, s3, tmp_path, caplog):
    from airflow.sdk.log import redact

    connection(
        role_arn=ROLE,
        service_config={"sts": {"endpoint_url": s3.endpoint}, "s3": {"endpoint_url": s3.endpoint}},
    )
    with storage_access("aws_lake"):
        frozen = access.current().session.get_credentials().get_frozen_credentials()
        assert frozen.token
        assert frozen.access_key != OF_CONNECTION
        s3.known_keys = {frozen.access_key}
        assert publish(tmp_path).version == 0
        assert redact(f"{frozen.secret_key} {frozen.token}") == "*** ***"
    for secret in (frozen.secret_key, frozen.token, SECRET_OF_CONNECTION):
        assert secret not in caplog.text


def test_session_for_other_services_has_the_same_credentials(connection):
    session = aws_session(connection())
    assert session.get_credentials().access_key == OF_CONNECTION
    assert session.region_name == REGION


def test_wrong_key_names_connection_and_bucket_and_no_key(connection, s3, tmp_path, caplog):
    connection()
    s3.known_keys = {"another"}
    with caplog.at_level(logging.DEBUG, "factory"), pytest.raises(AccessDeniedError) as caught:  # noqa: SIM117
        with storage_access("aws_lake"):
            publish(tmp_path)
    message = str(caught.value)
    assert "the credentials of the Airflow connection 'aws_lake'" in message
    assert "bucket 'lake'" in message
    said = message + "".join(traceback.format_exception(caught.value)) + caplog.text
    assert OF_CONNECTION not in said
    assert SECRET_OF_CONNECTION not in said


def test_connection_that_is_missing_is_named_and_not_replaced_by_the_environment(s3):
    with pytest.raises(TerminalError, match=r"no Airflow connection 'elsewhere'.*connections add"):
        access_of("elsewhere")


def test_connection_of_another_type_is_refused(connection):
    with pytest.raises(TerminalError, match="is of type 'postgres': S3 needs one of type `aws`"):
        access_of(connection(conn_type="postgres"))


def test_role_that_may_not_be_assumed_is_refused_without_the_key(connection, s3):
    connection(role_arn=ROLE, service_config={"sts": {"endpoint_url": s3.endpoint}})
    s3.fail(lambda _: True, status="403 Forbidden", code="AccessDenied")
    with pytest.raises(StorageError, match=r"'aws_lake': its role may not be assumed") as caught:
        access_of("aws_lake")
    said = "".join(traceback.format_exception(caught.value))
    assert SECRET_OF_CONNECTION not in said
    assert OF_CONNECTION not in said


def test_without_the_provider_the_extra_is_named(connection, monkeypatch):
    import sys

    connection()
    monkeypatch.setitem(sys.modules, "airflow.providers.amazon.aws.hooks.base_aws", None)
    with pytest.raises(TerminalError, match=r'pip install "ml-dag-factory\[aws\]"'):
        access_of("aws_lake")


class Dag:
    has_on_failure_callback = False


def shared(connection):
    return {"storage": "s3://lake", "workspace": "/scratch", "storage_connection": connection}


def context():
    return {"dag": Dag(), "ti": None, "params": {}, "dag_run": None}


@pytest.mark.parametrize("operator", [StepOperator, BranchStepOperator, ShortCircuitStepOperator])
def test_every_operator_takes_the_connection_from_the_dags_default_arguments(operator):
    dag = DAG("marine.x", default_args={"shared": shared("aws_lake")}, schedule=None)
    task = operator(task_id="a", dag=dag, python_callable=print)
    assert task.shared["storage_connection"] == "aws_lake"
    assert "shared" not in task.template_fields


def test_task_runs_with_the_connections_credentials(connection):
    def who():
        return access.current().connection

    task = StepOperator(task_id="a", python_callable=who, shared=shared(connection()))
    assert task.execute(context()) == "aws_lake"
    assert StepOperator(task_id="b", python_callable=who).execute(context()) is None


def test_task_whose_connection_is_missing_fails_at_once(s3):
    task = StepOperator(task_id="a", python_callable=print, shared=shared("elsewhere"))
    with pytest.raises(AirflowFailException, match="no Airflow connection 'elsewhere'"):
        task.execute(context())


def test_serialized_task_holds_the_connections_name_and_nothing_of_it(connection):
    from airflow.serialization.serialized_objects import DagSerialization

    name = connection()
    dag = DAG("marine.x", default_args={"shared": shared(name)}, schedule=None)
    task = StepOperator(task_id="a", dag=dag, python_callable=print)
    task.execute(context())
    shown = json.dumps(DagSerialization.to_dict(dag), default=str)
    assert OF_CONNECTION not in shown
    assert SECRET_OF_CONNECTION not in shown
