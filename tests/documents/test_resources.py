"""Where documents put setups and teardowns."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.installation import Installation

PAIR = "type: python, create: sklearn.make, destroy: sklearn.drop"
SEA = f"""\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    source: {{type: csv, path: a.csv}}
    transforms: [{{type: sql, query: select * from source}}]
    resources:
      outer:
        {PAIR.replace(", ", chr(10) + "        ")}
        arguments: {{size: 3}}
        used_by: [transform]
        resources:
          inner: {{{PAIR}, used_by: [check]}}
  landings:
    source: {{type: csv, path: a.csv}}
    load: {{connection: warehouse, table: staging, then: alter table staging rename to landings}}
    resources:
      table: {{type: sql, connection: warehouse, create: create table staging (a int), destroy: drop table if exists staging}}
models:
  kind:
    task: classification
    train_on: catches
    target: b
    retrain_when: {{rows_added: 10}}
    search:
      strategy: list
      max_failed_trials: 1
      trials: [{{estimator: sklearn.svm.SVC, params: {{}}}}, {{estimator: sklearn.svm.SVC, params: {{C: 2.0}}}}]
    objective: {{metric: accuracy}}
    resources:
      cluster: {{{PAIR}, used_by: [trial]}}
      cache: {{{PAIR}}}
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    configs = tmp_path_factory.mktemp("project") / "configs"
    configs.mkdir()
    (configs / "sea.yaml").write_text(SEA)
    read = read_all(configs, "dev")
    assert not read.problems, "\n".join(map(str, read.problems))
    installation = Installation(storage="s3://lake", workspace="/scratch", project=Path())
    return compile_team(read.teams["sea"].team, installation)


@pytest.fixture(scope="module")
def dags(documents):
    from factory.airflow.build import build_all

    return build_all(documents)


def upstream(dags, dag_id: str) -> dict[str, set[str]]:
    return {task.task_id: set(task.upstream_task_ids) for task in dags[dag_id].tasks}


def test_nested_resource_is_made_and_dropped_within_the_outer_one(dags):
    found = upstream(dags, "sea.catches")
    assert found["create_outer"] == {"ingest"}
    assert found["transform"] == {"ingest", "create_outer"}
    assert found["create_inner"] == {"transform", "create_outer"}
    assert found["check"] == {"transform", "create_inner"}
    assert found["publish"] == {"check"}
    assert found["destroy_inner"] == {"open_workspace", "create_inner", "check"}
    assert found["destroy_outer"] == {"open_workspace", "create_outer", "check", "destroy_inner"}
    assert found["close_workspace"] == {"open_workspace", "destroy_outer", "publish"}


def test_resource_lasts_from_the_first_to_the_last_task_that_uses_it(dags):
    found = upstream(dags, "sea.kind.train")
    assert found["create_cluster"] == {"plan_trials"}
    assert "create_cluster" in found["trial.fit"]
    assert found["destroy_cluster"] == {"open_workspace", "create_cluster", "trial.evaluate"}
    assert found["split"] == {"retrain", "create_cache"}
    assert found["destroy_cache"] == {"open_workspace", "create_cache", "test"}


def test_setups_are_setups_and_teardowns_do_not_decide_a_runs_state(dags):
    for dag in dags.values():
        for task in dag.tasks:
            assert task.is_setup == task.task_id.startswith(("create_", "open_"))
            assert task.is_teardown == task.task_id.startswith(("destroy_", "close_"))
            assert not (task.is_teardown and task.on_failure_fail_dagrun)


def test_rows_are_loaded_before_they_are_checked_and_swapped_before_they_are_published(documents):
    tasks = documents["sea.landings"]["tasks"]
    assert [name for name in tasks if "workspace" not in name] == [
        *("create_table", "ingest", "load", "check", "after_check", "publish", "destroy_table"),
    ]
    assert tasks["load"]["op_kwargs"]["load"] == {"connection": "warehouse", "table": "staging"}
    assert tasks["after_check"]["op_kwargs"] == {
        "connection": "warehouse",
        "statements": "alter table staging rename to landings",
    }


def test_each_side_of_a_pair_gets_only_what_it_needs(documents):
    tasks = documents["sea.catches"]["tasks"]
    assert tasks["create_outer"]["op_kwargs"] == {
        "name": "outer",
        "call": "sklearn.make",
        "arguments": {"size": 3},
    }
    assert tasks["destroy_outer"]["op_kwargs"] == {
        "name": "outer",
        "call": "sklearn.drop",
        "arguments": {"size": 3},
    }


def test_plain_dag_factory_builds_the_same_tasks(documents, dags, tmp_path):
    from dagfactory import load_yaml_dags

    from factory.documents.rendering import to_yaml

    rendered = tmp_path / "sea.yaml"
    rendered.write_text(to_yaml(documents))
    plain: dict = {}
    load_yaml_dags(plain, config_filepath=str(rendered), defaults_config_path=str(tmp_path))
    for dag_id in dags:
        assert upstream(plain, dag_id) == upstream(dags, dag_id)
        macros = plain[dag_id].user_defined_macros or {}
        assert list(macros) == ["resource"]
