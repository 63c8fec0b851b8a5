"""Sweeps on a real Airflow that look at their first trials, and whose quick trials share tasks."""

from collections import Counter

import pytest

from factory.runtime.airflow_records import DagRun
from tests.harness.airflow import Installation
from tests.harness.project import flowers

TUNERS = """\
version: 1
team: tuners
owner: tuners@example.org
datasets:
  flowers:
    source: {type: csv, path: data/tuned.csv}
models:
  forest:
    task: classification
    train_on: flowers
    target: species
    schedule: none
    search:
      strategy: halving
      trials: 15
      resource: n_estimators
      min_resources: 2
      max_resources: 20
      candidates:
        - estimator: sklearn.ensemble.RandomForestClassifier
          params: {max_depth: {randint: [1, 50]}}
    objective: {metric: log_loss}
  nearest:
    task: classification
    train_on: flowers
    target: species
    schedule: none
    search:
      strategy: tpe
      trials: 8
      waves: 2
      batch: 2
      candidates:
        - estimator: sklearn.neighbors.KNeighborsClassifier
          params: {n_neighbors: {randint: [1, 30]}, weights: [uniform, distance]}
    objective: {metric: log_loss}
"""


@pytest.fixture(scope="module")
def tuners(installation: Installation) -> Installation:
    installation.add(
        {"data/tuned.csv": flowers().to_csv(index=False), "configs/tuners.yaml": TUNERS}
    )
    installation.run("tuners.flowers")
    return installation


@pytest.fixture(scope="module")
def halved(tuners: Installation) -> DagRun:
    return tuners.run("tuners.forest.train")


@pytest.fixture(scope="module")
def chosen(tuners: Installation) -> DagRun:
    return tuners.run("tuners.nearest.train")


def trials(tuners: Installation, run: DagRun, model: str) -> list:
    """The MLflow runs of the trials, in their order."""
    experiment = tuners.tracking.client.get_experiment_by_name(model).experiment_id
    found = tuners.tracking.find_runs(
        experiment, {"role": "trial", "airflow.run_id": run.dag_run_id}, most=100
    )
    return sorted(found, key=lambda one: int(one.data.tags["trial_index"]))


def test_best_of_each_wave_have_more_of_the_resource(tuners: Installation, halved: DagRun):
    assert halved.state == "success"
    found = trials(tuners, halved, "tuners.forest")
    assert [run.data.params["n_estimators"] for run in found] == ["2"] * 15 + ["6"] * 5 + ["18"]
    first = sorted(found[:15], key=lambda run: run.data.metrics["log_loss"])
    depths = {run.data.params["max_depth"] for run in first[:5]}
    assert {run.data.params["max_depth"] for run in found[15:20]} <= depths
    assert tuners.result(halved, "register")["trials"] == 21


def test_quick_trials_share_a_task_whose_log_has_the_scores_of_each(
    tuners: Installation, halved: DagRun
):
    tasks = tuners.tasks(halved, "trial")
    assert len(tasks) == 2
    names = [run.info.run_name for run in trials(tuners, halved, "tuners.forest")[:15]]
    log = "\n".join(line for task in tasks for line in tuners.airflow.log(task))
    assert all(f"{name}: {{" in log for name in names)
    assert "RandomForestClassifier" in str(tasks[0].rendered_map_index)


def test_later_trials_are_planned_by_what_the_first_have_come_to(
    tuners: Installation, chosen: DagRun
):
    assert chosen.state == "success"
    states = tuners.states(chosen)
    assert states["plan_trials_2"] == "success"
    counted = Counter(
        task.task_id for name in ("trial", "trial_2") for task in tuners.tasks(chosen, name)
    )
    assert counted == {"trial": 2, "trial_2": 2}
    assert len(trials(tuners, chosen, "tuners.nearest")) == 8
