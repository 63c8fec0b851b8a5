"""What tasks share: said once in the document, rendered and read by those that ask for it."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import process_params

from factory.airflow.decorators import setup, teardown
from factory.airflow.operators import (
    BranchStepOperator,
    ShortCircuitStepOperator,
    StepOperator,
)
from factory.airflow.task_run import TaskRun
from factory.base.errors import TerminalError
from factory.documents.dag import Shared
from factory.lake.snapshot import Snapshot
from tests.team.folder import make_folder

SECTION = {
    "task": "regression",
    "train_on": {"all": ["catches"]},
    "target": "mass",
    "transforms": [{"type": "sql", "query": "select * from {{ resource('staging') }}"}],
    "search": {"strategy": "list", "trials": [{"estimator": "sklearn.linear_model.Ridge"}]},
    "objective": {"metric": "r2"},
}
SHARED = Shared(
    storage="s3://lake",
    workspace="/scratch",
    model="sea.mass",
    reads=("sea.catches",),
    section=SECTION,
)
SNAPSHOT = Snapshot(
    dataset="sea.catches",
    uri="s3://lake/sea/catches",
    version=3,
    rows=1,
    columns={"id": "BIGINT"},
    schema_hash="s",
    content_hash="c",
    published_at="2024-01-01T00:00:00+00:00",
)

RUN = SimpleNamespace(logical_date=None, run_after=datetime(2024, 5, 6, tzinfo=UTC))


class Instance(SimpleNamespace):
    """A task instance that counts how often it is asked for what other tasks have returned."""

    def xcom_pull(self, *, task_ids, key="return_value"):
        self.pulls.append((task_ids, key))
        return self.results.get(task_ids)


def dag(**arguments):
    return DAG(
        "sea.mass.train",
        schedule=None,
        default_args={"shared": SHARED.as_data()},
        params={"versions": Param(None, type=["object", "null"])},
        **arguments,
    )


def context(of: DAG, **results):
    instance = Instance(
        dag_id=of.dag_id,
        run_id="r1",
        task_id="a",
        results=results,
        pulls=[],
        map_index=-1,
        try_number=1,
    )
    return {"dag": of, "ti": instance, "params": {}, "dag_run": RUN}


def run_of(of: DAG, **results) -> TaskRun:
    task = StepOperator(task_id="a", dag=of, python_callable=print)
    return TaskRun(task.shared, task, context(of, **results))


def test_facts_come_back_from_the_document_as_they_were():
    assert Shared.from_data(SHARED.as_data()) == SHARED
    assert "price" not in SHARED.as_data()


def test_function_with_a_parameter_run_gets_what_its_dag_shares():
    def ask(*, run):
        return run.shared

    task = StepOperator(task_id="a", dag=dag(), python_callable=ask)
    assert task.execute(context(task.dag)) == SHARED


def test_operator_of_a_dag_that_shares_nothing_calls_any_function():
    def ask(*, run="mine"):
        return run

    of = DAG("sea.own", schedule=None)
    task = StepOperator(task_id="a", dag=of, python_callable=ask)
    assert task.execute(context(of)) == "mine"


def test_templates_in_a_shared_section_are_rendered_where_it_is_asked_for():
    run = run_of(dag(), create_staging={"name": "box"})
    assert run.model.transforms[0].query == "select * from {'name': 'box'}"
    assert run.model is run.model
    assert run.shared.section == SECTION


def test_shared_facts_are_no_templates_that_airflow_renders_and_stores():
    task = StepOperator(task_id="a", dag=dag(), python_callable=print)
    assert "shared" not in task.template_fields
    assert not task.op_kwargs


def test_results_of_other_tasks_are_asked_for_once():
    run = run_of(dag(), inputs={"snapshots": {"sea.catches": SNAPSHOT.as_event()}})
    assert run.versions == {"sea.catches": 3}
    assert run.references == [
        {"dataset": "sea.catches", "uri": "s3://lake/sea/catches", "version": 3}
    ]
    assert run.result("inputs")["snapshots"]
    assert run.ti.pulls == [("inputs", "return_value")]


def test_project_lies_above_the_folder_of_the_dag_file(tmp_path, monkeypatch):
    monkeypatch.delenv("FACTORY_CONFIGS", raising=False)
    of = dag()
    of.fileloc = str(tmp_path / "dags" / "teams.py")
    assert run_of(of).project == tmp_path.resolve()


def test_team_that_owns_new_images_is_that_of_the_dag():
    assert run_of(dag()).team == "sea"


def test_missing_fact_is_named():
    with pytest.raises(TerminalError, match=r"sea\.mass\.train has no `monitor` in `shared`"):
        _ = run_of(dag()).monitor


def operators(of: DAG):
    made = [
        kind(task_id=kind.__name__, dag=of, python_callable=print)
        for kind in (StepOperator, BranchStepOperator, ShortCircuitStepOperator)
    ]
    made.append(setup(task_id="setup", dag=of, python_callable=print)())
    made.append(teardown(task_id="teardown", dag=of, python_callable=print)())
    return made


def test_params_of_the_dag_stay_out_of_its_tasks():
    from airflow.serialization.serialized_objects import DagSerialization

    of = dag()
    assert all(not task.params for task in operators(of))
    stored = DagSerialization.to_dict(of)["dag"]
    assert [name for name, _ in stored["params"]] == ["versions"]
    assert all(not task["__var"].get("params") for task in stored["tasks"])


@pytest.mark.parametrize("conf", [None, {"versions": {"sea.catches": 2}}])
def test_params_of_a_run_reach_its_tasks_all_the_same(conf):
    of = dag()
    for task in operators(of):
        params = process_params(of, task, conf, suppress_exception=False)
        assert params == {"versions": conf["versions"] if conf else None}


def test_readers_are_those_of_all_teams(tmp_path, monkeypatch):
    folder = make_folder(tmp_path)
    start = "version: 1\nteam: {0}\nowner: {0}@example.org\ndatasets:\n"
    read = "{source: {type: dataset, dataset: sea.catches}}"
    catches = "  catches: {source: {type: csv, path: data/a.csv}, share_with: '*'}\n"
    folder.write("sea", f"{start.format('sea')}{catches}  landings: {read}\n")
    folder.write("office", f"{start.format('office')}  report: {read}\n")
    folder.write("broken", "version: 2\n")
    monkeypatch.setenv("FACTORY_CONFIGS", str(folder.configs))
    of = dag()
    shared = Shared(storage="s3://lake", workspace="/scratch", dataset="sea.catches")
    run = TaskRun(shared.as_data(), None, context(of))
    assert run.readers() == ("office.report", "sea.landings")
