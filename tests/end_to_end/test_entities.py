"""One model a store, through all steps on a real Airflow: four stores, one with too few rows, one that cannot be trained."""

import numpy as np
import pandas as pd
import pytest

from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import Installation

STORES = """\
version: 1
team: stores
owner: stores@example.org
defaults: {retries: 0}
datasets:
  sales:
    source: {type: csv, path: data/stores.csv}
models:
  sold:
    task: regression
    train_on: sales
    target: sold
    features: [store, price]
    entities: {column: store, min_rows: 100, max: 10}
    search:
      strategy: list
      trials:
        - {estimator: sklearn.linear_model.Ridge, params: {alpha: 1.0}}
    objective: {metric: mean_absolute_error}
    promotion:
      approval: {assignees: [Anonymous], response_timeout: 5s, on_timeout: approve}
    predict:
      input: sales
      keep: [store, price]
"""

TRAIN, PREDICTION, PREDICTIONS = (
    *("stores.sold.train", "stores.sold.predict", "stores.sold_predictions"),
)


def sales() -> pd.DataFrame:
    """In the north fewer are sold as prices rise, in the south more; in the east nobody knows the price."""
    random = np.random.default_rng(5)

    def store(name: str, rows: int, slope: float) -> pd.DataFrame:
        price = random.uniform(1, 9, rows).round(3)
        noise = random.normal(0, 2, rows)
        sold = (100 + slope * price + noise).round(3)
        return pd.DataFrame({"store": name, "price": price, "sold": sold})

    east = store("east", 120, 0).assign(price=None)
    return pd.concat([store("north", 150, -8), store("south", 150, 8), east, store("west", 12, 1)])


@pytest.fixture(scope="module")
def stores(installation: Installation) -> Installation:
    installation.add(
        {"data/stores.csv": sales().to_csv(index=False), "configs/stores.yaml": STORES}
    )
    return installation


@pytest.fixture(scope="module")
def training(stores: Installation) -> DagRun:
    published = stores.event_of(stores.run("stores.sales"))
    return stores.started_by(published, TRAIN)


def test_entities_are_trained_promoted_and_named(stores: Installation, training: DagRun):
    assert training.state == "success"
    states = stores.states(training)
    assert (states["gate"], states["promote"], states["keep_champion"]) == (
        *("success", "success", "skipped"),
    )
    fits = {task.rendered_map_index: task.state for task in stores.tasks(training, "trial")}
    assert fits == {
        "all rows: Ridge": "success",
        "north: Ridge": "success",
        "south: Ridge": "success",
        "east: Ridge": "failed",
    }
    for model in ("stores.sold", "stores.sold.north", "stores.sold.south"):
        assert stores.aliases(model) == {"champion": 1}


def test_failed_entity_is_named_with_its_error_and_sinks_nobody(
    stores: Installation, training: DagRun
):
    registered = stores.result(training, "register")
    assert registered["registered"] == 3
    assert "price has a value to learn from" in registered["failed"]["east"]
    outcome = stores.result(training, "promote")
    assert outcome["entities"] == {"promoted": 3, "kept": 0, "failed": 1}
    assert outcome["failed"].keys() == {"east"}
    run = stores.tracking.client.get_run(registered["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert "| east | 120 |" in run.data.tags["mlflow.note.content"]
    experiment = stores.tracking.client.get_experiment_by_name("stores.sold")
    (east,) = stores.tracking.find_runs(
        experiment.experiment_id, {"entity": "east", "role": "sweep"}, most=2
    )
    assert east.info.status == "FAILED"


def test_one_question_has_a_table_of_all(stores: Installation, training: DagRun):
    question = stores.airflow.approval(stores.task(training, "approve"))
    assert question.subject == "Put new versions of 3 of 4 models of stores.sold into production?"
    lines = [line for line in question.body.splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in lines][:2] == ["entity", "east"]
    assert len(lines) == 5


def test_one_event_starts_predictions_by_each_rows_own_model(
    stores: Installation, training: DagRun
):
    event = stores.event_of(training)
    assert event.name == "stores.sold"
    assert event.extra["versions"] == {"all rows": 1, "north": 1, "south": 1}
    run = stores.started_by(event, PREDICTION)
    assert run.state == "success"
    published = stores.event_of(run)
    assert (published.extra["model"], published.extra["entities"]) == ("stores.sold", 2)
    said = stores.lake.scan(PREDICTIONS, published.extra["version"]).to_table().to_pandas()
    answered = said.groupby("store").model.unique().map(list).to_dict()
    assert answered == {
        "north": ["stores.sold.north"],
        "south": ["stores.sold.south"],
        "east": ["stores.sold"],
        "west": ["stores.sold"],
    }
    north = said[said.store == "north"]
    assert np.corrcoef(north.price, north.prediction)[0, 1] < -0.99
    south = said[said.store == "south"]
    assert np.corrcoef(south.price, south.prediction)[0, 1] > 0.99
