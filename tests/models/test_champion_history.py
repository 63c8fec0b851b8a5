"""Which version was in production when, on a real MLflow server."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from factory.base.dates import parse_time
from factory.base.errors import TerminalError
from factory.models import registry, switching
from factory.models.champion_history import champion_history

BY = {"by": "ana", "why": "it is better"}


def moments(history) -> list[tuple]:
    return [(entry.kind, entry.version, entry.before) for entry in history.entries]


def spans(history) -> list[tuple]:
    return [(one.version, one.is_certain) for one in history.live()]


@pytest.fixture
def changed(named):
    """Promoted 1, then 2, gone back to 1, and 3 was refused."""
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    switching.rollback(name, by="ben", why="complaints", tracking=tracking)
    refused = {
        "outcome": "kept",
        "outcome_why": "it is worse",
        "outcome_at": "2124-01-01T00:00:00+00:00",
    }
    registry.tag(name, 3, refused, tracking=tracking)
    return named


def test_each_promotion_rollback_and_refusal_is_there(changed):
    name, tracking = changed
    history = champion_history(name, tracking=tracking)
    assert moments(history) == [
        ("promotion", 1, None),
        ("promotion", 2, 1),
        ("rollback", 1, 2),
        ("refusal", 3, None),
    ]
    assert [entry.by for entry in history.entries] == ["ana", "ana", "ben", ""]
    assert (history.is_complete, history.champion) == (True, 1)
    assert spans(history) == [(None, True), (1, True), (2, True), (1, True)]


def test_the_version_of_a_moment_and_those_of_a_day(changed):
    name, tracking = changed
    history = champion_history(name, tracking=tracking)
    second = history.entries[1].at
    [live] = history.live_within(second, second)
    assert live.version == 2
    before = second - timedelta(microseconds=1)
    assert [one.version for one in history.live_within(before, before)] == [1]
    day = parse_time(f"{second:%Y-%m-%d}")
    assert [one.version for one in history.live_within(*day)][-3:] == [1, 2, 1]
    assert [one.version for one in history.live_within(*parse_time("2001-01-01"))] == [None]


def test_an_alias_moved_by_hand_is_told_and_changes_nothing_of_what_was(changed):
    name, tracking = changed
    tracking.client.set_registered_model_alias(name, "champion", "3")
    told = champion_history(name, tracking=tracking)
    assert ("by hand", 3, 1) in moments(told)
    assert spans(told)[-2:] == [(1, False), (3, True)]
    switching.promote(name, 2, instead_of=3, tracking=tracking, **BY)
    later = champion_history(name, tracking=tracking)
    assert moments(later)[:-1] == [
        ("promotion", 1, None),
        ("promotion", 2, 1),
        ("rollback", 1, 2),
        ("by hand", 3, 1),
        ("promotion", 2, 3),
    ]


def test_what_was_changed_stays_known_when_the_first_version_is_deleted(trained, named):
    name, tracking = named
    client = tracking.client
    source = client.get_model_version(name, "1")
    experiment = client.get_run(source.run_id).info.experiment_id
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    model = f"{name}_of_two"
    client.create_registered_model(model)
    for run_id in runs:
        made_of = {
            "run_id": run_id,
            "model_id": source.source.rpartition("/")[2],
            "tags": source.tags,
        }
        client.create_model_version(model, source.source, **made_of)
    switching.promote(model, 1, instead_of=None, tracking=tracking, **BY)
    switching.promote(model, 2, instead_of=1, tracking=tracking, **BY)
    client.delete_model_version(model, "1")
    client.delete_run(runs[0])
    assert moments(champion_history(model, tracking=tracking)) == [
        ("promotion", 1, None),
        ("promotion", 2, 1),
    ]


def test_a_registry_from_before_tells_what_its_tags_have(named):
    name, tracking = named
    for number, at in ((1, "2024-03-01"), (2, "2024-05-01")):
        tags = {"promoted_at": f"{at}T12:00:00+00:00", "promoted_by": "eva", "promoted_why": "old"}
        registry.tag(name, number, tags, tracking=tracking)
    tracking.client.set_registered_model_alias(name, "champion", "2")
    history = champion_history(name, tracking=tracking)
    assert (history.is_complete, history.known_since) == (False, None)
    assert spans(history) == [(None, False), (1, False), (2, False)]
    switching.promote(name, 3, instead_of=2, tracking=tracking, **BY)
    history = champion_history(name, tracking=tracking)
    assert history.known_since == history.entries[-1].at
    assert spans(history) == [(None, False), (1, False), (2, False), (3, True)]
    april = datetime(2024, 4, 1, tzinfo=UTC)
    assert [one.version for one in history.live_within(april, april)] == [1]


def test_a_change_that_was_begun_by_one_who_was_killed_is_no_change_yet(named, monkeypatch):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    calls = itertools.count()

    def killed(*_):
        next(calls)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tracking.client, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert moments(champion_history(name, tracking=tracking)) == [("promotion", 1, None)]


def test_what_is_no_date_is_refused_with_what_to_write():
    with pytest.raises(TerminalError, match="'yesterday' is no date: write 2026-11-20"):
        parse_time("yesterday")
