"""A window of a model with one for each entity: measured, reported, remembered, decided, for each of them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.lake import publishing
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.lake.write import Write
from factory.models.batch_prediction import PredictionForm
from factory.models.entity_models import champions_to_use, entity_models
from factory.models.entity_prediction import loader, predict_entities
from factory.models.used_champions import UsedChampions
from factory.monitoring.compared_rows import EmptyWindowError
from factory.monitoring.entities import EntitiesMeasurement, measure_entities
from factory.monitoring.entity_history import (
    EntitiesDecision,
    act_on_entities,
    recent_entity_windows,
    record_entities,
)
from factory.monitoring.entity_report import write_entity_report
from factory.monitoring.sections import Monitor
from factory.monitoring.window_rows import MonitoredData, WindowRows
from tests.data.rows import lake_in
from tests.models.entity_life import EntityRun
from tests.training.models import one_trial, regression

NAME = "shop.sold"
TRAINING, TODAY, PREDICTIONS, TRUTH = "shop.known", "shop.today", "shop.predictions", "shop.truth"


def sales(seed: int, west: int = 20, **prices: float) -> pd.DataFrame:
    """Sales of a day; prices of a store may be higher than usual."""
    random = np.random.default_rng(seed)

    def store(name: str, rows: int, slope: float) -> pd.DataFrame:
        price = random.uniform(1, 9, rows) + prices.get(name, 0)
        sold = 100 + slope * price + random.normal(0, 1, rows)
        return pd.DataFrame({"store": name, "price": price, "sold": sold})

    found = pd.concat(
        [store("north", 150, -8), store("south", 150, 8), store("west", west, 1)], ignore_index=True
    )
    return found.assign(sale=np.arange(len(found)) + 1000 * seed)


@dataclass
class World:
    """Two stores with champions of their own, one without, and the datasets around them."""

    run: EntityRun
    lake: Lake
    folder: Path
    runs: int = 0

    def publish(self, dataset: str, rows: pa.Table | pd.DataFrame) -> Snapshot:
        self.runs += 1
        file = self.folder / f"{self.runs}.parquet"
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows)
        pq.write_table(table, file)
        return publishing.publish(
            self.lake, dataset, file, Write(), run_id=f"run {self.runs}", emit_unchanged=True
        ).snapshot

    def predict(self, rows: pd.DataFrame, *, has_fallback: bool = True) -> Snapshot:
        """Publish rows, predict them by their stores' champions, publish the predictions."""
        today = self.publish(TODAY, rows.drop(columns="sold"))
        tracking = self.run.tracking
        made = predict_entities(
            self.lake.scan(TODAY, today.version),
            UsedChampions.of(champions_to_use(NAME, has_fallback=has_fallback, tracking=tracking)),
            "store",
            PredictionForm("regression", ["sale"], today.version),
            load=loader(tracking),
            batch_rows=1000,
            file=self.folder / "predictions.parquet",
        )
        return self.publish(PREDICTIONS, pq.read_table(made.file))

    def measure(
        self, *snapshots: Snapshot, predictions: bool = True, name: str = NAME, **monitor
    ) -> EntitiesMeasurement:
        section = Monitor.model_validate({"min_rows": 50, **monitor})
        workspace = self.folder / "run"
        workspace.mkdir(exist_ok=True)
        watched = MonitoredData(
            model=name,
            train_on=(TRAINING,),
            current=(TODAY,),
            predictions=PREDICTIONS if predictions else None,
            truth=TRUTH if section.truth else None,
        )
        found = measure_entities(
            watched,
            self.run.model,
            section,
            {snapshot.dataset: snapshot for snapshot in snapshots},
            rows=WindowRows(watched, self.run.model, self.lake, workspace),
            tracking=self.run.tracking,
        )
        return EntitiesMeasurement.from_json(found.as_json())

    def decide(self, found: EntitiesMeasurement, run_id: str, **monitor) -> EntitiesDecision:
        """Report a window, record it and act on it, as the tasks do."""
        tracking, files = self.run.tracking, self.folder / "report"
        before = recent_entity_windows(NAME, 10, tracking=tracking)
        write_entity_report(found, before, files)
        recorded = record_entities(
            found, dag_id="monitor", run_id=run_id, tracking=tracking, files=files
        )
        known = entity_models(NAME, tracking=tracking)
        return act_on_entities(
            found,
            recorded,
            Monitor.model_validate({"on_breach": ["retrain"], **monitor}),
            champions={NAME: 1, **{one.model: one.champion for one in known}},
            newest={TRAINING: self.lake.newest(TRAINING).version},
            tracking=tracking,
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory, mlflow_server) -> World:
    folder = tmp_path_factory.mktemp("monitored")
    rows = sales(0)
    section = regression(
        train_on="known",
        target="sold",
        features=["store", "price"],
        entities={"column": "store", "min_rows": 50},
        search=one_trial("sklearn.linear_model.Ridge"),
        predict={"input": "today", "keep": ["sale"]},
    )
    run = EntityRun(
        pa.Table.from_pandas(rows, preserve_index=False),
        section,
        tmp_path_factory.mktemp("training"),
        mlflow_server,
        NAME,
        snapshots={TRAINING: 0},
    )
    run.train()
    run.decide()
    run.promote()
    found = World(run, lake_in(folder), folder)
    found.publish(TRAINING, rows)
    return found


def by_label(found: EntitiesMeasurement) -> dict:
    return {one.label: one for one in found.measured}


def test_only_the_entity_whose_rows_have_changed_is_breached_and_it_comes_first(world):
    found = world.measure(world.predict(sales(1, north=20)))
    assert [one.label for one in found.breached] == ["north"]
    assert [one.label for one in found.measured] == ["north", "south", "all rows"]
    north, south = by_label(found)["north"], by_label(found)["south"]
    assert (north.model, north.version) == (f"{NAME}.north", 1)
    assert north.most_different in ("price", "prediction")
    assert {text.split(":")[0] for text in north.findings} == {
        "drift of price",
        "drift of prediction",
    }
    # Compared with the rows of its own store, and not with those of all.
    assert (south.reference_rows, south.current_rows, south.findings) == (150, 150, ())
    assert "store" not in {column.column for column in south.columns}


def test_fallback_is_compared_with_the_stores_that_it_answers_for(world):
    found = world.measure(world.predict(sales(1)), min_rows=10)
    fallback = by_label(found)["all rows"]
    assert (fallback.reference_rows, fallback.current_rows) == (20, 20)
    assert not fallback.breached


def test_too_few_rows_are_said_and_count_for_nothing(world):
    found = world.measure(world.predict(sales(1, west=5)))
    fallback = by_label(found)["all rows"]
    assert (fallback.verdict, fallback.counts) == ("too few rows", False)
    assert [one.label for one in found.too_few] == ["all rows"]


def test_entity_without_rows_and_rows_without_an_answer_are_named(world):
    rows = sales(1)
    only = rows[rows.store != "south"]
    found = world.measure(world.predict(only, has_fallback=False))
    assert [one.label for one in found.measured] == ["north"]
    assert (found.without_rows, found.unanswered_rows, found.rows) == (("south",), 20, 170)


def test_without_predictions_the_champions_are_asked(world):
    today = world.publish(TODAY, sales(1, south=20))
    found = world.measure(today, predictions=False)
    assert [one.label for one in found.breached] == ["south"]
    assert found.window == {TODAY: today.version}
    assert by_label(found)["south"].prediction.drifted


def test_nothing_in_production_is_nothing_to_watch(world):
    today = world.publish(TODAY, sales(1))
    with pytest.raises(EmptyWindowError, match=r"shop\.other has no champion of any entity yet"):
        world.measure(today, predictions=False, name="shop.other")


def test_quality_is_measured_for_each_entity(world):
    rows = sales(1)
    predictions = world.predict(rows)
    wrong = rows.assign(sold=rows.sold + 50 * (rows.store == "south"))
    truth = world.publish(TRUTH, wrong[["sale", "sold"]])
    found = world.measure(
        predictions,
        truth,
        truth={"dataset": TRUTH, "keys": ["sale"]},
        quality={"mean_absolute_error": {"max": 5}},
    )
    assert [one.label for one in found.breached] == ["south"]
    south, north = by_label(found)["south"].quality, by_label(found)["north"].quality
    assert (south.rows, south.predictions, north.missed) == (150, 150, {})
    assert south.metrics["mean_absolute_error"] == pytest.approx(50, abs=1)
    assert north.metrics["mean_absolute_error"] < 2
    # Of the fallback too few are known: its numbers are shown, and do not count.
    assert not by_label(found)["all rows"].quality.counts


def test_one_failure_sinks_no_other(world):
    predictions = world.predict(sales(1, north=20))
    rows = pq.read_table(world.folder / f"{world.runs}.parquet").to_pandas()
    rows.loc[rows.model == f"{NAME}.south", "model_version"] = 9
    predictions = world.publish(PREDICTIONS, rows)
    found = world.measure(predictions)
    assert "the registry has no version 9 of shop.sold.south any more" in found.failed["south"]
    assert [one.label for one in found.breached] == ["north"]


def test_window_is_one_run_with_a_verdict_for_each_entity_and_a_table(world):
    found = world.measure(world.predict(sales(2, north=20)))
    world.publish(TRAINING, sales(3, north=20))
    decision = world.decide(found, "first")
    assert (decision.breached, decision.retrain, list(decision.entities)) == (True, True, ["north"])
    assert decision.why.startswith("1 of 3 models: north: drift of ")
    tracking = world.run.tracking
    experiment = tracking.client.get_experiment_by_name(NAME).experiment_id
    (run,) = tracking.find_runs(experiment, {"role": "monitor"}, most=9)
    tags = run.data.tags
    verdicts = {key: text for key, text in tags.items() if key.startswith("entity.")}
    assert verdicts == {
        "entity.north": "1 bad",
        "entity.south": "1 good",
        "entity.all rows": "1 few",
    }
    assert "| north | 150 |" in tags["mlflow.note.content"]
    assert run.data.metrics["entities_breached"] == 1
    assert run.data.metrics["drift/north"] > 1 > run.data.metrics["drift/south"]
    page = (world.folder / "report" / "report.html").read_text()
    assert "1 of 3 models" in page
    assert page.index("<td>north</td>") < page.index("<td>south</td>")
    with (world.folder / "report" / "entities.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["store"] for line in lines] == ["north", "south", "all rows"]
    assert lines[0]["verdict"] == "breached"
    # A training on just these rows was asked for: of all entities.
    again = world.decide(world.measure(world.predict(sales(4, south=20))), "second")
    assert (again.breached, again.retrain) == (True, False)
    assert "was asked for before" in again.why


def test_bad_windows_are_counted_by_entity(world):
    north = world.measure(world.predict(sales(5, north=20)))
    rules = {"windows": {"breach": 2, "of": 2}}
    assert not world.decide(north, "third", **rules).breached
    both = world.measure(world.predict(sales(6, north=20, south=20)))
    decision = world.decide(both, "fourth", **rules)
    assert list(decision.entities) == ["north"]
    calm = world.decide(world.measure(world.predict(sales(7))), "fifth", **rules)
    assert not calm.breached
    assert calm.why == "nothing has changed much; 1 of 3 have too few rows for a verdict"
