"""Models of other teams in DAGs in plain dag-factory format, and in tasks of a team's own."""

from pathlib import Path

import pytest

from factory.catalog import read_all, read_one
from factory.documents.compile import compile_one, compile_team
from factory.documents.installation import Installation

TELL = "{operator: airflow.providers.standard.operators.empty.EmptyOperator"
MART = """\
version: 1
team: mart
owner: mart@example.org
datasets:
  prices:
    source: {type: csv, path: data/prices.csv}
    share_with: [shop]
models:
  demand:
    task: regression
    train_on: prices
    target: sold
    search:
      strategy: list
      trials: [{estimator: sklearn.svm.SVR, params: {}}]
    objective: {metric: r2}
    predict: {input: prices, share_with: [shop]}
"""
SHOP = f"""\
version: 1
team: shop
owner: shop@example.org
datasets:
  orders:
    source: {{type: csv, path: data/orders.csv}}
    after:
      tell: {TELL}, inlets: [mart.demand]}}
dags:
  letter:
    start_date: 2024-01-01
    schedule: {{__or__: [mart.demand, mart.demand_predictions, mart.prices]}}
    tasks:
      tell: {TELL}, inlets: [mart.demand, orders]}}
"""
HERE = Installation(storage="s3://lake", workspace="/scratch", project=Path())
DEMAND = "x-mlflow://models/mart.demand"


@pytest.fixture
def configs(tmp_path):
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "_defaults.yaml").write_text("python_packages: [sklearn]\noperators: ['*']\n")
    (folder / "mart.yaml").write_text(MART)
    (folder / "shop.yaml").write_text(SHOP)
    return folder


def letter(team):
    document = compile_one(team, "shop.letter", HERE)
    starts = document["schedule"]["__or__"]
    inlets = document["tasks"]["tell"]["inlets"]
    return [one["uri"] for one in starts], [one["uri"] for one in inlets]


def test_dags_name_models_and_predictions_of_other_teams(configs):
    read = read_all(configs, None)
    assert not read.problems, "\n".join(map(str, read.problems))
    starts, inlets = letter(read.teams["shop"].team)
    assert starts == [DEMAND, "s3://lake/mart/demand_predictions", "s3://lake/mart/prices"]
    assert inlets == [DEMAND, "s3://lake/shop/orders"]


def test_tasks_after_a_dataset_name_models_of_other_teams(configs):
    document = compile_team(read_all(configs, None).teams["shop"].team, HERE)["shop.orders"]
    assert document["tasks"]["tell"]["inlets"][0]["uri"] == DEMAND


def test_start_of_one_task_builds_the_same_dag_as_a_parse_of_all(configs):
    _, file = read_one(configs, "shop", None)
    assert letter(file.team) == letter(read_all(configs, None).teams["shop"].team)


def test_model_stays_one_where_another_part_of_its_teams_file_is_no_yaml(configs):
    (configs / "mart.yaml").write_text(MART + "  other: {task: [\n")
    read = read_all(configs, None)
    assert list(read.teams) == ["shop"]
    assert letter(read.teams["shop"].team)[0][0] == DEMAND


def test_schedule_of_a_dataset_names_no_model_of_another_team(configs):
    schedule = "  orders:\n    schedule: mart.demand\n"
    (configs / "shop.yaml").write_text(SHOP.replace("  orders:\n", schedule, 1))
    [problem] = read_all(configs, None).problems
    assert "publishes no dataset `demand`" in problem.message
