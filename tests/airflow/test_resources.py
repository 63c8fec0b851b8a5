"""Tasks that create and destroy, and what templates know of it."""

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.tasks import resources
from factory.airflow.tasks.resources import create, destroy, resource_of
from factory.base.errors import TerminalError

MADE: list = []


def make(**arguments):
    MADE.append(arguments)
    return arguments.get("returned")


def fail(**arguments):
    raise OSError("no room")


class Instance:
    """A task's instance that remembers what it is given."""

    def __init__(self, **xcoms):
        self.xcoms = xcoms

    def xcom_push(self, *, key, value):
        self.xcoms[key] = value

    def xcom_pull(self, *, task_ids, key="return_value"):
        assert task_ids == "create_table"
        return self.xcoms.get(key)


@pytest.fixture(autouse=True)
def _nothing_made():
    MADE.clear()


HERE = "tests.airflow.test_resources"


def test_destroy_gets_what_create_returned_and_the_same_arguments():
    ti = Instance()
    arguments = {"returned": {"id": 7}}
    made = create(name="table", call=f"{HERE}.make", arguments=arguments, ti=ti)
    assert made == {"id": 7}
    ti.xcom_push(key="return_value", value=made)
    destroy(name="table", call=f"{HERE}.make", arguments=arguments, ti=ti)
    assert MADE[1] == {"returned": {"id": 7}, "created": {"id": 7}}


def test_destroy_gets_none_where_create_began_and_failed(caplog):
    ti = Instance()
    with pytest.raises(OSError, match="no room"):
        create(name="table", call=f"{HERE}.fail", ti=ti)
    destroy(name="table", call=f"{HERE}.make", ti=ti)
    assert MADE == [{"created": None}]
    assert "resource table: its creation began and did not end well" in caplog.text


def test_destroy_is_skipped_where_create_never_began():
    with pytest.raises(AirflowSkipException, match="never began"):
        destroy(name="table", call=f"{HERE}.make", ti=Instance())
    assert MADE == []


@pytest.mark.parametrize("returned", [object(), float("nan"), {"bytes": b""}])
def test_what_is_no_json_describes_no_resource(returned):
    arguments = {"returned": returned}
    with pytest.raises(TerminalError, match="must return JSON"):
        create(name="table", call=f"{HERE}.make", arguments=arguments, ti=Instance())


def test_what_is_no_small_json_describes_no_resource():
    arguments = {"returned": "x" * 50_000}
    with pytest.raises(TerminalError, match="return what names the resource"):
        create(name="table", call=f"{HERE}.make", arguments=arguments, ti=Instance())


def test_sql_runs_on_the_connection(monkeypatch):
    ran = []
    monkeypatch.setattr(resources, "_run_sql", lambda *given: ran.append(given))
    ti = Instance()
    assert create(name="table", connection="db", statements="create", ti=ti) == {}
    destroy(name="table", connection="db", statements="drop", ti=ti)
    assert ran == [("db", "create"), ("db", "drop")]


def test_templates_read_what_create_returned():
    ti = Instance(return_value={"name": "staging"})
    assert resource_of(ti, "table") == {"name": "staging"}
    with pytest.raises(TerminalError, match="resource 'table': it is not declared"):
        resource_of(Instance(), "table")
