"""Documents to DAGs, and the contract with dag-factory that this rests on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
EMPTY = "airflow.providers.standard.operators.empty.EmptyOperator"
PYTHON = "airflow.providers.standard.operators.python.PythonOperator"


@pytest.fixture(scope="module")
def documents():
    from factory.catalog import read_all
    from factory.documents.compile import compile_team
    from factory.documents.installation import Installation

    read = read_all(PROJECT / "configs", "dev")
    installation = Installation(storage="s3://lake", workspace="/scratch", project=PROJECT)
    return {
        dag_id: document
        for file in read.teams.values()
        for dag_id, document in compile_team(file.team, installation).items()
    }


def serialized(dag) -> dict:
    from airflow.serialization.serialized_objects import DagSerialization

    data = DagSerialization.to_dict(dag)["dag"]
    # Where a DAG was built is no part of what it means.
    for key in ("fileloc", "relative_fileloc", "doc_md", "tags"):
        data.pop(key, None)
    for task in data["tasks"]:
        # Airflow copies a DAG's params into mapped tasks, which ours need not: a run has them from the DAG.
        task["__var"].pop("params", None)
    return json.loads(json.dumps(data, sort_keys=True, default=str))


def test_telemetry_tag_of_dag_factory_is_dropped(documents):
    from factory.airflow.build import build_all

    assert all("dagfactory" not in dag.tags for dag in build_all(documents).values())


def test_trial_is_a_task_that_is_mapped_over_the_planned_trials(documents):
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from factory.airflow.build import build

    dag = build("ecology.species.train", documents["ecology.species.train"])
    trial = dag.get_task("trial")
    assert isinstance(trial, MappedOperator)
    assert trial.upstream_task_ids == {"plan_trials"}
    assert dag.get_task("select_best").upstream_task_ids == {"trial"}


def test_workspace_is_opened_by_a_setup_and_closed_by_a_teardown(documents):
    from factory.airflow.build import build_all

    for dag in build_all(documents).values():
        opening, closing = dag.get_task("open_workspace"), dag.get_task("close_workspace")
        assert opening.is_setup
        assert closing.is_teardown
        assert not closing.on_failure_fail_dagrun
        assert "open_workspace" in closing.upstream_task_ids


def test_branch_is_an_operator_of_dag_factorys_format():
    from airflow.providers.standard.operators.python import BranchPythonOperator

    from factory.airflow.build import build

    dag = build(
        "sea.choice",
        {
            "schedule": None,
            "start_date": "2024-01-01",
            "tasks": {
                "gate": {
                    "operator": "factory.airflow.operators.BranchStepOperator",
                    "python_callable": "tests.airflow.choices.choose",
                    "op_kwargs": {"high": True},
                },
                "up": {
                    "operator": "airflow.providers.standard.operators.empty.EmptyOperator",
                    "dependencies": ["gate"],
                },
                "down": {
                    "operator": "airflow.providers.standard.operators.empty.EmptyOperator",
                    "dependencies": ["gate"],
                },
            },
        },
    )
    gate = dag.get_task("gate")
    assert isinstance(gate, BranchPythonOperator)
    assert gate.python_callable(**gate.op_kwargs) == "up"
    assert gate.downstream_task_ids == {"up", "down"}


HEAVY = ("pandas", "numpy", "sklearn", "mlflow", "boto3", "torch", "deltalake", "duckdb", "pyarrow")

PARSE = f"""
import json, runpy, sys
runpy.run_path("dags/teams.py")
runpy.run_path("dags/config_errors.py")
heavy = [name for name in {HEAVY!r} if name in sys.modules]
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("dags")
dags = {{dag.dag_id: dag.relative_fileloc for dag in bag.dags.values()}}
print(json.dumps({{"heavy": heavy, "errors": bag.import_errors, "dags": dags}}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """What there is once the DAG files are parsed, in an interpreter and an Airflow home of their own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSE],
        cwd=PROJECT,
        env={
            "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "PATH": "",
            "PYTHONPATH": str(PROJECT),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_parsing_imports_nothing_heavy(parsed):
    assert parsed["heavy"] == []


def test_every_dag_belongs_to_teams_py_and_none_to_config_errors_py(parsed):
    assert parsed["errors"] == {}
    assert set(parsed["dags"].values()) == {"dags/teams.py"}
    assert len(parsed["dags"]) == 6


@pytest.mark.parametrize(
    "task",
    [
        {"operator": PYTHON, "python_callable": "tests.airflow.imported.check_output"},
        {
            "operator": PYTHON,
            "python_callable": {"__join__": ["tests.airflow.", "imported.check_output"]},
        },
        {"operator": "tests.airflow.imported.BashOperator", "bash_command": "id"},
        {"operator": EMPTY, "on_success_callback": "tests.airflow.imported.check_output"},
    ],
)
@pytest.mark.parametrize("is_written", [True, False])
def test_what_a_package_has_only_imported_is_not_built(documents, task, is_written):
    from factory.airflow.build import build
    from factory.base.objects import NoSuchObjectError

    document = {"schedule": None, "tasks": {"own": task}}
    if not is_written:
        ours = documents["marine.penguins"]
        document = {**ours, "tasks": {**ours["tasks"], "own": task}}
    with pytest.raises(NoSuchObjectError, match="has only imported it"):
        build("marine.penguins", document)


def test_objects_of_a_package_that_has_only_imported_them_are_not_made():
    from factory.airflow.build import build
    from factory.base.objects import NoSuchObjectError

    made = {"__type__": "tests.airflow.imported.check_output", "__args__": [["id"]]}
    with pytest.raises(NoSuchObjectError, match="has only imported it"):
        build("marine.own", {"params": {"day": made}, "tasks": {"own": {"operator": EMPTY}}})
