"""Where versions and snapshots come from, on real trainings."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from factory.base.errors import TerminalError
from factory.cli.why_text import snapshot_text, version_text
from factory.lake.snapshot import NoSnapshotError
from factory.provenance.snapshot import newest_at, snapshot_origin
from factory.provenance.version import meant_version, version_origin
from tests.provenance.conftest import COMMIT, DATASET, Past


def origin_of(past: Past, number: int):
    return version_origin(past.version(number), lake=past.lake, tracking=past.tracking)


def as_text(parts) -> str:
    text = io.StringIO()
    console = Console(file=text, width=80, color_system=None)
    for part in parts:
        console.print(part, highlight=False)
    return text.getvalue()


def test_a_version_leads_back_to_its_trial_data_events_and_commit(past):
    found = origin_of(past, 1)
    assert (found.trial, found.trials) == ("LogisticRegression C=1", 2)
    assert found.params == {"C": "1.0"}
    assert found.objective == "maximize f1_macro"
    assert {"validation_f1_macro", "test_f1_macro"} <= set(found.metrics)
    [snapshot] = found.snapshots
    assert (snapshot.version, snapshot.rows, snapshot.run_id) == (0, 300, "manual__300")
    assert snapshot.source == {"type": "csv", "path": "data/penguins.csv"}
    [event] = found.events
    assert (event.asset, event.dag_id) == (DATASET, DATASET)
    assert found.configuration.commit == COMMIT
    assert found.configuration.previous is None


def test_a_version_leads_on_to_the_gate_to_who_approved_and_to_production(past):
    found = origin_of(past, 1)
    assert (found.verdict, found.outcome, found.approval) == (
        "approve",
        "promoted",
        "approved by ana",
    )
    assert found.gate.metrics["f1_macro"] > 0.5
    assert [(one.kind, one.version, one.by) for one in found.history] == [
        ("promotion", 1, "ana"),
        ("rollback", 3, "ben"),
        ("rollback", 1, "ben"),
    ]
    assert [span.until is None for span in found.live] == [False, True]


def test_a_refused_version_says_why_and_what_differs_from_the_one_before(past):
    found = origin_of(past, 2)
    assert (found.verdict, found.outcome, found.live) == ("keep", "kept", ())
    assert found.gate.champion_metrics["f1_macro"] > found.gate.metrics["f1_macro"]
    assert "+      max_depth: 1" in found.configuration.differs
    assert [one.kind for one in found.history] == ["refusal"]


def test_a_version_whose_run_did_not_get_to_the_gate_is_told_as_such(past):
    found = origin_of(past, 3)
    assert (found.verdict, found.gate, found.outcome) == ("", None, "")
    assert "it did not get to decide" in as_text(version_text(found))


def test_what_is_printed_fits_80_columns_and_has_the_figures(past):
    text = as_text(version_text(origin_of(past, 2)))
    assert max(map(len, text.splitlines())) <= 80
    for said in (
        "version 2",
        f"New data: {DATASET} version 1 (2026-11-20 12:00 UTC, by {DATASET} manual__1)",
        "344 rows",
        "other than that of version 1",
        "keep: version 2 is worse than the champion",
        "refused",
        "never",
        COMMIT.sha[:12],
    ):
        assert said in " ".join(text.split())


def test_a_person_may_ask_by_number_by_date_or_for_the_champion(past):
    def meant(number=None, at=None):
        return meant_version(past.name, number, at, tracking=past.tracking).number

    assert (meant(), meant(2)) == (1, 2)
    moment = origin_of(past, 3).live[0].since
    assert meant(at=moment.isoformat()) == 3
    with pytest.raises(TerminalError, match="no version was in production on 2001-01-01"):
        meant(at="2001-01-01")


def test_the_newest_snapshot_of_a_moment_is_found(past):
    published = [datetime.fromisoformat(one.published_at) for one in past.lake.history(DATASET)]
    assert newest_at(DATASET, published[2], lake=past.lake) == 2
    with pytest.raises(NoSnapshotError, match="nothing had been published by 2001-01-01"):
        newest_at(DATASET, datetime(2001, 1, 1, tzinfo=UTC), lake=past.lake)


def test_a_snapshot_says_its_run_its_source_and_what_checks_found(past):
    found = snapshot_origin(DATASET, 1, lake=past.lake)
    assert (found.rows, found.run_id, found.is_newest) == (344, "manual__344", False)
    text = as_text(snapshot_text(found))
    assert "csv data/penguins.csv" in text
    assert "marine.islands version 4" in text
    assert "warned: row_count at least 400" in text
    assert snapshot_origin(DATASET, None, lake=past.lake).version == 4
    with pytest.raises(NoSnapshotError, match="has no version 9"):
        snapshot_origin(DATASET, 9, lake=past.lake)
