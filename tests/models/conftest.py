import mlflow
import pytest

from factory.models.record import RECORD
from factory.models.tracking import Tracking
from tests.training.models import model, penguins
from tests.training.training import Training


@pytest.fixture(scope="session")
def trained(tmp_path_factory, mlflow_server) -> Training:
    """A model of one version, whose files the other versions share."""
    training = Training(penguins(), model(), tmp_path_factory.mktemp("one"), mlflow_server)
    training.all()
    return training


@pytest.fixture
def named(trained, request) -> tuple[str, Tracking]:
    """A registered model of its own with versions 1 to 3, and the server."""
    client = trained.tracking.client
    name = f"{trained.name}_{request.node.name[-20:].strip('_[]-')}"
    source = client.get_model_version(trained.name, "1")
    mlflow.set_tracking_uri(trained.tracking.uri)
    tags = {key: value for key, value in source.tags.items() if key != RECORD}
    for number in (1, 2, 3):
        mlflow.register_model(source.source, name, tags={**tags, "test_f1_macro": f"0.{number}"})
    return name, trained.tracking
