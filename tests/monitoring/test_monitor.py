"""A window from its snapshots to what is done about it: measured, reported, remembered, decided."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import mlflow
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from factory.base.errors import TerminalError
from factory.lake import publishing
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.lake.write import Write
from factory.models import registry, switching
from factory.models.batch_prediction import PredictionForm, predict
from factory.models.predictor import load_predictor
from factory.models.tracking import Tracking
from factory.monitoring.compared_rows import EmptyWindowError
from factory.monitoring.history import RecordedWindow, WindowDecision, act, recent, record
from factory.monitoring.measure import Measurement, measure
from factory.monitoring.report import write_report
from factory.monitoring.sections import Monitor
from factory.monitoring.window_rows import MonitoredData
from factory.training.model import Model
from tests.data.rows import lake_in
from tests.training.models import model, one_trial, penguins
from tests.training.training import Training

TRAINING, BIRDS, PREDICTIONS, TRUTH = "sea.known", "sea.birds", "sea.predictions", "sea.truth"
FEATURES = ["bill_length_mm", "body_mass_g", "sex"]


@dataclass
class World:
    """A model in production, and the datasets around it."""

    lake: Lake
    model: Model
    name: str
    tracking: Tracking
    folder: Path
    runs: int = 0

    def publish(self, dataset: str, rows: pa.Table) -> Snapshot:
        self.runs += 1
        file = self.folder / f"{self.runs}.parquet"
        pq.write_table(rows, file)
        published = publishing.publish(
            self.lake, dataset, file, Write(), run_id=f"run {self.runs}", emit_unchanged=True
        )
        return published.snapshot

    def predict(self, rows: pa.Table, version: int = 1, task: str = "classification") -> Snapshot:
        """Publish rows, predict them, publish the predictions."""
        birds = self.publish(BIRDS, rows)
        predictor = load_predictor(
            registry.version(self.name, version, tracking=self.tracking).record,
            tracking=self.tracking,
        )
        made = predict(
            self.lake.scan(BIRDS, birds.version),
            predictor,
            PredictionForm(task, ["bird"], birds.version),
            batch_rows=1000,
            file=self.folder / "predictions.parquet",
        )
        return self.publish(PREDICTIONS, pq.read_table(made.file))

    def measure(self, *snapshots: Snapshot, predictions: bool = True, **monitor) -> Measurement:
        section = Monitor.model_validate({"min_rows": 50, **monitor})
        workspace = self.folder / "run"
        workspace.mkdir(exist_ok=True)
        watched = MonitoredData(
            model=self.name,
            train_on=(TRAINING,),
            current=(BIRDS,),
            predictions=PREDICTIONS if predictions else None,
            truth=TRUTH if section.truth else None,
        )
        found = measure(
            watched,
            self.model,
            section,
            {snapshot.dataset: snapshot for snapshot in snapshots},
            lake=self.lake,
            tracking=self.tracking,
            workspace=workspace,
        )
        return Measurement.from_json(found.as_json())

    def decide(
        self, found: Measurement, run_id: str, **monitor
    ) -> tuple[WindowDecision, RecordedWindow]:
        """Record a window and act on it, as the tasks do."""
        tracking = self.tracking
        files = self.folder / "report"
        write_report(found, recent(self.name, found.version, 10, tracking=tracking), files)
        recorded = record(found, dag_id="x", run_id=run_id, tracking=tracking, files=files)
        section = Monitor.model_validate({"on_breach": ["retrain"], **monitor})
        newest = {TRAINING: self.lake.newest(TRAINING).version}
        return act(found, recorded, section, newest=newest, tracking=tracking), recorded


def birds() -> pa.Table:
    """Penguins with a number each."""
    rows = penguins()
    return rows.append_column("bird", pa.array(range(rows.num_rows)))


def without_truth(rows: pa.Table) -> pa.Table:
    return rows.drop_columns("species")


def heavier() -> pa.Table:
    """Birds that are all half as heavy again."""
    frame = without_truth(birds()).to_pandas()
    frame["body_mass_g"] *= 1.5
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, mlflow_server) -> Training:
    """A registered version, trained once for all tests."""
    config = model(
        train_on=TRAINING.split(".")[1],
        features=FEATURES,
        search=one_trial("sklearn.linear_model.LogisticRegression", max_iter=1000),
        predict={"input": "birds", "keep": ["bird"]},
    )
    training = Training(birds(), config, tmp_path_factory.mktemp("training"), mlflow_server)
    training.run = replace(training.run, snapshots={TRAINING: 0})
    training.all()
    return training


@pytest.fixture
def world(tmp_path, trained) -> World:
    """The trained version in production under a name of its own, beside an empty lake."""
    name, tracking = f"sea.m_{uuid4().hex[:8]}", trained.tracking
    source = tracking.client.get_model_version(trained.name, "1")
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.register_model(source.source, name, tags=source.tags)
    switching.promote(name, 1, instead_of=None, by="test", why="first", tracking=tracking)
    found = World(lake_in(tmp_path), trained.model, name, tracking, tmp_path)
    found.publish(TRAINING, birds())
    return found


def test_rows_like_those_of_the_training_are_no_breach(world):
    predictions = world.predict(without_truth(birds()))
    found = world.measure(predictions)
    assert found.findings == ()
    assert not found.breached
    assert (found.reference_rows, found.current_rows, found.version) == (344, 344, 1)
    assert found.window == {PREDICTIONS: 0, BIRDS: 0}
    assert found.reference == {TRAINING: 0}
    assert {column.column for column in found.columns} == set(FEATURES)
    assert found.prediction.statistic < 0.05


def test_shifted_feature_and_what_it_does_to_predictions_are_found(world):
    found = world.measure(world.predict(heavier()))
    assert found.breached
    assert [column.column for column in found.drifted] == ["body_mass_g"]
    assert found.prediction.drifted
    assert [text.split(":")[0] for text in found.findings] == [
        "drift of body_mass_g",
        "drift of prediction",
    ]


def test_reference_is_the_snapshot_of_the_training_and_not_the_newest(world):
    world.publish(TRAINING, pa.Table.from_pandas(heavier().to_pandas().assign(species="Gentoo")))
    found = world.measure(world.predict(heavier()))
    assert found.breached
    assert found.reference == {TRAINING: 0}


def test_only_columns_that_are_asked_for_count(world):
    predictions = world.predict(heavier())
    drift = {"columns": ["sex"], "prediction": False}
    assert not world.measure(predictions, drift=drift).breached
    assert not world.measure(predictions, drift={"min_columns": 2, "prediction": False}).breached
    with pytest.raises(TerminalError, match=r"monitor.drift.columns.*'bill_lenght_mm'"):
        world.measure(predictions, drift={"columns": ["bill_lenght_mm"]})


def test_window_of_few_rows_is_shown_and_does_not_count(world):
    found = world.measure(world.predict(heavier().slice(0, 30)))
    assert found.findings
    assert not found.counts
    assert not found.breached


def test_sample_of_many_rows_is_the_same_each_time(world):
    predictions = world.predict(heavier())
    first, second = (world.measure(predictions, sample_rows=100) for _ in range(2))
    assert first == second
    assert {column.current_rows for column in first.columns} == {100}
    assert first.current_rows == 344


def test_newest_predictions_are_measured_where_a_snapshot_holds_older_ones_too(world):
    old = pq.read_table(as_parquet(world, world.predict(without_truth(birds()))))
    new = pq.read_table(as_parquet(world, world.predict(heavier())))
    both = world.publish(PREDICTIONS, pa.concat_tables([old, new]))
    found = world.measure(both)
    assert found.window[BIRDS] == 1
    assert found.current_rows == 344
    assert found.breached


def as_parquet(world: World, snapshot: Snapshot) -> pa.BufferReader:
    """The rows of a snapshot as a parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(world.lake.scan(snapshot.dataset, snapshot.version).to_table(), sink)
    return pa.BufferReader(sink.getvalue())


def test_without_predictions_the_champion_is_asked(world):
    rows = world.publish(BIRDS, heavier())
    found = world.measure(rows, predictions=False)
    assert found.breached
    assert found.prediction.drifted
    assert found.window == {BIRDS: 0}


def test_model_without_champion_or_predictions_is_nothing_to_watch(world):
    world.tracking.client.delete_registered_model_alias(world.name, "champion")
    rows = world.publish(BIRDS, heavier())
    with pytest.raises(EmptyWindowError, match="no champion yet"):
        world.measure(rows, predictions=False)
    empty = world.predict(heavier().slice(0, 0))
    with pytest.raises(EmptyWindowError, match="has no predictions"):
        world.measure(empty)


def test_version_that_was_trained_on_another_dataset_is_refused(world):
    predictions = world.predict(heavier())
    watched = MonitoredData(
        model=world.name, train_on=("sea.other",), current=(BIRDS,), predictions=PREDICTIONS
    )
    with pytest.raises(TerminalError, match=r"was not trained on sea.other, but on sea.known"):
        measure(
            watched,
            world.model,
            Monitor(),
            {PREDICTIONS: predictions},
            lake=world.lake,
            tracking=world.tracking,
            workspace=world.folder,
        )


def truth_of(rows: pa.Table, wrong: int = 0) -> pa.Table:
    """What was right, with so many rows changed."""
    frame = rows.select(["bird", "species"]).to_pandas()
    frame.loc[frame.index[:wrong], "species"] = "Macaroni"
    return pa.Table.from_pandas(frame, preserve_index=False)


QUALITY = {
    "truth": {"dataset": "truth", "keys": ["bird"]},
    "quality": {"accuracy": {"min": 0.8}},
}


def test_late_truth_is_joined_with_the_predictions_of_earlier_snapshots(world):
    world.predict(without_truth(birds()).slice(0, 200))
    predictions = world.predict(without_truth(birds()).slice(200))
    # Of the newest birds nobody knows anything yet.
    truth = world.publish(TRUTH, truth_of(birds().slice(0, 200)))
    found = world.measure(predictions, truth, **QUALITY)
    assert found.quality.rows == 200
    assert found.quality.predictions == 344
    assert found.quality.snapshots == (1, 0)
    assert found.quality.metrics["accuracy"] > 0.8
    assert "roc_auc" in found.quality.skipped


def test_metric_outside_its_limits_is_a_breach(world):
    predictions = world.predict(without_truth(birds()))
    truth = world.publish(TRUTH, truth_of(birds(), wrong=150))
    found = world.measure(predictions, truth, **QUALITY)
    assert found.breached
    (text,) = found.findings
    assert text.startswith("accuracy 0.5")
    assert text.endswith("is below 0.8 (on 344 rows with truth)")


def test_functions_of_a_team_are_limited_and_one_that_fails_is_told(
    world, tmp_path, monkeypatch, caplog
):
    (tmp_path / "sea_costs.py").write_text(
        "def wrong(truth, said):\n    return (truth != said).sum()\n"
        "def broken(truth, said):\n    return {}['price']\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    own = [
        {"name": name, "call": f"sea_costs.{name}", "goal": "minimize"}
        for name in ("wrong", "broken")
    ]
    section = world.model.model_dump(mode="json", exclude_defaults=True)
    world.model = Model.model_validate(section | {"metrics": own})
    predictions = world.predict(without_truth(birds()))
    truth = world.publish(TRUTH, truth_of(birds(), wrong=150))
    limits = {"wrong": {"max": 100}, "broken": {"max": 1}}
    found = world.measure(predictions, truth, **{**QUALITY, "quality": limits})
    (text,) = found.findings
    assert text.startswith("wrong 1")
    assert text.endswith("is above 100 (on 344 rows with truth)")
    assert f"{world.name}: no quality/broken: `sea_costs.broken` raised KeyError" in caplog.text


def test_too_few_rows_with_truth_do_not_count(world):
    predictions = world.predict(without_truth(birds()))
    truth = world.publish(TRUTH, truth_of(birds().slice(0, 60), wrong=60))
    found = world.measure(predictions, truth, **QUALITY)
    assert found.quality.metrics["accuracy"] == 0
    assert not found.breached


def test_predictions_of_other_versions_are_not_held_against_this_one(world):
    world.predict(without_truth(birds()).slice(0, 200))
    rows = pq.read_table(as_parquet(world, world.lake.newest(PREDICTIONS))).to_pandas()
    rows["model_version"], rows["prediction"] = 7, "Macaroni"
    world.publish(PREDICTIONS, pa.Table.from_pandas(rows, preserve_index=False))
    predictions = world.predict(without_truth(birds()).slice(0, 150))
    truth = world.publish(TRUTH, truth_of(birds()))
    found = world.measure(predictions, truth, **QUALITY)
    assert found.quality.rows == 200
    assert found.quality.metrics["accuracy"] > 0.8


def test_truth_that_is_not_published_yet_is_no_failure(world):
    assert world.measure(world.predict(without_truth(birds())), **QUALITY).quality is None


def test_keys_that_do_not_identify_a_row_of_truth_are_refused(world):
    predictions = world.predict(without_truth(birds()))
    twice = pa.concat_tables([truth_of(birds()), truth_of(birds().slice(0, 5))])
    truth = world.publish(TRUTH, twice)
    with pytest.raises(TerminalError, match=r"bird do not identify a row of sea.truth: 5 values"):
        world.measure(predictions, truth, **QUALITY)
    missing = world.publish(TRUTH, truth_of(birds()).rename_columns(["bird", "kind"]))
    with pytest.raises(TerminalError, match=r"sea.truth has no column species; it has bird, kind"):
        world.measure(predictions, missing, **QUALITY)


def test_report_is_one_file_with_plots_that_needs_nothing_else(world, tmp_path):
    found = world.measure(world.predict(heavier()))
    write_report(found, [], tmp_path / "page")
    text = (tmp_path / "page" / "report.html").read_text()
    assert "drift of body_mass_g" in text
    assert text.count("data:image/png;base64,") == len(FEATURES) + 1
    assert 'src="http' not in text
    assert "href=" not in text
    measured = json.loads((tmp_path / "page" / "measurement.json").read_text())
    assert Measurement.from_json(measured) == found


def test_names_in_the_report_are_text_and_no_markup(world, tmp_path):
    found = world.measure(world.predict(heavier()))
    evil = found.columns[0].model_copy(update={"column": "<script>alert(1)</script>"})
    write_report(found.model_copy(update={"columns": (evil,)}), [], tmp_path / "page")
    assert "<script>" not in (tmp_path / "page" / "report.html").read_text()


def test_window_is_kept_as_an_mlflow_run_with_metrics_per_feature_and_report(world):
    found = world.measure(world.predict(heavier()))
    decision, recorded = world.decide(found, "r1")
    client = world.tracking.client
    run = client.get_run(recorded.mlflow_run_id)
    assert run.data.tags["role"] == "monitor"
    assert run.data.tags["breached"] == "true"
    assert run.data.tags["reference.sea.known"] == "0"
    assert run.data.metrics["drift/body_mass_g"] > 0.2
    assert run.data.metrics["rows"] == 344
    assert "body_mass_g" in run.data.tags["mlflow.note.content"]
    files = {file.path for file in client.list_artifacts(recorded.mlflow_run_id, "monitor")}
    assert files == {"monitor/report.html", "monitor/measurement.json"}
    assert recorded.mlflow_run_id in recorded.url
    assert decision.breached


def test_second_try_of_a_run_replaces_its_window(world):
    found = world.measure(world.predict(heavier()))
    world.decide(found, "r1")
    world.decide(found, "r1")
    assert len(recent(world.name, 1, 10, tracking=world.tracking)) == 1


def test_breach_asks_for_a_training_once_there_are_other_rows_to_train_on(world):
    found = world.measure(world.predict(heavier()))
    decision, _ = world.decide(found, "r1")
    assert (decision.breached, decision.retrain) == (True, False)
    assert "no other rows to train on" in decision.why

    world.publish(TRAINING, birds().slice(0, 300))
    decision, _ = world.decide(found, "r2")
    assert (decision.breached, decision.retrain) == (True, True)
    assert decision.why.startswith("drift of body_mass_g: psi ")
    # A retry of the same task comes to the same.
    again, _ = world.decide(found, "r2")
    assert again.retrain

    decision, _ = world.decide(found, "r3")
    assert (decision.breached, decision.retrain) == (True, False)
    assert "was asked for before" in decision.why


def test_version_that_is_not_the_champion_any_more_asks_for_no_training(world):
    found = world.measure(world.predict(heavier()))
    world.publish(TRAINING, birds().slice(0, 300))
    world.tracking.client.delete_registered_model_alias(world.name, "champion")
    decision, _ = world.decide(found, "r1")
    assert (decision.breached, decision.retrain) == (True, False)
    assert "version 1 is no longer the champion, none is" in decision.why


def test_breach_takes_as_many_bad_windows_as_the_section_says(world):
    two_of_three = {"windows": {"breach": 2, "of": 3}}
    bad = world.measure(world.predict(heavier()))
    good = world.measure(world.predict(without_truth(birds())))
    small = world.measure(world.predict(heavier().slice(0, 30)))
    assert not world.decide(bad, "r1", **two_of_three)[0].breached
    # Measured again, it still is one window.
    assert not world.decide(bad, "r2", **two_of_three)[0].breached
    assert not world.decide(good, "r3", **two_of_three)[0].breached
    # A window that does not count takes no place among the three.
    assert not world.decide(small, "r4", **two_of_three)[0].breached
    again = world.measure(world.predict(heavier().slice(1)))
    decision, _ = world.decide(again, "r5", **two_of_three)
    assert decision.breached
    assert "2 of the last 3 windows are bad" in decision.why


def test_good_window_is_no_breach_however_bad_the_last_ones_were(world):
    one_of_two = {"windows": {"breach": 1, "of": 2}}
    bad = world.measure(world.predict(heavier()))
    good = world.measure(world.predict(without_truth(birds())))
    assert world.decide(bad, "r1", **one_of_two)[0].breached
    decision, _ = world.decide(good, "r2", **one_of_two)
    assert not decision.breached
    assert decision.why == "nothing has changed much"


def test_feature_without_values_any_more_is_found(world):
    frame = without_truth(birds()).to_pandas().assign(sex=pd.Series([None] * 344, dtype=object))
    rows = pa.Table.from_pandas(frame, preserve_index=False).set_column(
        0, "species_guess", pa.nulls(344, pa.string())
    )
    found = world.measure(
        world.predict(
            rows.cast(
                rows.schema.set(rows.schema.get_field_index("sex"), pa.field("sex", pa.string()))
            )
        )
    )
    (column,) = [one for one in found.columns if one.column == "sex"]
    assert column.drifted
    assert column.note == "no values any more"
