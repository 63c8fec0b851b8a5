"""The pet detector on this machine: photos in, trained as a sweep, deployed, asked about a cat."""

import shutil
from collections.abc import Iterator

import httpx
import pytest

from factory.scenarios.pets.story import CAT, DEPLOY, PHOTOS, TRAIN, story
from tests.harness import stories
from tests.harness.project import REPOSITORY
from tests.harness.stories import Told

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which("npm") is None, reason="no npm, which brings the photos"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    pets = story(REPOSITORY / ".factory" / "downloads")
    environment = {"FACTORY_ENVIRONMENT": "local"}
    project = tmp_path_factory.mktemp("pets")
    with stories.told(project, "pets", pets, environment=environment, seconds=900) as found:
        yield found


def test_photos_become_a_dataset_a_sweep_a_model_and_a_deployment(told: Told):
    assert not told.failed, told.text
    states = {run.dag_id: run.state for run in told.airflow.runs()}
    assert states == {PHOTOS: "success", TRAIN: "success", DEPLOY: "success"}
    assert told.result_of(PHOTOS, "publish")["rows"] == 3000


def test_two_trials_learn_from_2000_photos_and_the_winner_knows_70_of_100_that_it_has_not_seen(
    told: Told,
):
    divided = told.result_of(TRAIN, "split")["split"]
    registered = told.result_of(TRAIN, "register")
    assert divided["rows"]["train"] >= 2000
    assert divided["rows"]["test"] == 600
    assert registered["trials"] >= 2
    assert registered["test_score"] >= 0.70


def test_photos_are_kept_once_and_by_their_content(told: Told):
    kept = list((told.runtime.home.folder / "lake/pets/_files").rglob("*.png"))
    assert 2900 < len(kept) <= 3000
    assert told.states(told.run(PHOTOS))["publish"] == "skipped"


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
