"""Gate, promotion and keeping the champion, on a real MLflow server."""

import json
import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from factory.base.errors import TerminalError
from factory.models import registry, switching
from factory.models.gate import keep, promote
from factory.models.gate_decision import ApprovalAnswer, GateDecision
from factory.models.promotion import Promotion
from factory.training import plots
from tests.models.life import GOOD, POOR, Life
from tests.training.models import diabetes, model, one_trial, penguins, regression


@pytest.fixture(scope="module", autouse=True)
def _no_plots() -> Iterator[None]:
    """Plots take a fifth of a training's time, and the gate looks at none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "save_plots", lambda *_, **__: [])
        yield


@pytest.fixture(scope="module")
def life(tmp_path_factory, mlflow_server) -> Life:
    """A model whose first version, a good one, is in production."""
    life = Life(tmp_path_factory.mktemp("life"), mlflow_server)
    life.train(model(search=GOOD))
    life.promote(life.decide())
    return life


@pytest.fixture
def poor(life) -> Life:
    """A second training of the same model, which came to a poor version."""
    again = Life(life.folder / "poor", life.uri, life.name)
    again.run = life.run = life.run + 1
    again.train(model(search=POOR))
    return again


@pytest.fixture(scope="module")
def equal(life) -> Life:
    again = Life(life.folder / "equal", life.uri, life.name)
    again.run = 100
    again.train(model(search=GOOD))
    return again


def test_first_version_is_promoted_and_says_so_everywhere(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=GOOD))
    decision = life.decide()
    assert (decision.verdict, decision.champion) == ("promote", None)
    assert decision.reason == "version 1 is the first: there is no champion to beat"
    assert life.champion is None

    outcome, event = life.promote(decision)
    assert life.champion == 1
    assert (outcome.promoted, outcome.champion, outcome.previous) == (True, 1, None)
    assert event == {
        "model": life.name,
        "version": 1,
        "metrics": life.version.metrics,
        "snapshots": {"marine.penguins": 3},
        "reason": "promotion",
    }
    assert life.tags["outcome"] == "promoted"
    assert life.tags["promoted_by"] == "the run"
    assert "## Gate\n\nversion 1 is the first" in life.note
    assert "## Outcome\n\nVersion 1 is in production: version 1 is the first" in life.note


def test_worse_version_keeps_the_champion_which_was_scored_on_the_same_rows(life, poor):
    decision = poor.decide()
    assert decision.verdict == "keep"
    # Seed and rows are those of the first training, so that the test rows are the same too.
    assert decision.champion_metrics == life.tested.metrics
    assert decision.gain < 0
    assert f"version {poor.version.version} is worse than the champion: test f1_macro 0." in (
        decision.reason
    )
    assert decision.reason.endswith("of version 1 on the same 69 rows, higher is better")

    outcome = keep(decision, None, tracking=poor.tracking)
    assert (outcome.promoted, outcome.champion) == (False, 1)
    assert poor.champion == 1
    assert (poor.tags["gate"], poor.tags["outcome"]) == ("keep", "kept")
    assert poor.tags["outcome_why"] == decision.reason
    assert float(poor.tags["gate_champion_score"]) == life.tested.metrics["f1_macro"]
    assert "Version 1 stays in production" in poor.note
    assert "| **f1_macro** | 0.9" in poor.note
    parent = poor.tracking.client.get_run(poor.version.mlflow_run_id)
    assert parent.data.metrics["champion_test_f1_macro"] == life.tested.metrics["f1_macro"]
    assert parent.data.tags["outcome"] == "kept"


def test_equal_version_keeps_the_champion(equal):
    decision = equal.decide()
    assert (decision.verdict, decision.gain) == ("keep", 0)
    assert "says the same of all test rows as the champion" in decision.reason
    assert decision.says_the_same


def test_better_version_is_promoted(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=POOR))
    life.promote(life.decide())
    life.train(model(search=GOOD))
    decision = life.decide()
    assert (decision.verdict, decision.champion) == ("promote", 1)
    life.promote(decision)
    assert life.champion == 2
    previous = registry.with_alias(life.name, "previous", tracking=life.tracking)
    assert previous.number == 1
    # A retry of the task comes to the same.
    life.promote(decision)
    assert life.champion == 2


def test_for_an_error_less_is_better(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    dummy = one_trial("sklearn.dummy.DummyRegressor")
    life.train(regression(search=dummy), rows=diabetes())
    life.promote(life.decide())
    life.train(regression(), rows=diabetes())
    decision = life.decide()
    assert decision.verdict == "promote"
    assert decision.gain == pytest.approx(
        decision.champion_metrics["root_mean_squared_error"]
        - decision.metrics["root_mean_squared_error"]
    )
    assert decision.reason.endswith("lower is better")
    assert life.decide(beat_champion={"relative": 0.9}).verdict == "keep"
    assert life.decide(beat_champion={"relative": 0.01}).verdict == "promote"


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [
        ({"absolute": 0.05}, "promote"),
        ({"absolute": 0.1}, "promote"),
        ({"absolute": 0.11}, "keep"),
        ({"relative": 0.1}, "promote"),
        ({"relative": 0.13}, "keep"),
    ],
)
def test_champion_has_to_be_beaten_by_the_margin(margin, verdict):
    from factory.models.gate import _judge, _margin, _verdict

    rules = Promotion.model_validate({"beat_champion": margin})
    draft = GateDecision(
        model="sea.m",
        version=2,
        champion=1,
        verdict="keep",
        reason="",
        metric="f1_macro",
        goal="maximize",
        metrics={"f1_macro": 0.9},
        champion_metrics={"f1_macro": 0.8},
        thresholds=(),
        margin=_margin(rules, 0.8),
        # In binary, 0.9 - 0.8 is a little less than 0.1.
        gain=0.9 - 0.8,
        rows=10,
        mlflow_run_id="x",
    )
    is_better, reason = _judge(draft, None)
    assert _verdict(rules, reason, is_better=is_better)["verdict"] == verdict
    assert ("`promotion.beat_champion` asks for" in reason) == (verdict == "keep")


def test_missed_threshold_keeps_the_champion_however_good_the_rest_is(life, equal):
    decision = equal.decide(
        beat_champion=False, require={"accuracy": {"min": 0.5}, "log_loss": {"max": 0.0}}
    )
    assert decision.verdict == "keep"
    assert decision.reason.startswith(
        f"version {equal.version.version} misses a threshold: test log_loss is "
    )
    assert decision.reason.endswith("`promotion.require` wants at most 0")
    assert [one.is_met for one in decision.thresholds] == [True, False]
    assert json.loads(equal.tags["gate_thresholds"])["log_loss"][:2] == [None, 0.0]


def test_without_having_to_beat_the_champion_thresholds_decide(equal):
    decision = equal.decide(beat_champion=False, require={"accuracy": {"min": 0.5}})
    assert decision.verdict == "promote"


def test_dry_run_decides_and_promotes_nothing(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=GOOD))
    decision = life.decide(dry_run=True)
    assert decision.verdict == "keep"
    assert decision.reason.startswith("dry run, nothing is promoted; it would be, because")


def test_approval_is_asked_for_only_what_would_be_promoted(poor, equal):
    asked = {"approval": {"assignees": ["ana"]}}
    assert poor.decide(**asked).verdict == "keep"
    assert equal.decide(beat_champion=False, **asked).verdict == "approve"
    off = {"approval": {"required": False}}
    assert equal.decide(beat_champion=False, **off).verdict == "promote"


def test_champion_that_misses_its_features_cannot_be_beaten(life):
    narrow = Life(life.folder / "narrow", life.uri, life.name)
    narrow.run = 200
    narrow.train(model(search=GOOD, features=["bill_length_mm", "bill_depth_mm"]))
    decision = narrow.decide()
    assert decision.verdict == "keep"
    assert "the champion, version 1, cannot be scored on the test rows" in decision.reason
    assert "there is no column 'island'" in decision.reason
    number = narrow.version.version
    assert f"factory rollback {life.name} --to {number}" in decision.reason
    # Where it need not be beaten, it does not matter that nobody knows how good it is.
    assert narrow.decide(beat_champion=False).verdict == "promote"


def test_champion_that_learned_from_another_form_of_a_column_cannot_be_beaten(life):
    rows = penguins()
    at = rows.column_names.index("sex")
    codes = pc.cast(pc.equal(rows.column("sex"), "male"), pa.float64())
    other = Life(life.folder / "codes", life.uri, life.name)
    other.run = 300
    other.train(model(search=GOOD), rows=rows.set_column(at, "sex", codes))
    decision = other.decide()
    assert decision.verdict == "keep"
    assert "'sex' holds numbers, and it learned from texts" in decision.reason


def test_rejection_and_silence_keep_the_champion_and_are_recorded(life, equal):
    decision = equal.decide(beat_champion=False, approval={})
    no = ApprovalAnswer(approved=False, by="ana", within=60)
    assert keep(decision, no, tracking=equal.tracking).reason.startswith(
        "rejected by ana, although"
    )
    assert "Version 1 stays in production: rejected by ana" in equal.note
    silence = ApprovalAnswer(approved=False, by=None, within=86_400)
    reason = keep(decision, silence, tracking=equal.tracking).reason
    assert reason.startswith("no answer within 1 d, so it is rejected")
    assert equal.note.count("## Outcome") == 1
    assert equal.champion == 1


def test_who_approved_is_who_promoted(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=GOOD))
    decision = life.decide(approval={})
    outcome, _ = life.promote(decision, ApprovalAnswer(approved=True, by="ana", within=60))
    assert outcome.reason.endswith("; approved by ana")
    assert life.tags["promoted_by"] == "ana"


def test_champion_that_changed_while_somebody_thought_is_not_replaced(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=GOOD))
    decision = life.decide(approval={})
    switching.rollback(life.name, 1, by="ben", why="by hand", tracking=life.tracking)
    life.train(model(search=POOR))
    second = life.decide(approval={}, beat_champion=False)
    switching.rollback(life.name, 2, by="ben", why="by hand", tracking=life.tracking)
    with pytest.raises(TerminalError, match="by now the champion is version 2"):
        promote(decision, None, by="the run", tracking=life.tracking)
    # It is what the second training wanted, so nothing is left to do.
    life.promote(second)
    assert life.champion == 2


# Guards


def test_too_good_a_score_is_not_believed(tmp_path, mlflow_server):
    rows = penguins()
    leaking = rows.append_column("code", rows["species"])
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=GOOD), leaking)
    decision = life.decide()
    assert decision.verdict == "keep"
    assert decision.reason.startswith(
        "nobody can believe the scores of version 1: `guard.leakage`: 'code' (balanced accuracy 1)"
    )
    assert "* **halt** `guard.leakage`: 'code'" in life.note
    assert life.tags["gate_findings"].startswith("`guard.leakage`: 'code'")
    outcome = keep(decision, None, tracking=life.tracking)
    assert outcome.findings[0].startswith("`guard.leakage`")

    life.train(model(search=GOOD, guard={"leakage": "warn"}), leaking)
    decision = life.decide()
    assert decision.verdict == "promote"
    assert "* **warn** `guard.leakage`: 'code'" in decision.table()


def test_model_that_says_the_same_of_every_row_does_not_go_live(tmp_path, mlflow_server):
    life = Life(tmp_path, mlflow_server)
    life.train(model(search=one_trial("sklearn.dummy.DummyClassifier")))
    decision = life.decide()
    assert decision.verdict == "keep"
    assert [each.guard for each in decision.findings] == [
        *("constant_prediction", "worse_than_baseline"),
    ]
    assert decision.baseline["accuracy"] == decision.metrics["accuracy"]
    run = life.tracking.client.get_run(life.version.mlflow_run_id)
    assert run.data.metrics["baseline_test_accuracy"] == decision.baseline["accuracy"]


def unbelieved(life: Life, section, rows) -> GateDecision:
    """What is decided of a first version, which is `keep`."""
    life.train(section, rows)
    decision = life.decide()
    assert (decision.champion, decision.verdict) == (None, "keep")
    assert [each.guard for each in decision.findings] == ["worse_than_baseline"]
    assert decision.reason.startswith("nobody can believe the scores of version 1: `guard.worse")
    return decision


def test_first_version_that_ranks_classes_by_chance_does_not_go_live(tmp_path, mlflow_server):
    # One probability for all rows ranks them in no order: the area is 0.5 whatever the rows are.
    config = model(
        search=one_trial("sklearn.dummy.DummyClassifier", strategy="prior"),
        objective={"metric": "roc_auc_ovr"},
        guard={"constant_prediction": "off"},
    )
    decision = unbelieved(Life(tmp_path, mlflow_server), config, penguins())
    assert decision.metrics["roc_auc_ovr"] == decision.baseline["roc_auc_ovr"] == 0.5
    assert "test roc_auc_ovr 0.5 is no better than the 0.5 of a model" in decision.reason


def test_first_version_that_is_further_off_than_the_mean_does_not_go_live(tmp_path, mlflow_server):
    rows = diabetes()
    target = rows.column("target").to_numpy()
    # R2 of a constant is minus the square of its distance from the mean, in standard deviations.
    constant = float(target.mean() + 1.45**0.5 * target.std())
    config = regression(
        search=one_trial(
            "sklearn.dummy.DummyRegressor", strategy="constant", constant=round(constant)
        ),
        objective={"metric": "r2"},
        guard={"constant_prediction": "off"},
    )
    decision = unbelieved(Life(tmp_path, mlflow_server), config, rows)
    assert decision.metrics["r2"] == pytest.approx(-1.45, abs=0.5)
    assert -0.1 < decision.baseline["r2"] <= 0


def test_rows_that_the_champion_has_learned_from_are_told_with_the_comparison(
    tmp_path, mlflow_server
):
    rows = diabetes()
    life = Life(tmp_path, mlflow_server)
    life.train(regression(), rows.slice(0, 300))
    life.promote(life.decide())
    life.train(regression(), rows)
    (found,) = life.decide().findings
    assert found.guard == "champion_overlap"
    # It has learned from three fifths of the 300 rows, which are 68 % of the 442.
    share = re.search(r"version 1, has learned from (\d+)% of the test rows", found.text)
    assert share is not None
    assert 30 < int(share[1]) < 50


def test_champion_meets_none_of_its_rows_where_their_hash_divides_them(tmp_path, mlflow_server):
    rows = diabetes()
    life = Life(tmp_path, mlflow_server)
    life.train(regression(split={"method": "hash"}), rows.slice(0, 300))
    life.promote(life.decide())
    life.train(regression(split={"method": "hash"}), rows)
    assert life.decide().findings == ()
