"""Waiting for something to read: the task `wait`, and its trigger."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from factory.airflow import source_trigger
from factory.airflow.source_trigger import SourceTrigger
from factory.airflow.tasks.dataset import NothingCameError, wait
from factory.base.errors import FactoryError, NothingToDoError
from factory.data.look import Look
from factory.documents.dag import Shared
from tests.data.rows import lake_in

SOURCE = {"type": "csv", "path": "data/*.csv", "wait": {"timeout": "1h", "poke_interval": "1s"}}


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch):
    monkeypatch.setattr(source_trigger, "_SETTLED", 0)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path


def run_in(project, until: float | None = None) -> SimpleNamespace:
    shared = Shared(storage=lake_in(project).storage, workspace=str(project / "workspace"))
    return SimpleNamespace(
        shared=shared,
        write=SimpleNamespace(mode="append"),
        dataset="shop.orders",
        is_full_refresh=False,
        project=project,
        ti=SimpleNamespace(run_id="run", task=SimpleNamespace(until=until)),
    )


def deferred(project) -> SourceTrigger:
    with pytest.raises(TaskDeferred) as caught:
        wait(run=run_in(project), source=SOURCE)
    path, arguments = caught.value.trigger.serialize()
    assert path == "factory.airflow.source_trigger.SourceTrigger"
    return SourceTrigger(**arguments)


async def event_of(trigger: SourceTrigger) -> dict:
    return (await anext(trigger.run())).payload


def test_task_goes_on_at_once_where_there_is_a_file(project):
    (project / "data" / "a.csv").write_text("id\n1\n")
    assert wait(run=run_in(project), source=SOURCE) is None


def test_trigger_fires_as_soon_as_there_is_a_file(project):
    trigger = deferred(project)
    trigger.poke_interval = 0.05

    async def waited() -> dict:
        event = asyncio.create_task(event_of(trigger))
        await asyncio.sleep(0.3)
        assert not event.done()
        (project / "data" / "a.csv").write_text("id\n1\n")
        return await asyncio.wait_for(event, 10)

    assert asyncio.run(waited()) == {"until": trigger.until}


def test_trigger_does_not_fire_before_the_scheduler_has_heard_of_the_pause(project, monkeypatch):
    monkeypatch.setattr(source_trigger, "_SETTLED", 0.5)
    trigger = deferred(project)
    trigger.poke_interval = 0.01
    (project / "data" / "a.csv").write_text("id\n1\n")
    begun = time.monotonic()
    asyncio.run(event_of(trigger))
    assert time.monotonic() - begun >= 0.5


def test_look_that_takes_long_does_not_hold_up_the_triggerer(project, monkeypatch):
    trigger, answered = deferred(project), threading.Event()
    trigger.poke_interval = 0.01
    monkeypatch.setattr(Look, "missing", lambda *_: answered.wait(30) and "")

    async def waited() -> None:
        event = asyncio.create_task(event_of(trigger))
        await asyncio.sleep(0.2)
        answered.set()
        await asyncio.wait_for(event, 10)

    asyncio.run(waited())


@pytest.mark.parametrize(
    ("soft_fail", "error"), [(False, NothingCameError), (True, NothingToDoError)]
)
def test_after_its_time_the_run_fails_or_is_skipped(project, soft_fail, error):
    source = {**SOURCE, "wait": {"timeout": "2h", "soft_fail": soft_fail}}
    with pytest.raises(error, match=r"shop\.orders: nothing came within 7,200 seconds: no file"):
        wait(run=run_in(project, until=time.time() - 1), source=source)


def test_trigger_fires_when_its_time_is_over(project):
    trigger = deferred(project)
    trigger.until = time.time() + 0.1
    assert asyncio.run(event_of(trigger)) == {"until": trigger.until}


def test_looks_that_fail_again_and_again_are_left_to_the_task(project, monkeypatch):
    trigger, looks = deferred(project), []

    def fail(*_):
        looks.append(1)
        raise FactoryError("the database does not answer")

    trigger.poke_interval = 0.01
    monkeypatch.setattr(Look, "missing", fail)
    asyncio.run(event_of(trigger))
    assert len(looks) == source_trigger._MOST_FAILURES
