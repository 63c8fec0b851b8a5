"""Predictions follow data and promotions by themselves, and other teams live on them.

Rows of team coast train the model of team station; its champion predicts every new snapshot, and team
office publishes a dataset made of the predictions. The tests build on each other, as days in the
life of one installation do.
"""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from factory.runtime.airflow_records import AssetEvent, DagRun
from tests.harness.airflow import Installation
from tests.harness.project import flowers
from tests.harness.shared import Database

COAST = """\
version: 1
team: coast
owner: coast@example.org
datasets:
  catches:
    source: {type: csv, path: data/coast.csv}
    checks:
      - {check: not_null, columns: [species]}
      - {check: row_count, min: 50}
    share_with: [station]
"""

STATION = """\
version: 1
team: station
owner: station@example.org
models:
  species:
    task: classification
    train_on: coast.catches
    target: species
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.LogisticRegression}]}
    objective: {metric: f1_macro}
    promotion: {beat_champion: false}
    predict:
      input: coast.catches
      keep: [species]
      batch_rows: 60
      probabilities: [cod, hake, ling]
      explain: {features: 1, max_rows: 5}
      export: {connection: warehouse, table: station_scores, mode: append}
      checks:
        - {check: between, column: probability, min: 0.3, max: 1}
      share_with: [office]
"""

OFFICE = """\
version: 1
team: office
owner: office@example.org
datasets:
  landed:
    source: {type: dataset, dataset: station.species_predictions}
    transforms:
      - type: sql
        query: |
          select prediction as species, count(*) as fish, max(model_version) as model_version
          from source group by 1
"""

CATCHES, TRAIN, PREDICTION, LANDED = (
    *("coast.catches", "station.species.train", "station.species.predict", "office.landed"),
)


class Fishery(Installation):
    """Teams `coast`, `station` and `office` on the shared Airflow."""

    @property
    def source(self) -> Path:
        """The file that the producer reads."""
        return self.project / "data" / "coast.csv"

    def day(self) -> "Day":
        """Publish the rows as they are, and wait for all that follows."""
        catches = self.event_of(self.run(CATCHES))
        with_old = self.started_by(catches, PREDICTION)
        training = self.started_by(catches, TRAIN)
        promotion = self.event_of(training)
        with_new = self.started_by(promotion, PREDICTION)
        return Day(catches, with_old, training, promotion, with_new)

    def rows(self, event: AssetEvent) -> pa.Table:
        """The rows of the snapshot that an event names."""
        return self.lake.scan(event.extra["dataset"], event.extra["version"]).to_table()


class Day:
    """What the publication of new rows has set off."""

    def __init__(
        self,
        catches: AssetEvent,
        with_old: DagRun,
        training: DagRun,
        promotion: AssetEvent,
        with_new: DagRun,
    ) -> None:
        self.catches = catches
        self.with_old = with_old
        """The prediction that the rows have started, by the champion of that time."""
        self.training = training
        self.promotion = promotion
        self.with_new = with_new
        """The prediction that the promotion has started."""


@pytest.fixture(scope="module")
def fishery(installation: Installation) -> Fishery:
    installation.add(
        {
            "data/coast.csv": flowers().to_csv(index=False),
            "configs/coast.yaml": COAST,
            "configs/station.yaml": STATION,
            "configs/office.yaml": OFFICE,
        }
    )
    return Fishery.of(installation)


@pytest.fixture(scope="module")
def first(fishery: Fishery) -> Day:
    return fishery.day()


def test_model_without_a_champion_predicts_nothing_and_says_what_to_do(
    fishery: Fishery, first: Day
):
    """The first rows come when nobody has been promoted yet."""
    assert first.with_old.state == "success"
    states = fishery.states(first.with_old)
    assert {states[name] for name in ("inputs", "predict", "check", "publish", "export")} == {
        "skipped"
    }
    assert states["close_workspace"] == "success"
    assert fishery.airflow.asset_events(dag_id=PREDICTION, run_id=first.with_old.dag_run_id) == []
    log = " ".join(fishery.log_of(first.with_old, "inputs").split())
    assert (
        "Nothing to do: station.species has no champion, so there is nothing to predict with" in log
    )
    assert "Run the DAG station.species.train" in log


def test_promotion_starts_a_prediction_whose_rows_name_model_and_input(
    fishery: Fishery, first: Day
):
    assert first.training.state == "success"
    assert (first.promotion.name, first.promotion.extra["version"]) == ("station.species", 1)
    assert (first.with_new.state, first.with_new.run_type) == ("success", "asset_triggered")
    event = fishery.event_of(first.with_new)
    assert event.name == "station.species_predictions"
    assert event.extra["rows"] == 150
    assert (event.extra["model"], event.extra["model_version"]) == ("station.species", 1)
    assert (event.extra["input"], event.extra["input_version"]) == ("coast.catches", 0)
    rows = fishery.rows(event)
    assert rows.column_names == [
        *("species", "prediction", "probability"),
        *("probability_cod", "probability_hake", "probability_ling"),
        *("feature_1", "contribution_1", "model_version", "input_version"),
    ]
    assert rows["feature_1"].null_count == 145
    assert set(rows["model_version"].to_pylist()) == {1}
    assert set(rows["input_version"].to_pylist()) == {0}
    pairs = zip(rows["species"].to_pylist(), rows["prediction"].to_pylist(), strict=True)
    assert sum(truth == said for truth, said in pairs) > 130


def test_predictions_are_in_the_database_too(fishery: Fishery, first: Day, database: Database):
    assert fishery.states(first.with_new)["export"] == "success"
    assert stored(database) == [(1, 0, 150, 3)]


def stored(database: Database) -> list[tuple]:
    """The versions and snapshots whose predictions are in the table, with their rows and classes."""
    query = (
        "select model_version, input_version, count(*), count(distinct prediction) "
        "from station_scores group by 1, 2 order by 1, 2"
    )
    return list(database.query(query))


def test_dataset_of_another_team_is_made_of_the_predictions(fishery: Fishery, first: Day):
    """The fourth DAG of the chain, over three datasets and a model."""
    run = fishery.started_by(fishery.event_of(first.with_new), LANDED)
    assert run.state == "success"
    rows = fishery.rows(fishery.event_of(run))
    assert sum(rows["fish"].to_pylist()) == 150
    assert set(rows["species"].to_pylist()) == {"cod", "hake", "ling"}


def test_lineage_leads_from_the_input_to_the_predictions(fishery: Fishery, first: Day):
    lines = fishery.runtime.home.lineage.read_text().splitlines()
    completed = {
        event["job"]["name"]: event
        for event in map(json.loads, lines)
        if event["eventType"] == "COMPLETE"
    }
    read = {one["name"].rpartition("/")[2] for one in completed[f"{PREDICTION}.predict"]["inputs"]}
    assert "catches" in read
    (written,) = completed[f"{PREDICTION}.publish"]["outputs"]
    assert written["name"].endswith("/station/species_predictions")
    assert written["facets"]["version"]["datasetVersion"] == "0"
    (table,) = completed[f"{PREDICTION}.export"]["outputs"]
    # The server's own name is a secret of the connection in the tests.
    assert table["name"].endswith(".public.station_scores")


@pytest.fixture(scope="module")
def second(fishery: Fishery, first: Day) -> Day:
    rows = flowers()
    rows.loc[3, "petal_length"] = 1.9
    rows.to_csv(fishery.source, index=False)
    return fishery.day()


def test_new_rows_are_predicted_by_the_champion_of_the_time(fishery: Fishery, second: Day):
    assert second.with_old.state == "success"
    rows = fishery.rows(fishery.event_of(second.with_old))
    assert set(rows["model_version"].to_pylist()) == {1}
    assert set(rows["input_version"].to_pylist()) == {1}


def test_next_champion_predicts_again_and_its_rows_name_it(
    fishery: Fishery, second: Day, database: Database
):
    assert second.promotion.extra["version"] == 2
    assert second.with_new.state == "success"
    event = fishery.event_of(second.with_new)
    rows = fishery.rows(event)
    assert set(rows["model_version"].to_pylist()) == {2}
    assert set(rows["input_version"].to_pylist()) == {1}
    landed = fishery.rows(fishery.event_of(fishery.started_by(event, LANDED)))
    assert set(landed["model_version"].to_pylist()) == {2}
    assert [row[:3] for row in stored(database)] == [(1, 0, 150), (1, 1, 150), (2, 1, 150)]


def test_predicting_the_same_again_makes_no_snapshot_and_mends_the_table(
    fishery: Fishery, second: Day, database: Database
):
    newest = fishery.lake.newest("station.species_predictions")
    database.query("delete from station_scores where model_version = 2")
    run = fishery.run(PREDICTION)
    assert (run.state, fishery.states(run)["publish"]) == ("success", "skipped")
    assert [row[:3] for row in stored(database)] == [(1, 0, 150), (1, 1, 150), (2, 1, 150)]
    assert fishery.lake.newest("station.species_predictions") == newest


def test_the_same_predictions_are_told_again_when_a_person_asks_for_it(
    fishery: Fishery, second: Day
):
    """The run's param reaches the task, though DAG params stay out of the tasks' documents."""
    newest = fishery.lake.newest("station.species_predictions")
    run = fishery.run(PREDICTION, publish_unchanged=True)
    assert (run.state, fishery.states(run)["publish"]) == ("success", "success")
    assert fishery.event_of(run).extra["version"] == newest.version
    assert fishery.lake.newest("station.species_predictions") == newest


def test_older_snapshot_is_predicted_when_a_person_names_it(fishery: Fishery, second: Day):
    run = fishery.run(PREDICTION, versions={"coast.catches": 0})
    assert run.state == "success"
    event = fishery.event_of(run)
    assert (event.extra["model_version"], event.extra["input_version"]) == (2, 0)


def test_rollback_brings_the_earlier_versions_predictions_back(fishery: Fishery, second: Day):
    done = fishery.factory("rollback", "station.species", "--why", "complaints")
    assert done.returncode == 0, done.stdout + done.stderr
    event = fishery.events("station.species")[-1]
    assert (event.name, event.extra["reason"], event.extra["version"]) == (
        *("station.species", "rollback", 1),
    )
    run = fishery.started_by(event, PREDICTION)
    assert run.state == "success"
    rows = fishery.rows(fishery.event_of(run))
    assert set(rows["model_version"].to_pylist()) == {1}
    assert set(rows["input_version"].to_pylist()) == {1}


def test_input_without_a_feature_is_refused_before_anything_is_published(
    fishery: Fishery, second: Day
):
    newest = fishery.lake.newest("station.species_predictions")
    # A training would learn from the column by its new name.
    fishery.airflow.unpause(TRAIN, paused=True)
    fishery.source.write_text(fishery.source.read_text().replace("petal_width", "petal_widht", 1))
    halted = fishery.run(CATCHES)
    assert halted.state == "failed"
    assert "petal_width" in fishery.log_of(halted, "check")
    catches = fishery.event_of(fishery.run(CATCHES, change_columns=True))
    run = fishery.started_by(catches, PREDICTION)
    assert run.state == "failed"
    log = fishery.log_of(run, "predict")
    assert "'petal_width' (did you mean `petal_widht`?)" in log
    assert fishery.lake.newest("station.species_predictions") == newest
