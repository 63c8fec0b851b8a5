import pytest

from factory.base.errors import NothingToDoError
from factory.models.registry import CHAMPION, NoChampionError, UnknownModelError, champion_to_use
from factory.models.tracking import Tracking
from factory.monitoring.compared_rows import EmptyWindowError
from tests.training.models import model, penguins
from tests.training.training import Training


@pytest.fixture(scope="module")
def training(tmp_path_factory, mlflow_server) -> Training:
    """Two versions, of which none is the champion."""
    folder = tmp_path_factory.mktemp("two")
    first = Training(penguins(), model(), folder / "a", mlflow_server)
    first.all()
    Training(
        penguins(), model(), folder / "b", mlflow_server, run_id="manual__2", name=first.name
    ).all()
    return first


@pytest.fixture
def champion(training):
    client = training.tracking.client
    client.set_registered_model_alias(training.name, CHAMPION, 2)
    yield training
    client.delete_registered_model_alias(training.name, CHAMPION)


def test_without_an_event_it_is_the_one_in_production_now(champion):
    assert champion_to_use(champion.name, [], tracking=champion.tracking).number == 2


def test_the_newest_event_decides_also_when_it_goes_back(champion):
    events = [{"version": 1}, {"version": 2}, {"version": 1}]
    assert champion_to_use(champion.name, events, tracking=champion.tracking).number == 1


def test_event_made_by_hand_names_no_version(champion):
    assert champion_to_use(champion.name, [{}], tracking=champion.tracking).number == 2


def test_event_of_a_version_that_does_not_exist_is_refused(champion):
    with pytest.raises(UnknownModelError, match="no version 9"):
        champion_to_use(champion.name, [{"version": 9}], tracking=champion.tracking)


def test_model_that_was_never_trained_is_to_be_trained(mlflow_server):
    with pytest.raises(NoChampionError, match=r"not been trained yet. Run the DAG sea.cod.train"):
        champion_to_use("sea.cod", [], tracking=Tracking(mlflow_server))


def test_model_that_was_never_promoted_is_to_be_promoted(training):
    expected = rf"of its versions 1, 2 none was promoted.*`factory rollback {training.name} --to 2`"
    with pytest.raises(NoChampionError, match=expected):
        champion_to_use(training.name, [], tracking=training.tracking)


def test_without_a_champion_tasks_are_skipped_and_not_failed():
    """Of prediction, of a deployment, and of a monitor; see `factory.airflow.operators`."""
    assert issubclass(NoChampionError, NothingToDoError)
    assert issubclass(EmptyWindowError, NothingToDoError)
