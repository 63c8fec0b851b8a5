"""Who changes the version in production, one at a time, on a real MLflow server."""

import itertools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import mlflow
import pytest

from factory.base.errors import TerminalError
from factory.models import registry, switching
from factory.models.registry import UnknownModelError
from factory.models.switching import ChampionChangedError
from factory.models.tracking import Tracking
from tests.serving.service import registered

BY = {"by": "ana", "why": "it is better"}


def aliases(name, tracking) -> dict[str, int]:
    found = tracking.client.get_registered_model(name).aliases
    return {alias: int(number) for alias, number in found.items()}


def test_first_promotion_makes_a_champion_and_no_previous(named):
    name, tracking = named
    tracking.client.set_registered_model_alias(name, "challenger", "1")
    switch = switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    assert (switch.before, switch.now.aliases) == (None, ("champion",))
    assert aliases(name, tracking) == {"champion": 1}
    tags = switch.now.tags
    assert (tags["promoted_by"], tags["promoted_why"]) == ("ana", "it is better")
    assert tags["promoted_at"].endswith("+00:00")


def test_promotion_keeps_the_old_champion_as_previous_and_a_newer_challenger(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    tracking.client.set_registered_model_alias(name, "challenger", "3")
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1, "challenger": 3}


def test_promotion_twice_is_promotion_once(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    for _ in range(2):
        switch = switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert (switch.before, switch.now.number) == (1, 2)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1}


def test_promotion_against_a_champion_that_is_gone_is_refused(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    with pytest.raises(ChampionChangedError, match="now the champion is version 2, which it was"):
        switching.promote(name, 3, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1}


def test_two_promotions_at_once_leave_one_champion_and_the_previous(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)

    def promote(number):
        try:
            switching.promote(name, number, instead_of=1, tracking=tracking, **BY)
        except ChampionChangedError:
            return None
        return number

    with ThreadPoolExecutor(2) as threads:
        done = set(threads.map(promote, (2, 3))) - {None}
    found = aliases(name, tracking)
    assert found["champion"] in done
    assert found["previous"] == 1


def test_rollback_swaps_champion_and_previous_and_is_signed(named):
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    switch = switching.rollback(name, by="ben", why="complaints", tracking=tracking)
    assert (switch.before, switch.now.number) == (2, 1)
    assert aliases(name, tracking) == {"champion": 1, "previous": 2}
    left = registry.version(name, 2, tracking=tracking)
    assert (left.tags["rolled_back_by"], left.tags["rolled_back_why"]) == ("ben", "complaints")
    assert switch.now.tags["promoted_by"] == "ben"
    event = switch.now.as_event("rollback")
    assert (event["version"], event["reason"]) == (1, "rollback")
    assert event["snapshots"] == {"marine.penguins": 3}
    assert event["metrics"]["test_f1_macro"] == 0.1


def test_rollback_to_a_version_needs_no_previous(named):
    name, tracking = named
    tracking.client.set_registered_model_alias(name, "challenger", "3")
    switch = switching.rollback(name, 3, by="ben", why="by hand", tracking=tracking)
    assert switch.before is None
    assert aliases(name, tracking) == {"champion": 3}


def test_rollback_that_cannot_be_names_what_there_is(named):
    name, tracking = named
    who = {"by": "ben", "why": "", "tracking": tracking}
    with pytest.raises(TerminalError, match=r"no previous version .* it has 1, 2, 3"):
        switching.rollback(name, **who)
    with pytest.raises(UnknownModelError, match=r"has no version 7: it has 1, 2, 3"):
        switching.rollback(name, 7, **who)
    switching.rollback(name, 1, **who)
    with pytest.raises(TerminalError, match="version 1 is the champion already"):
        switching.rollback(name, 1, **who)
    with pytest.raises(UnknownModelError, match=f"did you mean `{name}`"):
        switching.rollback(f"{name}x", **who)


@pytest.fixture
def chosen(named) -> tuple[str, Tracking]:
    """A model of three versions, the first in production."""
    name, tracking = named
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    return named


def contend(line: Connection, uri: str) -> None:
    """What each of two processes does: change the champion when it is told to."""
    tracking = Tracking(uri)
    line.send("ready")
    while call := line.recv():
        what, arguments = call
        try:
            done = getattr(switching, what)(**arguments, tracking=tracking)
            line.send((done.now.number, None))
        except ChampionChangedError as error:
            line.send((None, str(error)))


@pytest.fixture(scope="module")
def contenders(mlflow_server) -> Iterator[list[Connection]]:
    """Two processes that wait for calls."""
    spawn = multiprocessing.get_context("spawn")
    pairs = [spawn.Pipe() for _ in range(2)]
    processes = [spawn.Process(target=contend, args=(there, mlflow_server)) for _, there in pairs]
    for process in processes:
        process.start()
    lines = [here for here, _ in pairs]
    assert [line.recv() for line in lines] == ["ready"] * 2
    yield lines
    for line, process in zip(lines, processes, strict=True):
        line.send(None)
        process.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    "calls",
    [
        ("promote", "rollback"),
        pytest.param(("promote", "promote"), marks=pytest.mark.nightly),
        pytest.param(("rollback", "rollback"), marks=pytest.mark.nightly),
    ],
)
def test_of_two_processes_at_once_exactly_one_changes_the_champion(chosen, contenders, calls):
    name, tracking = chosen
    at_the_same_time = 0
    for _ in range(5):
        before = aliases(name, tracking)["champion"]
        wanted = [number for number in (1, 2, 3) if number != before]
        for line, what, number in zip(contenders, calls, wanted, strict=True):
            numbered = {"number" if what == "promote" else "to": number}
            line.send((what, {"model": name, "instead_of": before, **numbered, **BY}))
        won, lost = sorted((line.recv() for line in contenders), key=lambda each: each[0] is None)
        assert won[1] is None, (won, lost)
        assert lost[0] is None, (won, lost)
        found = aliases(name, tracking)
        assert (found["champion"], found["previous"]) == (won[0], before)
        assert "at the same time" in lost[1] or "by now the champion is" in lost[1]
        assert f"version {won[0]}" in lost[1]
        at_the_same_time += "at the same time" in lost[1]
    print(f"{at_the_same_time} of 5 rounds were decided by what is written down")


def test_who_is_a_moment_late_is_told_by_whom(chosen, monkeypatch):
    name, tracking = chosen
    other = Tracking(tracking.uri)
    log_param = tracking.client.log_param

    def late(*arguments):
        switching.promote(name, 2, instead_of=1, by="ben", why="faster", tracking=other)
        return log_param(*arguments)

    monkeypatch.setattr(tracking.client, "log_param", late)
    told = (
        r"version 3 is to replace version 1, but at the same time ben has put version 2 into "
        r"production in place of version 1 \(.* UTC: faster\)\. Trigger the training again .* "
        rf"factory rollback {name} --to 3"
    )
    with pytest.raises(ChampionChangedError, match=told):
        switching.promote(name, 3, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1}


def test_a_rollback_knows_nothing_of_a_change_after_it_was_asked_for(chosen):
    name, tracking = chosen
    asked_at = datetime.now(UTC)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    with pytest.raises(
        ChampionChangedError, match=r"ana has put version 2 .*, after this rollback"
    ):
        switching.rollback(name, asked_at=asked_at, tracking=tracking, **BY)
    with pytest.raises(ChampionChangedError, match="by now the champion is version 2"):
        switching.rollback(name, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 2, "previous": 1}


class Killed(BaseException):
    """What ends a process, in a test that goes on."""


def killed_at(tracking: Tracking, number: int) -> Tracking:
    """A Tracking that is no more after so many calls of its client."""
    client = tracking.client
    calls = itertools.count()

    class Client:
        def __getattr__(self, method):
            def call(*arguments, **named):
                if next(calls) == number:
                    raise Killed
                return getattr(client, method)(*arguments, **named)

            return call

    mortal = Tracking(tracking.uri)
    mortal.client = Client()
    return mortal


def test_whenever_one_is_killed_the_next_goes_on_at_once(chosen):
    name, tracking = chosen
    begun = 0
    for moment in itertools.count():
        before = aliases(name, tracking)["champion"]
        wanted, other = (number for number in (1, 2, 3) if number != before)
        try:
            mortal = killed_at(tracking, moment)
            switching.promote(name, wanted, instead_of=before, tracking=mortal, **BY)
            break
        except Killed:
            pass
        try:
            switching.promote(name, other, instead_of=before, tracking=tracking, **BY)
            champion = other
        except ChampionChangedError:
            champion = wanted
            begun += 1
        assert aliases(name, tracking)["champion"] == champion
        version = registry.version(name, champion, tracking=tracking)
        assert version.tags["promoted_why"] == BY["why"]
    assert moment > 10
    assert 5 < begun < moment


def test_who_was_held_up_does_not_set_back_what_others_did_meanwhile(chosen, monkeypatch):
    name, tracking = chosen
    other = Tracking(tracking.uri)
    set_alias = tracking.client.set_registered_model_alias

    def held_up(model, alias, number):
        if alias == "champion":
            monkeypatch.setattr(tracking.client, "set_registered_model_alias", set_alias)
            switching.promote(name, 3, instead_of=2, by="ben", why="later", tracking=other)
        set_alias(model, alias, number)

    monkeypatch.setattr(tracking.client, "set_registered_model_alias", held_up)
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 3, "previous": 2}


def test_an_alias_that_was_set_by_hand_is_taken_as_it_is(chosen):
    name, tracking = chosen
    tracking.client.set_registered_model_alias(name, "champion", "3")
    with pytest.raises(ChampionChangedError, match="by now the champion is version 3"):
        switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    assert switching.promote(name, 2, instead_of=3, tracking=tracking, **BY).before == 3
    assert aliases(name, tracking) == {"champion": 2, "previous": 3}


def test_an_alias_that_something_else_sets_meanwhile_is_told(chosen, monkeypatch):
    name, tracking = chosen
    set_alias = tracking.client.set_registered_model_alias

    def overwritten(model, alias, number):
        set_alias(model, alias, number)
        if alias == "champion":
            set_alias(model, alias, "3")

    monkeypatch.setattr(tracking.client, "set_registered_model_alias", overwritten)
    with pytest.raises(ChampionChangedError, match="now the alias `champion` is at version 3"):
        switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)


def test_a_model_that_is_deleted_and_registered_anew_begins_anew(chosen):
    name, tracking = chosen
    source = tracking.client.get_model_version(name, "1")
    tracking.client.delete_registered_model(name)
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.register_model(source.source, name, tags=source.tags)
    assert switching.promote(name, 1, instead_of=None, tracking=tracking, **BY).before is None
    assert aliases(name, tracking) == {"champion": 1}


def test_the_run_of_a_later_version_serves_where_the_first_is_deleted(mlflow_server):
    name, tracking = "ecology.runs_deleted", Tracking(mlflow_server)
    for alpha in (0.1, 0.2):
        registered(mlflow_server, name, alpha)
    runs = [registry.version(name, n, tracking=tracking).record.mlflow_run_id for n in (1, 2)]
    switching.promote(name, 1, instead_of=None, tracking=tracking, **BY)
    tracking.client.delete_run(runs[0])
    switching.promote(name, 2, instead_of=1, tracking=tracking, **BY)
    switching.rollback(name, tracking=tracking, **BY)
    assert aliases(name, tracking) == {"champion": 1, "previous": 2}
    tracking.client.delete_run(runs[1])
    with pytest.raises(TerminalError, match=r"MLflow runs of all its versions were deleted"):
        switching.rollback(name, tracking=tracking, **BY)
