"""A real network of fastai behind a real `factory serve`: from a registry, and out of a folder."""

from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow import MlflowClient

from factory.deploy.model_folder import fill_model_folder
from factory.models import registry
from factory.models.files import digest, downloaded
from factory.models.record import ModelRecord
from factory.models.tracking import Tracking
from factory.trainers.fastai.params import VISION
from tests.harness.servers import free_port
from tests.serving.service import entry, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NAME = "pets.shape"
PARAMS = {"arch": "resnet10t", "size": 32, "epochs": 8, "bs": 32, "lr": 0.01}


@pytest.fixture(scope="module")
def released(mlflow_server: str, promote) -> ModelRecord:
    """A small network that tells circles from squares, in production."""
    from factory.trainers.dispatch import usable_cpus
    from factory.trainers.fastai.trainer import FastaiTrainer
    from factory.trainers.trainer import LoggedModel
    from tests.trainers.shapes import shapes

    # As `trainer_of` makes it: with one thread torch adds up in another order, to another network.
    trainer = FastaiTrainer("classification", threads=usable_cpus())
    features, labels = shapes(240)
    fitted = trainer.fit(VISION, PARAMS, features, labels, 1)
    mlflow.set_tracking_uri(mlflow_server)
    client = MlflowClient(mlflow_server, mlflow_server)
    run = client.create_run(Tracking(mlflow_server).ensure_experiment(NAME))
    model_id = entry(mlflow_server, NAME, run)
    uri = trainer.log_model(fitted.model, LoggedModel(model_id, features, ("fastai",)))
    with downloaded(uri) as files:
        tags = {"task": "classification", "estimator": VISION, "sha256": digest(files)}
    number = int(mlflow.register_model(uri, NAME, tags=tags).version)
    promote(NAME, number)
    return registry.version(NAME, number, tracking=Tracking(mlflow_server)).record


def right(address: str, path: str) -> int:
    """How many of ten new images are recognized."""
    from tests.trainers.shapes import shapes

    features, labels = shapes(10, seed=99, size=48, kind="JPEG")
    answers = [
        httpx.post(f"{address}{path}", files={"image": ("x.jpg", content)}, timeout=60).json()
        for content in features["image"]
    ]
    assert all(sum(answer["probabilities"].values()) == pytest.approx(1) for answer in answers)
    return sum(answer["label"] == label for answer, label in zip(answers, labels, strict=True))


def test_a_network_is_served_as_the_champion(tmp_path, mlflow_server, released):
    with serving(tmp_path, mlflow_server, NAME) as service:
        assert right(service.address, "/models/pets/shape/predict") >= 8
        bad = httpx.post(
            f"{service.address}/models/pets/shape/predict", files={"image": ("x.jpg", b"no")}
        )
        assert bad.status_code == 422
        _deployed(service.address, released, tmp_path, Tracking(mlflow_server))


def _deployed(address: str, record: ModelRecord, project: Path, tracking: Tracking) -> None:
    """The target `process` finds it, and its own smoke test asks with the image of its example."""
    from factory.deploy.smoke import smoke_test
    from factory.deploy.targets.process import ProcessTarget
    from factory.deploy.targets.target import DeployContext
    from tests.trainers.shapes import shapes

    section = {"type": "process", "url": address, "timeout": "30s"}
    target, context = ProcessTarget.model_validate(section), DeployContext(tracking, project)
    deployed = target.deploy(context, record, None)
    example = smoke_test(target, context, deployed, record)
    assert example.asked == "the image that it was registered with"
    features, _ = shapes(2, seed=7)
    (project / "circle.png").write_bytes(features["image"].iloc[0])
    asking = {**section, "smoke_test": {"file": "circle.png", "expect": "circle"}}
    tested = smoke_test(ProcessTarget.model_validate(asking), context, deployed, record)
    assert tested.values == ["circle"]


def test_a_network_is_served_out_of_a_folder_without_a_registry(tmp_path, mlflow_server, released):
    folder = tmp_path / "model"
    fill_model_folder(released, folder, Tracking(mlflow_server))
    nowhere = f"http://127.0.0.1:{free_port()}"
    with serving(tmp_path, nowhere, options=("--model-folder", str(folder))) as service:
        assert right(service.address, "/models/pets/shape/predict") >= 8
        ping = httpx.get(f"{service.address}/ping")
        assert ping.status_code == 200


def test_a_folder_that_was_tampered_with_is_not_served(tmp_path, mlflow_server, released):
    from factory.models.files import TamperedError
    from factory.serving.folder import load_folder
    from factory.serving.limits import ServingLimits

    folder = tmp_path / "model"
    fill_model_folder(released, folder, Tracking(mlflow_server))
    (weights,) = folder.rglob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(TamperedError, match="somebody changed them"):
        load_folder(folder, ServingLimits())
