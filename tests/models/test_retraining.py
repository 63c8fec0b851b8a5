"""When a run is worth training for."""

from datetime import UTC, datetime, timedelta

import pytest

from factory.lake import publishing
from factory.lake.write import Write
from factory.models.registry import Version
from factory.models.retraining import RetrainWhen, retrain
from factory.models.tracking import with_section
from tests.data.rows import lake_in, rows_of
from tests.models.records import record

NOW = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    """Two snapshots: 100 rows, then 130."""
    lake = lake_in(tmp_path)
    for version, count in enumerate((100, 130)):
        rows = rows_of(f"select * from range({count}) as t(n)", tmp_path, f"rows{version}")
        publishing.publish(lake, "sea.catches", rows.file, Write(), run_id=str(version))
    return lake


def trained(days: float = 1, **snapshots: int) -> Version:
    learned_from = {f"sea.{name}": version for name, version in snapshots.items()}
    registered_at = NOW - timedelta(days=days)
    found = record("sea.m", 4, registered_at=registered_at, snapshots=learned_from)
    return Version(found, aliases=(), tags={})


def decide(lake, rules, newest, trigger="asset"):
    return retrain(
        RetrainWhen.model_validate(rules),
        newest,
        {"sea.catches": lake.newest("sea.catches")},
        lake=lake,
        trigger=trigger,
        now=NOW,
    )


@pytest.mark.parametrize(("wanted", "trains"), [(30, True), (31, False)])
def test_enough_new_rows_are_worth_training(lake, wanted, trains):
    found = decide(lake, {"rows_added": wanted}, trained(catches=0))
    assert found.train is trains
    assert f"30 rows were added since version 4, `rows_added` is {wanted}" in found.reason


@pytest.mark.parametrize(("days", "trains"), [(7, True), (6.9, False)])
def test_enough_days_are_worth_training(lake, days, trains):
    found = decide(lake, {"days_since": 7}, trained(days))
    assert found.train is trains
    assert f"{days:.1f} days have passed since version 4" in found.reason


def test_clock_behind_the_newest_version_is_said(lake):
    found = decide(lake, {"days_since": 7}, trained(-3))
    assert not found.train
    assert "version and clock contradict each other, set the clock right" in found.reason
    assert decide(lake, {"days_since": 7}, trained(-3), trigger="manual").train


def test_one_rule_is_enough(lake):
    rules = {"rows_added": 1000, "days_since": 7}
    assert decide(lake, rules, trained(8, catches=0)).train
    neither = decide(lake, rules, trained(2, catches=0))
    assert not neither.train
    assert neither.reason == (
        "no rule of `retrain_when` holds: 30 rows were added since version 4, `rows_added` is 1,000; "
        "2.0 days have passed since version 4, `days_since` is 7"
    )


def test_drift_is_worth_training_where_it_is_a_rule(lake):
    newest = trained(catches=1)
    assert decide(lake, {"drift": True}, newest, "drift").reason == "drift was found"
    assert not decide(lake, {"drift": True}, newest, "asset").train
    assert not decide(lake, {"rows_added": 10}, newest, "drift").train


def test_first_model_and_whoever_asks_by_hand_are_always_served(lake):
    assert decide(lake, {"rows_added": 1000}, None).reason == "the model has no version yet"
    by_hand = decide(lake, {"rows_added": 1000}, trained(catches=1), "manual")
    assert by_hand.reason == "it was started by hand"


def test_when_nobody_knows_how_many_rows_are_new_it_trains(lake):
    for newest in (trained(), trained(catches=77)):
        found = decide(lake, {"rows_added": 1000}, newest)
        assert found.train
        assert "nobody knows how many rows were added" in found.reason


def test_a_section_of_a_note_is_replaced_and_the_others_stay():
    note = with_section("Why it ran.", "Gate", "a < b")
    note = with_section(note, "Outcome", "kept")
    note = with_section(note, "Gate", "a > b")
    assert note == "Why it ran.\n\n## Gate\n\na > b\n\n## Outcome\n\nkept\n"
