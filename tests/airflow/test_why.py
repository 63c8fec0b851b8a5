"""Why a training ran, in the words of its MLflow run's note."""

from types import SimpleNamespace

import pytest

from factory.airflow.task_run import trigger_of, why

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
