"""Why a training ran, in the words of its MLflow run's note."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from factory.airflow.task_run import events_of, trigger_of, why
from factory.models.origin import StartEvent, events_in, origin_tags

MODEL = "lab.species"


def run(kind: str, **events: dict) -> SimpleNamespace:
    """A run, and the extras of the events that started it, by asset (`__` for a dot)."""
    consumed = [
        SimpleNamespace(asset=SimpleNamespace(name=name.replace("__", ".")), extra=extra)
        for name, extra in events.items()
    ]
    return SimpleNamespace(run_type=kind, consumed_asset_events=consumed)


def test_new_data_is_named_with_its_snapshot():
    started = run("asset_triggered", sea__catches={"version": 3, "rows": 1500})
    assert trigger_of(MODEL, started) == "asset"
    assert why(MODEL, started) == "* New data: sea.catches version 3, 1,500 rows"


def test_drift_is_named_with_its_numbers_and_its_report():
    extra = {
        "version": 2,
        "why": "drift of depth: psi 0.9 (above 0.2)",
        "report": "http://mlflow/1",
    }
    started = run("asset_triggered", lab__species__drift=extra, sea__catches={"version": 3})
    assert trigger_of(MODEL, started) == "drift"
    assert why(MODEL, started).splitlines() == [
        "* Drift: drift of depth: psi 0.9 (above 0.2) ([report](http://mlflow/1))",
        "* New data: sea.catches version 3",
    ]


def test_event_that_somebody_made_by_hand_says_nothing_and_is_borne():
    started = run("asset_triggered", sea__catches={}, lab__species__drift=None)
    assert why(MODEL, started).splitlines() == [
        "* New data: sea.catches",
        "* Drift: of which the event says nothing",
    ]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("scheduled", "Its time had come."),
        ("manual", "It was started by hand."),
        ("backfill", "It is part of a backfill."),
    ],
)
def test_runs_without_events_say_what_started_them(kind, text):
    assert why(MODEL, run(kind)) == text


def test_events_that_started_a_run_are_kept_with_who_emitted_them():
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    event = SimpleNamespace(
        asset=SimpleNamespace(name="sea.catches"),
        extra={"version": 3, "rows": 1500},
        timestamp=at,
        source_dag_id="sea.catches",
        source_run_id="manual__1",
    )
    started = SimpleNamespace(consumed_asset_events=[event], run_after=at)
    [kept] = events_in(origin_tags(events_of(started), None))
    assert (kept.asset, kept.dag_id, kept.run_id, kept.at) == (
        "sea.catches",
        "sea.catches",
        "manual__1",
        at,
    )
    assert kept.says == "New data: sea.catches version 3, 1,500 rows"
    by_hand = SimpleNamespace(consumed_asset_events=[], run_after=at, triggering_user_name="ana")
    assert [one.says for one in events_of(by_hand)] == ["Started by ana"]


def test_of_many_events_the_last_ones_are_kept_within_what_mlflow_takes():
    at = datetime(2026, 11, 20, tzinfo=UTC)
    events = [StartEvent(at=at, says=f"{number:03} {'x' * 200}") for number in range(200)]
    tags = origin_tags(events, None)
    assert max(map(len, tags.values())) < 8_000
    assert events_in(tags)[-1].says.startswith("199")


def test_tags_that_nobody_can_read_are_no_events():
    assert events_in({"started_by": "?"}) == ()
    assert events_in({}) == ()
