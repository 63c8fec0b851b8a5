"""Datasets and models that DAGs in plain dag-factory format name."""

import pytest

from factory.team.own_assets import asset_names, check_asset_names, with_assets

OWN = {"orders", "churn"}


def named(dag: dict) -> dict:
    return with_assets(dag, "shop", OWN, lambda name: f"<{name}>")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("orders", ["<shop.orders>"]),
        (["orders", "mart.prices"], ["<shop.orders>", "<mart.prices>"]),
        ({"__or__": ["shop.churn", "orders"]}, {"__or__": ["<shop.churn>", "<shop.orders>"]}),
        (
            {"__and__": [{"__or__": ["orders"]}, {"__type__": "airflow.sdk.Asset"}]},
            {"__and__": [{"__or__": ["<shop.orders>"]}, {"__type__": "airflow.sdk.Asset"}]},
        ),
        ("@daily", "@daily"),
        ("none", "none"),
        ("0 4 * * *", "0 4 * * *"),
        (["s3://bucket/file.csv", "another_asset"], ["s3://bucket/file.csv", "another_asset"]),
        (None, None),
    ],
)
def test_schedule_names_datasets_and_models_as_elsewhere(written, meant):
    assert named({"schedule": written})["schedule"] == meant


@pytest.mark.parametrize("tasks", [{"tell": {"inlets": ["orders"]}}, [{"inlets": ["orders"]}]])
def test_inlets_of_tasks_in_either_form_are_assets(tasks):
    dag = {"tasks": tasks, "default_args": {"inlets": ["churn", "x"]}}
    made = named(dag)
    [task] = made["tasks"].values() if isinstance(tasks, dict) else made["tasks"]
    assert (task["inlets"], made["default_args"]["inlets"]) == (
        ["<shop.orders>"],
        ["<shop.churn>", "x"],
    )
    assert [name for _, name in asset_names(dag)] == ["churn", "x", "orders"]


def test_outlets_stay_as_they_are_written():
    assert named({"tasks": {"tell": {"outlets": ["orders"]}}}) == {
        "tasks": {"tell": {"outlets": ["orders"]}}
    }


def test_name_that_is_nearly_one_of_the_teams_is_a_problem():
    dags = {"report": {"schedule": ["ordrs", "mailed_report"]}}
    [found] = check_asset_names(dags, OWN)
    assert (found.path, found.suggestion) == (
        ("dags", "report", "schedule", 0),
        "did you mean `orders`?",
    )
