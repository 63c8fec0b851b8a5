"""A real version in a real registry, as deployments get it."""

import pytest

from factory.deploy.model_folder import fill_model_folder
from factory.models import registry
from factory.models.record import ModelRecord
from factory.models.tracking import Tracking
from tests.serving.service import trained

NAME = "ecology.species"


@pytest.fixture(scope="session")
def tracking(mlflow_server):
    return Tracking(mlflow_server)


@pytest.fixture(scope="session")
def release(tmp_path_factory, mlflow_server, tracking) -> ModelRecord:
    """A classification of penguins, registered."""
    number = trained(tmp_path_factory.mktemp("released"), mlflow_server, NAME)
    return registry.version(NAME, number, tracking=tracking).record


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, release, tracking):
    """What `factory serve --model-folder` reads."""
    folder = tmp_path_factory.mktemp("model_folder") / "model"
    fill_model_folder(release, folder, tracking)
    return folder
