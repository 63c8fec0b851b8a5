"""One model a store, through all steps on a real Airflow: four stores, one with too few rows, one that cannot be trained.

They are trained, predicted, asked over HTTP, watched, trained anew for the drift of one, and one is rolled back.
"""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from factory.cli.main import app as cli
from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import Installation
from tests.serving.service import serving

STORES = """\
version: 1
team: stores
owner: stores@example.org
defaults: {retries: 0}
datasets:
  sales:
    source: {type: csv, path: data/stores.csv}
  today:
    source: {type: csv, path: data/today.csv}
models:
  sold:
    task: regression
    train_on: sales
    schedule: none
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
      input: today
      keep: [store, price]
    monitor:
      min_rows: 50
      on_breach: [retrain]
"""

MODEL = "stores.sold"
TRAIN, PREDICTION, MONITOR = (f"{MODEL}.{what}" for what in ("train", "predict", "monitor"))
PREDICTIONS = "stores.sold_predictions"


def sales(north: float = 0) -> pd.DataFrame:
    """In the north fewer are sold as prices rise, in the south more; in the east nobody knows the price.

    Args:
        north: By how much the prices of the north are higher than they were; people mind them less then.
    """
    random = np.random.default_rng(5)

    def store(name: str, rows: int, slope: float, more: float = 0) -> pd.DataFrame:
        price = random.uniform(1 + more, 9 + more, rows).round(3)
        noise = random.normal(0, 2, rows)
        sold = (100 + slope * price + noise).round(3)
        return pd.DataFrame({"store": name, "price": price, "sold": sold})

    east = store("east", 120, 0).assign(price=None)
    return pd.concat(
        [
            store("north", 150, -2 if north else -8, north),
            store("south", 150, 8),
            east,
            store("west", 12, 1),
        ]
    )


def today(north: float = 0) -> pd.DataFrame:
    """Prices of today, also of a store that nobody has heard of."""
    prices = sales(north)[["store", "price"]]
    return pd.concat([prices, pd.DataFrame({"store": "far", "price": [2.5, 4.5]})])


@pytest.fixture(scope="module")
def stores(installation: Installation) -> Installation:
    installation.add(
        {
            "data/stores.csv": sales().to_csv(index=False),
            "data/today.csv": today().to_csv(index=False),
            "configs/stores.yaml": STORES,
        }
    )
    return installation


@pytest.fixture(scope="module")
def training(stores: Installation) -> DagRun:
    for dataset in ("today", "sales"):
        stores.run(f"stores.{dataset}")
    return stores.run(TRAIN)


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
    for model in (MODEL, f"{MODEL}.north", f"{MODEL}.south"):
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
    experiment = stores.tracking.client.get_experiment_by_name(MODEL)
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


@pytest.fixture(scope="module")
def prediction(stores: Installation, training: DagRun) -> DagRun:
    return stores.started_by(stores.event_of(training), PREDICTION)


@pytest.fixture(scope="module")
def predicted(stores: Installation, prediction: DagRun) -> pd.DataFrame:
    version = stores.event_of(prediction).extra["version"]
    return stores.lake.scan(PREDICTIONS, version).to_table().to_pandas()


def test_one_event_starts_predictions_by_each_rows_own_model(
    stores: Installation, training: DagRun, prediction: DagRun, predicted: pd.DataFrame
):
    event = stores.event_of(training)
    assert event.name == MODEL
    assert event.extra["versions"] == {"all rows": 1, "north": 1, "south": 1}
    assert prediction.state == "success"
    published = stores.event_of(prediction)
    assert (published.extra["model"], published.extra["entities"]) == (MODEL, 2)
    answered = predicted.groupby("store").model.unique().map(list).to_dict()
    assert answered == {
        "north": [f"{MODEL}.north"],
        "south": [f"{MODEL}.south"],
        "east": [MODEL],
        "west": [MODEL],
        "far": [MODEL],
    }
    north = predicted[predicted.store == "north"]
    assert np.corrcoef(north.price, north.prediction)[0, 1] < -0.99
    south = predicted[predicted.store == "south"]
    assert np.corrcoef(south.price, south.prediction)[0, 1] > 0.99


@pytest.mark.usefixtures("training")
def test_service_and_plain_mlflow_say_what_batch_prediction_says(
    stores: Installation, predicted: pd.DataFrame, tmp_path: Path
):
    some = predicted[predicted.store.isin(["north", "south", "far"])]
    rows = some[["store", "price"]].to_dict("records")
    with serving(tmp_path, stores.tracking.uri, MODEL) as service:
        status, said = service.ask(MODEL, rows)
    assert status == 200, said
    assert said["models"] == some.model.tolist()
    assert said["versions"] == some.model_version.tolist()
    assert "errors" not in said
    assert said["predictions"] == pytest.approx(some.prediction.tolist())
    mlflow.set_tracking_uri(stores.tracking.uri)
    for model, own in some.groupby("model"):
        plain = mlflow.pyfunc.load_model(f"models:/{model}/1")
        asked = own[["store", "price"] if model == MODEL else ["price"]]
        assert plain.predict(asked) == pytest.approx(own.prediction.tolist())


@pytest.fixture(scope="module")
def drifted(stores: Installation, prediction: DagRun) -> DagRun:
    """The monitoring of a day on which prices in the north are others."""
    first = stores.started_by(stores.event_of(prediction), MONITOR)
    assert (stores.result(first, "breach") or {}).get("breached") is False
    stores.add({"data/stores.csv": sales(north=20).to_csv(index=False)})
    stores.run("stores.sales")
    stores.add({"data/today.csv": today(north=20).to_csv(index=False)})
    published = stores.event_of(stores.run("stores.today"))
    again = stores.started_by(published, PREDICTION)
    return stores.started_by(stores.event_of(again), MONITOR)


def test_only_the_store_whose_prices_have_changed_is_said_to_have_drifted(
    stores: Installation, drifted: DagRun
):
    found = stores.result(drifted, "breach")
    assert (found["breached"], found["retrain"], list(found["entities"])) == (True, True, ["north"])
    assert found["why"].startswith("1 of 3 models: north: drift of ")
    measured = stores.result(drifted, "measure")
    assert measured["entities"]["breached"] == 1
    experiment = stores.tracking.client.get_experiment_by_name(MODEL).experiment_id
    windows = stores.tracking.find_runs(experiment, {"role": "monitor"}, most=9)
    assert [run.data.tags["breached"] for run in windows] == ["true", "false"]
    assert windows[0].data.tags["entity.north"] == "1 bad"
    assert windows[0].data.tags["entity.south"] == "1 good"
    event = stores.event_of(drifted)
    assert (event.name, event.extra["entities"]) == (f"{MODEL}.drift", {"north": 1})


@pytest.fixture(scope="module")
def retrained(stores: Installation, drifted: DagRun) -> DagRun:
    return stores.started_by(stores.event_of(drifted), TRAIN)


def test_drift_of_one_store_trains_anew_and_its_rollback_leaves_the_others(
    stores: Installation, retrained: DagRun, monkeypatch: pytest.MonkeyPatch
):
    assert retrained.state == "success"
    run = stores.tracking.client.get_run(stores.result(retrained, "register")["mlflow_run_id"])
    assert run.data.tags["trigger"] == "drift"
    assert "Drift: 1 of 3 models: north: drift of " in run.data.tags["mlflow.note.content"]
    before = {one: stores.aliases(f"{MODEL}.{one}") for one in ("north", "south")}
    assert before["north"]["champion"] == 2
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking.uri)
    told = CliRunner().invoke(
        cli, ["rollback", f"{MODEL}.north", "--project", str(stores.project), "--why", "too high"]
    )
    assert f"{MODEL}.north: version 1 is in production" in told.output
    assert stores.aliases(f"{MODEL}.north")["champion"] == 1
    assert stores.aliases(f"{MODEL}.south") == before["south"]
