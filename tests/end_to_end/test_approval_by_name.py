"""An approval that names users, given on an Airflow with log-in: the user management of docker-compose.yaml."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from factory.runtime.airflow_api import AirflowClient, AirflowRefusedError
from factory.runtime.airflow_records import TaskInstance
from factory.runtime.variables import variables
from tests.harness.airflow import LONG, Installation, running
from tests.harness.project import flowers, make_project

REPOSITORY = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
AUTH_MANAGER = COMPOSE["x-airflow-environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
PASSWORD = "a password of tests"

TEAM = """\
version: 1
team: lab
owner: lab@example.org
datasets:
  flowers: {source: {type: csv, path: data/flowers.csv}}
models:
  species:
    task: classification
    train_on: flowers
    target: species
    search:
      strategy: list
      trials: [{estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 2}}]
    objective: {metric: f1_macro}
    promotion: {approval: {assignees: [ana]}}
"""


class Lab(Installation):
    """An Airflow that asks who one is."""

    def add_user(self, name: str) -> None:
        """Add a user as docker-compose.yaml does."""
        environment = variables(
            home=self.runtime.home,
            project=self.project,
            ports=self.runtime.ports,
            secrets=self.runtime.home.secrets(),
            inherited=os.environ,
            extra={"AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER},
        )
        command = ["airflow", "users", "create", "--username", name, "--role", "Admin"]
        about = ["--firstname", "F", "--lastname", "L", "--email", f"{name}@example.org"]
        subprocess.run(
            [sys.executable, "-m", *command, *about, "--password", PASSWORD],
            env=environment,
            check=True,
            capture_output=True,
        )

    def as_user(self, name: str) -> AirflowClient:
        """A client that logs in."""
        return AirflowClient(
            self.runtime.ports.airflow_url, username=name, password=PASSWORD, patience=60
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    files = {"configs/_defaults.yaml": "version: 1\n", "configs/lab.yaml": TEAM}
    project = make_project(tmp_path_factory.mktemp("lab") / "project", files)
    flowers().to_csv(project / "data" / "flowers.csv", index=False)
    with running(project, {"AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER}) as installation:
        found = Lab.of(installation)
        # The first one's id is 1, and nobody is called by a number here.
        for name in ("root", "ben", "ana"):
            found.add_user(name)
        yield found


@pytest.fixture(scope="module")
def ana(lab: Lab) -> Iterator[AirflowClient]:
    with lab.as_user("ana") as client:
        yield client


@pytest.fixture(scope="module")
def question(lab: Lab, ana: AirflowClient) -> TaskInstance:
    """The approval that a first version waits for."""
    ids = ("lab.flowers", "lab.species.train")
    ana.wait_until(lambda: {dag.dag_id for dag in ana.dags()} >= set(ids), "the DAGs", seconds=LONG)
    url = lab.runtime.ports.airflow_url
    done = lab.factory(
        "unpause", "lab", "--airflow-url", url,
        environment={"FACTORY_AIRFLOW_USER": "ana", "FACTORY_AIRFLOW_PASSWORD": PASSWORD},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    ana.trigger("lab.flowers")

    def asked() -> TaskInstance | None:
        for run in ana.runs("lab.species.train"):
            for task in ana.tasks(run.dag_id, run.dag_run_id):
                if task.task_id == "approve" and ana.approval(task) is not None:
                    return task
        return None

    return ana.wait_until(asked, "a question", seconds=LONG)


def test_who_is_not_named_cannot_approve(lab: Lab, question: TaskInstance):
    with lab.as_user("ben") as ben, pytest.raises(AirflowRefusedError, match="not a respondent"):
        ben.answer(question, "Approve")


def test_who_is_named_approves_by_name_and_is_remembered(
    lab: Lab, ana: AirflowClient, question: TaskInstance
):
    ana.answer(question, "Approve")
    run = ana.wait_for_run(question.dag_id, question.dag_run_id, seconds=LONG)
    assert run.state == "success"
    assert lab.version("lab.species", 1).tags["promoted_by"] == "ana"
