import pytest

from factory.models import registry, switching
from factory.models.tracking import Tracking
from tests.harness.servers import running_mlflow
from tests.serving.service import Service, serving, trained
from tests.training.models import diabetes, regression


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """A server of these tests' own: a service of all models would load other tests' models too."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow_of_serving")) as address:
        yield address


@pytest.fixture(scope="session")
def tracking(mlflow_server):
    return Tracking(mlflow_server)


@pytest.fixture(scope="session")
def promote(tracking):
    """Make a version the champion, as the gate or a rollback does."""

    def do(name: str, number: int) -> None:
        current = registry.champion(name, tracking=tracking)
        switching.promote(
            name,
            number,
            instead_of=current.number if current else None,
            by="tests",
            why="It is the next one.",
            tracking=tracking,
        )

    return do


@pytest.fixture(scope="session")
def species(tmp_path_factory, mlflow_server, promote) -> str:
    """A classification of penguins, version 1 in production."""
    name = "serving.species"
    promote(name, trained(tmp_path_factory.mktemp("species"), mlflow_server, name))
    return name


@pytest.fixture(scope="session")
def progression(tmp_path_factory, mlflow_server, promote) -> str:
    """A regression, version 1 in production."""
    name = "serving.progression"
    folder = tmp_path_factory.mktemp("progression")
    promote(name, trained(folder, mlflow_server, name, rows=diabetes(), config=regression()))
    return name


@pytest.fixture(scope="module")
def service(tmp_path_factory, mlflow_server, species, progression) -> Service:
    """A service of both models."""
    folder = tmp_path_factory.mktemp("service")
    limits = ("--max-rows", "20", "--max-bytes", "20000", "--timeout", "3")
    with serving(folder, mlflow_server, species, progression, options=limits) as running:
        yield running
