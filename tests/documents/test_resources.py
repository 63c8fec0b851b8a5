"""Where documents put setups and teardowns."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.installation import Installation

PAIR = "type: python, create: palmerpenguins.make, destroy: palmerpenguins.drop"
SEA = f"""\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    source: {{type: csv, path: data/a.csv}}
    transforms: [{{type: sql, query: select * from source}}]
    resources:
      outer:
        {PAIR.replace(", ", chr(10) + "        ")}
        arguments: {{size: 3}}
        used_by: [transform]
        resources:
          inner: {{{PAIR}, used_by: [check]}}
  landings:
    source: {{type: csv, path: data/a.csv}}
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
    (configs / "_defaults.yaml").write_text("python_packages: [sklearn, palmerpenguins]\n")
    (configs / "sea.yaml").write_text(SEA)
    read = read_all(configs, "dev")
    assert not read.problems, "\n".join(map(str, read.problems))
    installation = Installation(storage="s3://lake", workspace="/scratch", project=Path())
    return compile_team(read.teams["sea"].team, installation)


def upstream(documents, dag_id: str) -> dict[str, set[str]]:
    tasks = documents[dag_id]["tasks"]
    return {name: set(task.get("dependencies", ())) for name, task in tasks.items()}


def test_nested_resource_is_made_and_dropped_within_the_outer_one(documents):
    found = upstream(documents, "sea.catches")
    assert found["create_outer"] == {"ingest"}
    assert found["transform"] == {"ingest", "create_outer"}
    assert found["create_inner"] == {"transform", "create_outer"}
    assert found["check"] == {"transform", "create_inner"}
    assert found["publish"] == {"check"}
    assert found["destroy_inner"] == {"open_workspace", "create_inner", "check"}
    assert found["destroy_outer"] == {"open_workspace", "create_outer", "check", "destroy_inner"}
    assert found["close_workspace"] == {"open_workspace", "destroy_outer", "publish"}


def test_resource_lasts_from_the_first_to_the_last_task_that_uses_it(documents):
    found = upstream(documents, "sea.kind.train")
    assert found["create_cluster"] == {"plan_trials"}
    assert found["trial"] == {"plan_trials", "create_cluster"}
    assert found["destroy_cluster"] == {"open_workspace", "create_cluster", "trial"}
    assert found["split"] == {"retrain", "create_cache"}
    assert found["destroy_cache"] == {"open_workspace", "create_cache", "test"}


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
        "call": "palmerpenguins.make",
        "arguments": {"size": 3},
    }
    assert tasks["destroy_outer"]["op_kwargs"] == {
        "name": "outer",
        "call": "palmerpenguins.drop",
        "arguments": {"size": 3},
    }
