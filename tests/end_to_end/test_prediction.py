"""Predictions follow data and promotions by themselves, and other teams live on them.

Rows of team sea train the model of team lab; its champion predicts every new snapshot, and team
office publishes a dataset made of the predictions. The tests build on each other, as days in the
life of one installation do.
"""

import json
import shutil
from collections.abc import Iterator

import pyarrow as pa
import pytest

from factory.lake.storage import address as storage
from factory.lake.table import Lake
from factory.runtime.airflow_models import AssetEvent, DagRun
from factory.runtime.embedded import EmbeddedRuntime
from tests.end_to_end.conftest import LONG, REPOSITORY, SEA, Installation

LAB = """\
version: 1
team: lab
owner: lab@example.org
models:
  species:
    task: classification
    train_on: sea.catches
    target: species
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.LogisticRegression}]}
    objective: {metric: f1_macro}
    promotion: {beat_champion: false}
    predict:
      input: sea.catches
      keep: [species]
      batch_rows: 60
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
    source: {type: dataset, dataset: lab.species_predictions}
    transforms:
      - type: sql
        query: |
          select prediction as species, count(*) as fish, max(model_version) as model_version
          from source group by 1
"""

CATCHES, TRAIN, PREDICTION, LANDED = (
    *("sea.catches", "lab.species.train", "lab.species.predict", "office.landed"),
)


class Fishery(Installation):
    """The running project, and what a test asks it."""

    def started_by(self, event: AssetEvent, dag_id: str) -> DagRun:
        """The run of a DAG that an event has started, at its end."""

        def started() -> DagRun | None:
            found = next(one for one in self.airflow.asset_events() if one.id == event.id)
            runs = [run for run in found.created_dagruns if run.dag_id == dag_id]
            return self.airflow.run(dag_id, runs[0].run_id) if runs else None

        run = self.airflow.wait_until(started, f"a run of {dag_id}", seconds=60)
        return self.airflow.wait_for_run(dag_id, run.dag_run_id, seconds=LONG)

    def event_of(self, run: DagRun) -> AssetEvent:
        """The one event that a run emitted."""
        (event,) = self.airflow.asset_events(dag_id=run.dag_id, run_id=run.dag_run_id)
        return event

    def day(self) -> "Day":
        """Publish the rows as they are, and wait for all that follows."""
        catches = self.event_of(self.produce())
        with_old = self.started_by(catches, PREDICTION)
        training = self.started_by(catches, TRAIN)
        promotion = self.event_of(training)
        with_new = self.started_by(promotion, PREDICTION)
        return Day(catches, with_old, training, promotion, with_new)

    @property
    def lake(self) -> Lake:
        """Where snapshots lie."""
        return Lake(storage.resolve(".factory/lake", self.project))

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
def fishery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fishery]:
    """Airflow and MLflow on ports of their own, all DAGs parsed and unpaused."""
    project = tmp_path_factory.mktemp("fishery")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "dags", project / "dags", ignore=ignored)
    (project / "configs").mkdir()
    configs = {
        "_defaults": "version: 1\npython_packages: [sklearn]\n",
        "sea": SEA,
        "lab": LAB,
        "office": OFFICE,
    }
    for name, text in configs.items():
        (project / "configs" / f"{name}.yaml").write_text(text)
    strict = {"AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error"}
    with EmbeddedRuntime(project, environment=strict) as runtime, runtime.airflow as airflow:
        found = Fishery(project, runtime, airflow)
        found.write_rows()
        dag_ids = (LANDED, PREDICTION, TRAIN, CATCHES)

        def parsed() -> bool:
            return set(dag_ids) <= {dag.dag_id for dag in airflow.dags()}

        airflow.wait_until(parsed, "all teams' DAGs", seconds=60)
        for dag_id in dag_ids:
            airflow.unpause(dag_id)
        yield found


@pytest.fixture(scope="module")
def first(fishery: Fishery) -> Day:
    return fishery.day()


def test_model_without_a_champion_predicts_nothing_and_says_what_to_do(
    fishery: Fishery, first: Day
):
    """The first rows come when nobody has been promoted yet."""
    assert first.with_old.state == "failed"
    tasks = fishery.airflow.tasks(PREDICTION, first.with_old.dag_run_id)
    states = {task.task_id: task.state for task in tasks}
    assert states["inputs"] == "failed"
    assert {states[name] for name in ("predict", "check", "publish")} == {"upstream_failed"}
    assert states["close_workspace"] == "success"
    assert fishery.airflow.asset_events(dag_id=PREDICTION, run_id=first.with_old.dag_run_id) == []
    log = fishery.log_of(first.with_old, "inputs")
    assert "lab.species has no champion, so there is nothing to predict with" in log
    assert "Run the DAG lab.species.train" in log
    # No retry can mend it.
    assert [task.try_number for task in tasks if task.task_id == "inputs"] == [1]


def test_promotion_starts_a_prediction_whose_rows_name_model_and_input(
    fishery: Fishery, first: Day
):
    assert first.training.state == "success"
    assert (first.promotion.name, first.promotion.extra["version"]) == ("lab.species", 1)
    assert (first.with_new.state, first.with_new.run_type) == ("success", "asset_triggered")
    event = fishery.event_of(first.with_new)
    assert event.name == "lab.species_predictions"
    assert event.extra["rows"] == 150
    assert (event.extra["model"], event.extra["model_version"]) == ("lab.species", 1)
    assert (event.extra["input"], event.extra["input_version"]) == ("sea.catches", 0)
    rows = fishery.rows(event)
    assert rows.column_names == [
        *("species", "prediction", "probability", "model_version", "input_version")
    ]
    assert set(rows["model_version"].to_pylist()) == {1}
    assert set(rows["input_version"].to_pylist()) == {0}
    pairs = zip(rows["species"].to_pylist(), rows["prediction"].to_pylist(), strict=True)
    assert sum(truth == said for truth, said in pairs) > 130


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
    assert written["name"].endswith("/lab/species_predictions")
    assert written["facets"]["version"]["datasetVersion"] == "0"


@pytest.fixture(scope="module")
def second(fishery: Fishery, first: Day) -> Day:
    fishery.write_rows(petal_length=(3, 1.9))
    return fishery.day()


def test_new_rows_are_predicted_by_the_champion_of_the_time(fishery: Fishery, second: Day):
    assert second.with_old.state == "success"
    rows = fishery.rows(fishery.event_of(second.with_old))
    assert set(rows["model_version"].to_pylist()) == {1}
    assert set(rows["input_version"].to_pylist()) == {1}


def test_next_champion_predicts_again_and_its_rows_name_it(fishery: Fishery, second: Day):
    assert second.promotion.extra["version"] == 2
    assert second.with_new.state == "success"
    event = fishery.event_of(second.with_new)
    rows = fishery.rows(event)
    assert set(rows["model_version"].to_pylist()) == {2}
    assert set(rows["input_version"].to_pylist()) == {1}
    landed = fishery.rows(fishery.event_of(fishery.started_by(event, LANDED)))
    assert set(landed["model_version"].to_pylist()) == {2}


def test_predicting_the_same_again_makes_no_snapshot(fishery: Fishery, second: Day):
    newest = fishery.lake.newest("lab.species_predictions")
    run = fishery.airflow.trigger(PREDICTION)
    run = fishery.airflow.wait_for_run(PREDICTION, run.dag_run_id, seconds=LONG)
    states = {
        task.task_id: task.state for task in fishery.airflow.tasks(PREDICTION, run.dag_run_id)
    }
    assert (run.state, states["publish"]) == ("success", "skipped")
    assert fishery.lake.newest("lab.species_predictions") == newest


def test_older_snapshot_is_predicted_when_a_person_names_it(fishery: Fishery, second: Day):
    run = fishery.airflow.trigger(PREDICTION, conf={"versions": {"sea.catches": 0}})
    run = fishery.airflow.wait_for_run(PREDICTION, run.dag_run_id, seconds=LONG)
    assert run.state == "success"
    event = fishery.event_of(run)
    assert (event.extra["model_version"], event.extra["input_version"]) == (2, 0)


def test_rollback_brings_the_earlier_versions_predictions_back(fishery: Fishery, second: Day):
    done = fishery.factory("rollback", "lab.species", "--why", "complaints")
    assert done.returncode == 0, done.stdout + done.stderr
    event = fishery.airflow.asset_events()[-1]
    assert (event.name, event.extra["reason"], event.extra["version"]) == (
        *("lab.species", "rollback", 1),
    )
    run = fishery.started_by(event, PREDICTION)
    assert run.state == "success"
    rows = fishery.rows(fishery.event_of(run))
    assert set(rows["model_version"].to_pylist()) == {1}
    assert set(rows["input_version"].to_pylist()) == {1}


def test_input_without_a_feature_is_refused_before_anything_is_published(
    fishery: Fishery, second: Day
):
    newest = fishery.lake.newest("lab.species_predictions")
    # A training would learn from the column by its new name.
    fishery.airflow.unpause(TRAIN, paused=True)
    source = fishery.project / "data" / "catches.csv"
    source.write_text(source.read_text().replace("petal_width", "petal_widht", 1))
    catches = fishery.event_of(fishery.produce())
    run = fishery.started_by(catches, PREDICTION)
    assert run.state == "failed"
    log = fishery.log_of(run, "predict")
    assert "'petal_width' (did you mean `petal_widht`?)" in log
    assert fishery.lake.newest("lab.species_predictions") == newest
