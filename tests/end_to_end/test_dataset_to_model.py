"""Rows in, a model out, by datasets alone: what the whole system promises, on a real Airflow.

The tests build on each other, as days in the life of one installation do.
"""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from factory.base.workspace import OWNER, workspace_path
from factory.runtime.airflow_records import AssetEvent, DagRun
from tests.harness.airflow import Installation
from tests.harness.project import flowers

SEA = f"""\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    source: {{type: csv, path: data/catches.csv}}
    checks:
      - {{check: not_null, columns: [species]}}
      - {{check: row_count, min: 50}}
    share_with: [lab]
    after:
      count:
        operator: airflow.providers.standard.operators.bash.BashOperator
        bash_command: |
          "{sys.executable}" -c "from factory import read; print(read('sea.catches').num_rows, 'rows are there')"
      tell:
        operator: airflow.providers.standard.operators.bash.BashOperator
        bash_command: echo "version {{{{ ti.xcom_pull('publish')['version'] }}}} is out"
        dependencies: [count]
"""

LAB = """\
version: 1
team: lab
owner: lab@example.org
models:
  species:
    task: classification
    train_on: sea.catches
    target: species
    search:
      strategy: grid
      candidates:
        - {estimator: sklearn.linear_model.LogisticRegression, params: {C: [0.1, 1.0, 10.0]}}
        - {estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 2}}
    objective: {metric: f1_macro}
    class_weight: balanced
    refit: train+validation
    after:
      tell:
        operator: airflow.providers.standard.operators.bash.BashOperator
        bash_command: echo "{{ ti.xcom_pull('register')['model'] }} is decided on"
"""

PRODUCER = "sea.catches"
CONSUMER = "lab.species.train"
TRIALS = 4


class Lab(Installation):
    """Teams `sea` and `lab` on the shared Airflow."""

    def write_rows(self, **changes: tuple[int, object]) -> None:
        """Write the source file: flowers, with some cells changed, as `column=(row, value)`."""
        frame = flowers()
        for column, (row, value) in changes.items():
            frame.loc[row, column] = value
        frame.to_csv(self.project / "data" / "catches.csv", index=False)

    def workspace_of(self, run: DagRun) -> Path:
        """The scratch folder of a run, whether or not it is there."""
        return workspace_path(self.project / ".factory" / "workspace", run.dag_id, run.dag_run_id)

    def produced(self) -> list[AssetEvent]:
        """Everything that the producer has emitted."""
        return self.events(PRODUCER)


@dataclass
class Chain:
    """A producer's run, the event that it emitted and the training run that this started."""

    producer: DagRun
    event: AssetEvent
    training: DagRun


@pytest.fixture(scope="module")
def lab(installation: Installation) -> Lab:
    rows = flowers().to_csv(index=False)
    installation.add({"data/catches.csv": rows, "configs/sea.yaml": SEA, "configs/lab.yaml": LAB})
    return Lab.of(installation)


@pytest.fixture(scope="module")
def first(lab: Lab) -> Chain:
    """The first publication and what follows from it."""
    producer = lab.run(PRODUCER)
    (event,) = lab.produced()
    return Chain(producer, event, lab.started_by(event, CONSUMER))


def mlflow_of(lab: Lab) -> MlflowClient:
    return lab.tracking.client


def test_dataset_starts_training_and_training_reads_the_events_snapshot(lab: Lab, first: Chain):
    assert (first.producer.state, first.training.state) == ("success", "success")
    assert first.training.run_type == "asset_triggered"
    (upstream,) = lab.airflow.upstream_asset_events(CONSUMER, first.training.dag_run_id)
    assert upstream.id == first.event.id
    assert first.event.extra["version"] == 0
    assert first.event.extra["rows"] == 150
    assert first.event.extra["checks"]["passed"] == 2

    mlflow = mlflow_of(lab)
    experiment = mlflow.get_experiment_by_name("lab.species")
    runs = mlflow.search_runs([experiment.experiment_id])
    roles = Counter(run.data.tags["role"] for run in runs)
    assert roles == {"sweep": 1, "trial": TRIALS}
    assert {run.data.tags["snapshot.sea.catches"] for run in runs} == {"0"}
    assert {run.data.tags["trigger"] for run in runs} == {"asset"}


def test_each_hyperparameter_set_is_one_instance_of_the_mapped_task(lab: Lab, first: Chain):
    instances = lab.tasks(first.training, "trial")
    assert sorted(task.map_index for task in instances) == list(range(TRIALS))
    labels = {task.rendered_map_index for task in instances}
    assert len(labels) == TRIALS
    assert any("C=0.1" in label for label in labels)


def test_winner_is_registered_with_its_data_and_can_be_loaded(lab: Lab, first: Chain):
    result = lab.airflow.xcom(CONSUMER, first.training.dag_run_id, "register")
    assert result["model"] == "lab.species"
    assert result["trials"] == TRIALS
    assert result["score"] > 0.8
    version = mlflow_of(lab).get_model_version("lab.species", str(result["version"]))
    assert version.tags["snapshot.sea.catches"] == "0"
    assert mlflow_of(lab).get_model_version_by_alias("lab.species", "champion")


def test_winner_is_trained_once_more_before_it_is_tested(lab: Lab, first: Chain):
    names = ("select_best", "refit", "test")
    tasks = [lab.task(first.training, name) for name in names]
    assert [task.state for task in tasks] == ["success"] * 3
    chosen, again = (
        lab.airflow.xcom(CONSUMER, first.training.dag_run_id, name)["winner"]["fit"]
        for name in names[:2]
    )
    assert again["model_file"] != chosen["model_file"]
    run = lab.tracking.client.get_run(lab.version("lab.species", 1).record.mlflow_run_id).data
    assert run.tags["refit"] == "train+validation"
    assert run.metrics["refit_rows"] == run.metrics["rows_train"] + run.metrics["rows_validation"]


def test_own_tasks_come_after_publication_and_after_the_decision(lab: Lab, first: Chain):
    for run, said in (
        (first.producer, {"count": "150 rows are there", "tell": "version 0 is out"}),
        (first.training, {"tell": "lab.species is decided on"}),
    ):
        tasks = {task.task_id: task for task in lab.airflow.tasks(run.dag_id, run.dag_run_id)}
        for name, line in said.items():
            assert tasks[name].state == "success"
            assert line in "\n".join(lab.airflow.log(tasks[name]))


def test_tasks_lead_to_their_pages_in_mlflow_and_these_lead_back(lab: Lab, first: Chain):
    run, version = first.training, lab.version("lab.species", 1)
    address = f"{lab.runtime.ports.mlflow_url}/#"
    experiment = lab.tracking.client.get_experiment_by_name("lab.species").experiment_id
    runs = f"{address}/experiments/{experiment}/runs"
    leads = {task: lab.airflow.links(lab.task(run, task)) for task in ("plan_trials", "register")}
    training = "?workflowType=machine_learning"
    assert leads == {
        "plan_trials": {"MLflow": f"{runs}/{version.record.mlflow_run_id}{training}"},
        "register": {"MLflow": f"{address}/models/lab.species/versions/1{training}"},
    }
    trials = [lab.airflow.links(task)["MLflow"] for task in lab.tasks(run, "trial")]
    assert len(set(trials)) == TRIALS
    assert all(page.startswith(f"{runs}/") for page in trials)
    note = lab.tracking.client.get_run(version.record.mlflow_run_id).data.tags[MLFLOW_RUN_NOTE]
    airflow = lab.runtime.ports.airflow_url
    assert f"[The run in Airflow]({airflow}/dags/{CONSUMER}/runs/" in note
    snapshot = f"{airflow}/factory/datasets/sea.catches?version=0"
    assert f"[sea.catches version 0]({snapshot})" in note
    assert lab.airflow.links(lab.task(first.producer, "publish")) == {"Snapshot": snapshot}


def test_workspaces_are_gone_when_runs_have_ended(lab: Lab, first: Chain):
    folders = [lab.workspace_of(run) for run in (first.producer, first.training)]
    assert [folder for folder in folders if folder.exists()] == []


def test_lineage_events_name_the_dataset_and_the_version(lab: Lab, first: Chain):
    events = [json.loads(line) for line in lab.runtime.home.lineage.read_text().splitlines()]
    completed = {
        event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"
    }
    (read,) = completed[f"{CONSUMER}.split"]["inputs"]
    (written,) = completed[f"{PRODUCER}.publish"]["outputs"]
    assert read["name"].endswith("/sea/catches")
    assert (read["namespace"], read["name"]) == (written["namespace"], written["name"])
    assert read["facets"]["version"]["datasetVersion"] == "0"
    assert written["facets"]["version"]["datasetVersion"] == "0"


@pytest.fixture(scope="module")
def unchanged(lab: Lab, first: Chain):
    return lab.run(PRODUCER)


def test_republishing_unchanged_content_emits_no_event(lab: Lab, unchanged):
    assert unchanged.state == "success"
    tasks = lab.airflow.tasks(PRODUCER, unchanged.dag_run_id)
    states = {task.task_id: task.state for task in tasks}
    assert (states["publish"], states["count"], states["tell"]) == ("skipped",) * 3
    assert states["close_workspace"] == "success"
    assert len(lab.produced()) == 1


@pytest.fixture(scope="module")
def refused(lab: Lab, unchanged):
    lab.write_rows(species=(7, None))
    return lab.run(PRODUCER)


def test_failing_check_emits_no_event_and_starts_no_training(lab: Lab, refused):
    assert refused.state == "failed"
    tasks = lab.airflow.tasks(PRODUCER, refused.dag_run_id)
    states = {task.task_id: task.state for task in tasks}
    assert (states["check"], states["publish"]) == ("failed", "upstream_failed")
    assert states["close_workspace"] == "success"
    assert len(lab.produced()) == 1
    log = lab.log_of(refused, "check")
    assert "not_null" in log
    assert "1 row" in log
    # No retry can mend bad rows: the task has failed at its first attempt.
    assert [task.try_number for task in tasks if task.task_id == "check"] == [1]


@pytest.fixture(scope="module")
def second(lab: Lab, refused) -> Chain:
    lab.write_rows(petal_length=(3, 1.9))
    producer = lab.run(PRODUCER)
    _, event = lab.produced()
    return Chain(producer, event, lab.started_by(event, CONSUMER))


def test_changed_rows_make_a_new_snapshot_a_new_run_and_a_new_model_version(
    lab: Lab, first: Chain, second: Chain
):
    assert second.event.extra["version"] == 1
    assert second.event.extra["content_hash"] != first.event.extra["content_hash"]
    assert second.training.state == "success"
    # One training run an event: neither the unchanged nor the refused rows have started one.
    assert len(lab.airflow.runs(CONSUMER)) == 2
    results = [
        lab.airflow.xcom(CONSUMER, chain.training.dag_run_id, "register")
        for chain in (first, second)
    ]
    assert [result["version"] for result in results] == [1, 2]
    assert [result["snapshots"] for result in results] == [{"sea.catches": 0}, {"sea.catches": 1}]


def test_broken_team_takes_nothing_away_and_shows_its_line(lab: Lab, second: Chain):
    airflow = lab.airflow
    broken = lab.project / "configs" / "reef.yaml"
    broken.write_text(
        "version: 1\nteam: reef\nowner: reef@example.org\n"
        "datasets:\n  corals:\n    source: {type: csv, paht: data/corals.csv}\n"
    )
    try:
        (problem,) = airflow.wait_until(airflow.import_errors, "an import error", seconds=90)
        assert problem.filename.endswith("config_errors.py")
        assert "reef.yaml:6:" in problem.stack_trace
        assert "paht" in problem.stack_trace
        # The healthy teams have been parsed beside it, and run as before.
        for dag_id in (PRODUCER, CONSUMER):
            airflow.reparse(dag_id)
        assert lab.run(PRODUCER).state == "success"
        dags = {dag.dag_id: dag for dag in airflow.dags()}
        assert {PRODUCER, CONSUMER} <= set(dags)
        assert not dags[PRODUCER].is_stale
        assert not dags[CONSUMER].is_stale
    finally:
        broken.unlink()
    airflow.wait_until(lambda: not airflow.import_errors(), "no import error", seconds=90)


@pytest.fixture(scope="module")
def restored(lab: Lab, second: Chain) -> tuple[AssetEvent, DagRun]:
    """The event of a restored version, and the training run that it started, not yet at its end."""
    url = lab.runtime.ports.airflow_url
    done = lab.factory("restore", PRODUCER, "--to", "0", "--airflow-url", url)
    assert done.returncode == 0, done.stdout + done.stderr
    event = lab.produced()[-1]
    return event, lab.begun_by(event, CONSUMER)


def test_workspaces_of_runs_at_work_are_not_leftovers(lab: Lab, restored):
    _, training = restored
    owner = lab.workspace_of(training) / OWNER
    lab.airflow.wait_until(owner.exists, "a workspace of the training", seconds=90)
    left = lab.workspace_of(training.model_copy(update={"dag_run_id": "killed"})) / OWNER
    left.parent.mkdir()
    left.write_text(json.dumps(json.loads(owner.read_text()) | {"run_id": "killed"}))

    url = lab.runtime.ports.airflow_url
    would = lab.factory("clean", "--dry-run", "--older-than", "0s", "--airflow-url", url)
    assert would.returncode == 0, would.stdout + would.stderr
    assert f"workspace of {CONSUMER} killed" in would.stdout
    assert training.dag_run_id not in would.stdout


def test_event_of_a_restored_version_trains_on_it(lab: Lab, first: Chain, restored):
    event, training = restored
    assert (event.extra["rows"], event.extra["restored"]) == (150, 0)
    assert event.extra["content_hash"] == first.event.extra["content_hash"]
    assert lab.end_of(training).state == "success"
    assert lab.result(training, "register")["snapshots"] == {PRODUCER: event.extra["version"]}


@pytest.fixture(scope="module")
def overslept(lab: Lab, restored) -> AssetEvent:
    """An event that came while its reader was paused; the reader is awake again, by its team's name."""
    _, training = restored
    lab.end_of(training)
    lab.airflow.unpause(CONSUMER, paused=True)
    event = lab.event_of(lab.run(PRODUCER, publish_unchanged=True))
    url = lab.runtime.ports.airflow_url
    done = lab.factory("unpause", "lab", "--airflow-url", url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"unpaused: {CONSUMER}" in done.stdout
    return event


def test_a_paused_reader_misses_an_event_and_trains_when_it_is_replayed(lab: Lab, overslept):
    assert not lab.airflow.dag(CONSUMER).is_paused
    url = lab.runtime.ports.airflow_url
    done = lab.factory("replay", PRODUCER, "--airflow-url", url)
    assert done.returncode == 0, done.stdout + done.stderr
    event = lab.produced()[-1]
    assert event.id != overslept.id
    told = {**lab.lake.newest(PRODUCER).as_event(), "replayed": True}
    assert told.items() <= event.extra.items()
    run = lab.begun_by(event, CONSUMER)
    # The event that came meanwhile has started no run of its own: it belongs to this one, too.
    (missed,) = [one for one in lab.produced() if one.id == overslept.id]
    assert {each.run_id for each in missed.created_dagruns} <= {run.dag_run_id}


def test_unpausing_what_runs_or_is_not_there_says_so(lab: Lab, overslept):
    url = lab.runtime.ports.airflow_url
    done = lab.factory("unpause", "lab.species", "--airflow-url", url)
    assert done.returncode == 0
    assert f"ran already: {CONSUMER}" in done.stdout
    wrong = lab.factory("unpause", "lap", "--airflow-url", url)
    assert wrong.returncode == 1
    assert "has no team 'lap': did you mean lab?" in wrong.stderr.replace("`", "")


def test_what_airflow_tells_of_its_dags_is_what_the_files_say(lab: Lab) -> None:
    done = lab.factory("plan", "--against", "live", "--output", "json")
    found = [one["dag_id"] for one in json.loads(done.stdout)["changes"]]
    assert [name for name in found if name.startswith(("sea.", "lab."))] == []


def test_the_doctor_finds_servers_storage_and_parsing_well(lab: Lab) -> None:
    told = json.loads(lab.factory("doctor", "--json").stdout)
    levels = {one["subject"]: one["level"] for one in told}
    looked_at = ("Airflow", "MLflow", "storage", "clock", "parse of dags/", "pool default_pool")
    assert {name: levels[name] for name in looked_at} == dict.fromkeys(looked_at, "ok")
