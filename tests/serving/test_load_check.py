"""A version that would end or hold the service ends or holds a process of its own."""

import time
from dataclasses import replace

import pytest

from factory.models import registry
from factory.models.tracking import Tracking
from factory.serving.limits import ServingLimits
from factory.serving.load_check import check_version
from factory.serving.refusals import UnfitVersionError
from tests.serving.service import broken, circular, poisoned, trained
from tests.training.models import model, one_trial

LIMITS = ServingLimits()


@pytest.fixture(scope="module")
def fine(tmp_path_factory, mlflow_server) -> registry.Version:
    """A version that can be served."""
    tree = model(search=one_trial("sklearn.tree.DecisionTreeClassifier", random_state=0))
    name = "serving.tree"
    number = trained(tmp_path_factory.mktemp("tree"), mlflow_server, name, config=tree)
    return registry.version(name, number, tracking=Tracking(mlflow_server))


def check(version: registry.Version, uri: str, **limits: float) -> None:
    check_version(version, tracking=Tracking(uri), settings=replace(LIMITS, **limits))


def test_a_version_that_can_be_served_passes(fine, mlflow_server):
    check(fine, mlflow_server)


def test_one_that_takes_too_long_is_given_up(fine, mlflow_server):
    began = time.monotonic()
    with pytest.raises(UnfitVersionError, match=r"has not loaded .* within 0\.01 s"):
        check(fine, mlflow_server, load_seconds=0.01)
    assert time.monotonic() - began < 10


def test_one_that_takes_too_much_memory_ends_its_own_process(fine, mlflow_server):
    with pytest.raises(
        Exception, match=r"memory|ends the process|does not load|cannot predict|within 5 s"
    ):
        check(fine, mlflow_server, load_bytes=64 * 1024**2, load_seconds=5)


@pytest.mark.parametrize("harm", [poisoned, circular])
def test_a_tree_that_leads_out_of_its_memory_or_in_a_circle_is_refused(fine, mlflow_server, harm):
    number = broken(mlflow_server, fine.model, fine.number, harm)
    version = registry.version(fine.model, number, tracking=Tracking(mlflow_server))
    with pytest.raises(UnfitVersionError, match="it does not load"):
        check(version, mlflow_server)
