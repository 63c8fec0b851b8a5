"""The pet detector on this machine: photos in, trained as a sweep, deployed, asked about a cat."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from factory.cli.console import console
from factory.cli.scenario import tell
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_models import DagRun
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.signals import StopSignals
from factory.scenarios.pets.story import CAT, DEPLOY, PHOTOS, TRAIN, story
from factory.scenarios.story import make_project

REPOSITORY = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which("npm") is None, reason="no npm, which brings the photos"),
]


@dataclass
class Told:
    """The installation after the story."""

    runtime: EmbeddedRuntime
    failed: bool
    text: str
    """What was printed."""

    @property
    def airflow(self) -> AirflowClient:
        return self.runtime.airflow

    def run(self, dag_id: str) -> DagRun:
        """The one run of a DAG."""
        (run,) = [run for run in self.airflow.runs() if run.dag_id == dag_id]
        return run

    def result(self, dag_id: str, task_id: str) -> dict:
        """What a task of the one run of a DAG returned."""
        return self.airflow.xcom(dag_id, self.run(dag_id).dag_run_id, task_id)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    project = tmp_path_factory.mktemp("pets")
    pets = story(REPOSITORY / ".factory" / "downloads")
    make_project(project, REPOSITORY / "dags", package="factory.scenarios.pets")
    pets.prepare(project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_ENVIRONMENT", "local")
        # A DAG that is not the same at each parse would make a new DAG version each time.
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL", "error")
        with StopSignals() as signals, EmbeddedRuntime(project) as runtime:
            with console.capture() as printed:
                failed = tell(pets, runtime, signals, 900)
            yield Told(runtime, failed, printed.get())


def test_photos_become_a_dataset_a_sweep_a_model_and_a_deployment(told: Told):
    assert not told.failed, told.text
    states = {run.dag_id: run.state for run in told.airflow.runs()}
    assert states == {PHOTOS: "success", TRAIN: "success", DEPLOY: "success"}
    assert told.result(PHOTOS, "publish")["rows"] == 3000


def test_two_trials_learn_from_2000_photos_and_the_winner_knows_70_of_100_that_it_has_not_seen(
    told: Told,
):
    divided = told.result(TRAIN, "split")["split"]
    registered = told.result(TRAIN, "register")
    assert divided["rows"]["train"] >= 2000
    assert divided["rows"]["test"] == 600
    assert registered["trials"] >= 2
    assert registered["test_score"] >= 0.70


def test_photos_are_kept_once_and_by_their_content(told: Told):
    kept = list((told.runtime.home.folder / "lake/pets/_files").rglob("*.png"))
    assert 2900 < len(kept) <= 3000
    run = told.airflow.trigger(PHOTOS)
    again = told.airflow.wait_for_run(PHOTOS, run.dag_run_id, seconds=240)
    states = {
        task.task_id: task.state for task in told.airflow.tasks(again.dag_id, again.dag_run_id)
    }
    assert states["publish"] == "skipped"


def test_a_photo_of_a_cat_sent_over_http_comes_back_as_a_cat(told: Told):
    photo = told.runtime.project / CAT
    answer = httpx.post(
        f"{told.runtime.ports.serving_url}/models/pets/detector/predict",
        files={"image": (photo.name, photo.read_bytes(), "image/png")},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["label"] == "cat"
    assert said["probabilities"]["cat"] > 0.5
    assert "The photo of a cat is a cat." in told.text


def test_what_is_no_photo_is_refused_and_told_why(told: Told):
    answer = httpx.post(
        f"{told.runtime.ports.serving_url}/models/pets/detector/predict",
        files={"image": ("cat.png", b"a cat, honestly", "image/png")},
        timeout=60,
    )
    assert answer.status_code == 422
    assert "image" in answer.text
