"""The version that answers is the champion, unless it is unfit or the registry is away."""

import itertools

import pytest

from factory.models import switching
from tests.serving.service import Road, broken, registered, serving, trained
from tests.training.models import penguins

_names = itertools.count(1)


@pytest.fixture
def measured(mlflow_server, promote):
    """A regression with version 1 in production and version 2 registered."""
    name = f"serving.measured_{next(_names)}"
    for alpha in (1.0, 100.0):
        registered(mlflow_server, name, alpha)
    promote(name, 1)
    return name


@pytest.fixture(scope="module")
def service(tmp_path_factory, mlflow_server):
    """A service of whatever has a champion."""
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, mlflow_server, ready=False) as running:
        yield running


def example(service, name):
    """The rows that a model shows; waits until one of its versions answers."""
    return service.until(lambda: service.get(page(name))[1].get("example"))


def page(name):
    return f"/models/{name.replace('.', '/')}"


def refused(service, name):
    """The version of a model that is refused."""
    return service.get(page(name))[1].get("refused")


def test_promotion_and_rollback_change_the_version_that_answers(
    service, tracking, promote, measured
):
    rows = example(service, measured)
    first = service.ask(measured, rows)[1]
    assert first["version"] == 1

    promote(measured, 2)
    service.until(lambda: service.version(measured) == 2)
    second = service.ask(measured, rows)[1]
    assert second["version"] == 2
    assert second["predictions"] != first["predictions"]
    promoted = service.until(lambda: service.get(page(measured))[1]["promoted_at"])

    switching.rollback(measured, by="tests", why="It was better.", tracking=tracking)
    service.until(lambda: service.version(measured) == 1)
    assert service.ask(measured, rows)[1] == first
    # Tags follow the alias, so they are read once more.
    service.until(lambda: service.get(page(measured))[1]["promoted_at"] >= promoted)


def test_a_new_version_may_take_other_features(service, tmp_path, mlflow_server, promote):
    name = "serving.fewer"
    promote(name, trained(tmp_path, mlflow_server, name))
    before = example(service, name)
    fewer = penguins().drop_columns(["year", "island"])
    promote(name, trained(tmp_path, mlflow_server, name, run=2, rows=fewer))
    service.until(lambda: service.version(name) == 2)
    status, found = service.ask(name, before[:1])
    assert status == 422
    assert {each["loc"][-1] for each in found["detail"]} == {"year", "island"}
    document = service.get("/openapi.json")[1]
    assert "year" not in document["components"]["schemas"]["ServingFewerRow"]["properties"]


def nan(pipeline):
    pipeline[-1].coef_[:] = float("nan")


def shrunk(pipeline):
    pipeline[-1].coef_ = pipeline[-1].coef_[:2]


@pytest.mark.parametrize(
    ("breakage", "reason"),
    [
        (lambda pipeline: b"no skops file", "it does not load"),
        (nan, "for its input example it predicts numbers that are not finite"),
        (shrunk, "it cannot predict its input example"),
    ],
)
def test_an_unfit_version_is_refused_and_the_old_one_goes_on(
    service, mlflow_server, promote, measured, breakage, reason
):
    rows = example(service, measured)
    unfit = broken(mlflow_server, measured, 1, breakage)
    promote(measured, unfit)
    found = service.until(lambda: refused(service, measured))
    assert (found["version"], found["reason"]) == (unfit, reason)
    status, answer = service.ask(measured, rows)
    assert (status, answer["version"]) == (200, 1)
    assert service.metric(f'factory_serving_failed_loads_total{{model="{measured}"}}') >= 1
    assert f"{measured} version {unfit} is refused" in service.log.read_text()
    assert service.get("/healthz/ready")[0] == 200

    promote(measured, 2)
    service.until(lambda: service.version(measured) == 2)
    assert refused(service, measured) is None


class Foreign:
    """A type of a package that no model names."""


def test_types_that_nobody_trusts_are_refused(service, mlflow_server, promote):
    def foreign(pipeline):
        pipeline[-1].foreign_ = Foreign()

    name = "serving.foreign"
    registered(mlflow_server, name, 1.0)
    promote(name, broken(mlflow_server, name, 1, foreign))
    found = service.until(lambda: refused(service, name))
    assert found["reason"] == "it does not load"
    assert "not trusted" in service.log.read_text()
    status, answer = service.ask(name, [{}])
    assert status == 503
    assert "no version of serving.foreign answers yet" in answer["detail"]


def test_without_names_every_champion_is_served_new_ones_too(service, mlflow_server, promote):
    name = "serving.newcomer"
    registered(mlflow_server, name, 1.0)
    assert service.get(page(name))[0] == 404
    promote(name, 1)
    service.until(lambda: service.version(name) == 1)
    assert name in [each["model"] for each in service.get("/models")[1]["models"]]


def test_mlflow_may_go_away_and_come_back(tmp_path, mlflow_server, promote, measured):
    road = Road(mlflow_server)
    try:
        with serving(tmp_path, road.address, measured) as service:
            rows = example(service, measured)
            road.cut()
            service.until(lambda: service.get("/healthz")[1]["registry"] == "does not answer")
            promote(measured, 2)
            for _ in range(20):
                status, answer = service.ask(measured, rows)
                assert (status, answer["version"]) == (200, 1)
            assert service.get("/healthz/ready")[0] == 200
            assert service.metric("factory_serving_failed_polls_total") >= 1

            road = road.mended()
            service.until(lambda: service.version(measured) == 2)
            assert service.get("/healthz")[1]["registry"] == "answers"
    finally:
        road.cut()


def test_a_service_that_starts_without_mlflow_waits_for_it(tmp_path, mlflow_server, measured):
    road = Road(mlflow_server)
    road.cut()
    with serving(tmp_path, road.address, measured, ready=False) as service:
        service.until(lambda: service.get("/healthz")[1]["registry"] == "does not answer")
        assert service.get("/healthz/ready")[0] == 503
        road = road.mended()
        try:
            service.until(lambda: service.version(measured) == 1)
        finally:
            road.cut()
