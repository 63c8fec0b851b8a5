"""Decide whether the challenger goes into production, on thresholds and the same rows for both; do it."""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.models import registry, switching
from factory.models.comparison import Comparison, check_groups, gain_interval, slice_scores
from factory.models.costs import COSTS, LATENCY, latency_p95_ms
from factory.models.fairness import measured
from factory.models.files import artifact
from factory.models.gate_decision import (
    ApprovalAnswer,
    GainInterval,
    GateDecision,
    PromotionOutcome,
    SliceScores,
    Threshold,
)
from factory.models.predictor import Predictor, load_predictor
from factory.models.promotion import Margin, Promotion
from factory.models.record import ModelRecord
from factory.models.registry import Version
from factory.models.tracking import GATE_DECISION, Tracking
from factory.trainers.trainer import Predictions
from factory.training.about_rows import read_about
from factory.training.final_test import FinalTest, digest_of
from factory.training.forecasting.rows import read_form, rows_of_form
from factory.training.guard.finding import GuardFinding
from factory.training.guard.known_rows import ARTIFACTS, FILE, TrainingRows
from factory.training.metrics import score
from factory.training.model import Model
from factory.training.split import DividedRows, read_part, read_test_rows

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_NOT_LOGGED = "its training run in MLflow has no such metric"


@dataclass(frozen=True)
class _Challenger:
    """The version that is decided on; read back from the registry once it is asked."""

    name: str
    version: int
    tracking: Tracking

    @cached_property
    def predictor(self) -> Predictor:
        """Says what the version says; its files are read once."""
        found = registry.version(self.name, self.version, tracking=self.tracking)
        # Whoever asks it about single rows sets the number of threads once.
        return load_predictor(found.record, tracking=self.tracking, limit_threads=False)


def gate(
    split: DividedRows,
    tested: FinalTest,
    model: Model,
    promotion: Promotion,
    workspace: Path,
    *,
    name: str,
    version: int,
    mlflow_run_id: str,
    tracking: Tracking,
) -> GateDecision:
    """Score the champion on the rows that the challenger was tested on, decide, and say so.

    The decision is written to the log, to tags of the version and of the training run, and to the
    run's note.

    Args:
        split: How the rows were divided.
        tested: The challenger's metrics on the test rows.
        model: The model's section of the team file.
        promotion: Its rules.
        workspace: The run's scratch folder, with the test rows.
        name: The registered model, `team.model`.
        version: The challenger.
        mlflow_run_id: MLflow's id of the training run.
        tracking: The MLflow server.

    Raises:
        TerminalError: `promotion.slices` or `fairness` names a column that the test rows do not have.
        TrackingError: The MLflow server does not answer.
    """
    champion = registry.champion(name, tracking=tracking)
    challenger = _Challenger(name, version, tracking)
    for rules in (promotion.slices, promotion.fairness):
        if rules is not None:
            check_groups(rules.columns, split.features)
    scored = _Champion()
    overlap: tuple[GuardFinding, ...] = ()
    if champion is not None and champion.number != version:
        scored = _score(champion, challenger, model, workspace, tracking)
        overlap = _overlap(champion, split, model, workspace, tracking)
    if scored.agreement:
        told = {f"test_{metric}": value for metric, value in scored.agreement.items()}
        tracking.log(mlflow_run_id, metrics=told)
    interval, slices = _compared(promotion, split, model, challenger, scored, workspace)
    metric = model.objective.metric
    costs = _costs(promotion, challenger, workspace, mlflow_run_id, tracking)
    draft = GateDecision(
        model=name,
        version=version,
        champion=champion.number if champion else None,
        verdict="keep",
        reason="",
        metric=metric,
        goal=model.goal,
        metrics={**tested.metrics, **scored.agreement},
        champion_metrics=dict(scored.scores),
        thresholds=(
            *_thresholds(promotion, tested, costs),
            *_fairness(promotion, model, challenger, workspace),
        ),
        margin=_margin(promotion, scored.scores.get(metric)),
        gain=_gain(model, tested.metrics.get(metric), scored.scores.get(metric)),
        rows=tested.rows,
        mlflow_run_id=mlflow_run_id,
        baseline=tested.baseline,
        findings=(*split.findings, *tested.findings, *overlap),
        says_the_same=scored.predictions is not None
        and digest_of(scored.predictions) == tested.said,
        interval=interval,
        slices=slices,
    )
    is_needed = draft.margin is not None or promotion.slices is not None
    is_better, reason = _judge(draft, scored.failure if is_needed else None)
    decision = draft.model_copy(update=_verdict(promotion, reason, is_better=is_better))
    _write_decision(decision, tracking)
    return decision


def _gain(model: Model, own: float | None, champion: float | None) -> float | None:
    if own is None or champion is None:
        return None
    return own - champion if model.goal == "maximize" else champion - own


@dataclass(frozen=True, eq=False)
class _Champion:
    """How the version in production does on the test rows; empty where there is none."""

    scores: Mapping[str, float] = field(default_factory=dict)
    predictions: Predictions | None = None
    """None where it cannot predict these rows."""
    failure: str | None = None
    """Why there is no comparison."""
    agreement: Mapping[str, float] = field(default_factory=dict)
    """How far it says the same as the challenger."""


def _score(
    champion: Version,
    challenger: _Challenger,
    model: Model,
    workspace: Path,
    tracking: Tracking,
) -> _Champion:
    """How the champion does on the test rows, or why there is no comparison."""
    features, target = read_part(workspace, "test")
    about = read_about(workspace, "test")
    task = model.learning_task

    @cache
    def new() -> Predictions:
        return challenger.predictor.predict(features)

    try:
        rows = _rows_for(champion.record, workspace)
        ask = load_predictor(champion.record, tracking=tracking).predict
        said = task.ask_to_measure(ask, rows, seed=model.split.seed).with_about(about)
        predictions = task.comparable(said, new)
        scores = score(model.computed_metrics, target, predictions)
        agreement = task.agreement(predictions, new)
    except (TerminalError, TypeError, ValueError) as error:
        return _Champion(failure=str(error))
    metric = model.objective.metric
    failure = None
    if metric not in scores.values:
        failure = f"{metric} cannot be computed for it: {scores.skipped[metric]}"
    return _Champion(scores.values, predictions, failure, agreement)


def _rows_for(record: ModelRecord, workspace: Path) -> "pd.DataFrame":
    """The test rows as a version learned from rows: one that forecasts may look back by other lags."""
    features, _ = read_part(workspace, "test")
    form = read_form(workspace)
    if form is None or record.forecast is None or record.forecast == form:
        return features
    return rows_of_form(record.forecast, workspace, "test")


def _compared(
    promotion: Promotion,
    split: DividedRows,
    model: Model,
    challenger: _Challenger,
    champion: _Champion,
    workspace: Path,
) -> tuple[GainInterval | None, SliceScores | None]:
    """How sure the gain is, and how it is in slices, where rules ask for it and there is a champion to compare with."""
    confidence, slices = promotion.confidence, promotion.slices
    is_asked = confidence is not None or slices is not None
    if not is_asked or champion.predictions is None or champion.failure is not None:
        return None, None
    features, target = read_part(workspace, "test")
    comparison = Comparison(
        model.objective_metric,
        model.goal,
        target,
        challenger=model.learning_task.ask_to_measure(
            challenger.predictor.predict, features, seed=split.seed
        ).with_about(read_about(workspace, "test")),
        champion=champion.predictions,
    )
    return (
        None if confidence is None else gain_interval(comparison, confidence, seed=split.seed),
        None if slices is None else slice_scores(comparison, slices, features),
    )


def _overlap(
    champion: Version, split: DividedRows, model: Model, workspace: Path, tracking: Tracking
) -> tuple[GuardFinding, ...]:
    """The finding if the champion has learned from test rows; nothing where it has left no hashes of its rows."""
    guard, rows = model.guard.champion_overlap, read_test_rows(workspace)
    if guard.action == "off" or rows is None:
        return ()
    with artifact(tracking, champion.record.mlflow_run_id, f"{ARTIFACTS}/{FILE}") as file:
        if file is None:
            return ()
        try:
            columns = (*split.features, *model.target_columns)
            known = TrainingRows.load(file).known(columns, rows)
        except ValueError as error:
            logger.warning(
                "Nobody knows which rows version %d was trained on: %s", champion.number, error
            )
            return ()
    if known is None:
        return ()
    return tuple(guard.look(*known, champion.number))


def _thresholds(
    promotion: Promotion, tested: FinalTest, costs: Mapping[str, float]
) -> tuple[Threshold, ...]:
    return tuple(
        Threshold(
            metric=name,
            min=bounds.min,
            max=bounds.max,
            value=(costs if name in COSTS else tested.metrics).get(name),
            why=_NOT_LOGGED if name in COSTS and name not in costs else tested.skipped.get(name),
        )
        for name, bounds in promotion.require.items()
    )


def _costs(
    promotion: Promotion,
    challenger: _Challenger,
    workspace: Path,
    mlflow_run_id: str,
    tracking: Tracking,
) -> dict[str, float]:
    """The challenger's costs that have a limit; those that its training run has, and the latency, measured now."""
    limited = [name for name in promotion.require if name in COSTS]
    if not limited:
        return {}
    with tracking.asked() as client:
        logged = client.get_run(mlflow_run_id).data.metrics
    found = {name: logged[name] for name in limited if name in logged and name != LATENCY}
    if LATENCY in limited:
        features, _ = read_part(workspace, "test")
        found[LATENCY] = latency_p95_ms(challenger.predictor.predict, features)
        tracking.log(mlflow_run_id, metrics={LATENCY: found[LATENCY]})
    return found


def _fairness(
    promotion: Promotion, model: Model, challenger: _Challenger, workspace: Path
) -> Iterator[Threshold]:
    """How differently the challenger treats groups of the test rows, where that has limits."""
    positive = model.counted_class
    features, target = read_part(workspace, "test")
    if promotion.fairness is None or positive is None or target is None:
        return
    said = challenger.predictor.predict(features).values
    for found in measured(promotion.fairness, features, target, said, positive):
        limit = promotion.fairness.require[found.name]
        yield Threshold(
            metric=f"{found.name} by {found.column}",
            min=limit.min,
            max=limit.max,
            value=found.value,
            why=found.why,
            rule="fairness",
        )


def _margin(promotion: Promotion, champion_score: float | None) -> float | None:
    """How much better than the champion the challenger has to be."""
    rule = promotion.beat_champion
    if isinstance(rule, Margin):
        if rule.absolute is not None:
            return rule.absolute
        return abs(champion_score or 0.0) * (rule.relative or 0.0)
    return 0.0 if rule else None


def _judge(draft: GateDecision, failure: str | None) -> tuple[bool, str]:
    """Whether the challenger is to be promoted as far as numbers say, and why."""
    missed = [str(threshold) for threshold in draft.thresholds if not threshold.is_met]
    if draft.champion == draft.version:
        return False, f"version {draft.version} is the champion already"
    halting = [str(finding) for finding in draft.findings if finding.action == "halt"]
    if halting:
        return (
            False,
            f"nobody can believe the scores of version {draft.version}: {'; '.join(halting)}",
        )
    if missed:
        return False, f"version {draft.version} misses a threshold: {'; '.join(missed)}"
    if draft.champion is None:
        return True, f"version {draft.version} is the first: there is no champion to beat"
    if failure is not None:
        return False, (
            f"the champion, version {draft.champion}, cannot be scored on the test rows, so nobody "
            f"knows whether version {draft.version} is better ({failure}). To promote it all the "
            f"same: factory rollback {draft.model} --to {draft.version}"
        )
    is_better, reason = _compare(draft)
    if is_better and draft.slices is not None and draft.slices.too_bad:
        return False, _too_bad(draft.slices, draft)
    return is_better, reason


def _too_bad(slices: SliceScores, draft: GateDecision) -> str:
    worst = slices.worst[0]
    others = f" and {slices.too_bad - 1} more" if slices.too_bad > 1 else ""
    where = "a slice" if slices.too_bad == 1 else "slices"
    return (
        f"version {draft.version} is worse than the champion in {where} of the test rows by more than "
        f"{slices.max_loss:g}, see `promotion.slices`: {worst}{others} (test {draft.metric} "
        f"{worst.challenger:.6g} against {worst.champion:.6g} of version {draft.champion} on {worst.rows} rows)"
    )


def _compare(draft: GateDecision) -> tuple[bool, str]:
    if draft.margin is None:
        return True, f"version {draft.version} meets all thresholds and need not beat the champion"
    own, other = draft.metrics.get(draft.metric), draft.champion_metrics[draft.metric]
    if own is None or draft.gain is None:
        return False, f"version {draft.version} has no test {draft.metric} to compare"
    better = "higher" if draft.goal == "maximize" else "lower"
    scores = (
        f"test {draft.metric} {own:.6g} against {other:.6g} of version {draft.champion} on the same "
        f"{draft.rows} rows, {better} is better"
    )
    if draft.gain <= 0:
        word = "equals" if draft.gain == 0 else "is worse than"
        if draft.says_the_same:
            word = "says the same of all test rows as"
        return False, f"version {draft.version} {word} the champion: {scores}"
    # Decimal fractions such as 0.91 - 0.9 fall a little short of 0.01 in binary.
    if draft.gain < draft.margin and not math.isclose(draft.gain, draft.margin, rel_tol=1e-9):
        return False, (
            f"version {draft.version} beats the champion by {draft.gain:.6g} only, and "
            f"`promotion.beat_champion` asks for {draft.margin:.6g}: {scores}"
        )
    if draft.interval is not None and not draft.interval.is_above_zero:
        return False, (
            f"version {draft.version} beats the champion by {draft.gain:.6g}, which may be chance: "
            f"{draft.interval}; {scores}"
        )
    return True, f"version {draft.version} beats the champion by {draft.gain:.6g}: {scores}"


def _verdict(promotion: Promotion, reason: str, *, is_better: bool) -> dict[str, str]:
    if not is_better:
        return {"verdict": "keep", "reason": reason}
    if promotion.dry_run:
        return {
            "verdict": "keep",
            "reason": f"dry run, nothing is promoted; it would be, because {reason}",
        }
    return {"verdict": "approve" if promotion.needs_approval else "promote", "reason": reason}


def _write_decision(decision: GateDecision, tracking: Tracking) -> None:
    logger.info("%s: %s: %s", decision.model, decision.verdict, decision.reason)
    for threshold in decision.thresholds:
        logger.info("%s: %s", "met" if threshold.is_met else "MISSED", threshold)
    for finding in decision.findings:
        logger.warning("%s", finding)
    logger.info("\n%s", decision.table())
    tags = decision.tags()
    registry.tag(decision.model, decision.version, tags, tracking=tracking)
    tracking.log(
        decision.mlflow_run_id,
        metrics={
            f"champion_test_{name}": value for name, value in decision.champion_metrics.items()
        },
        tags=tags,
    )
    tracking.log_json(decision.mlflow_run_id, decision.as_json(), GATE_DECISION)
    tracking.write_section(
        decision.mlflow_run_id, "Gate", f"{decision.reason}.\n\n{decision.table()}"
    )


def promote(
    decision: GateDecision, answer: ApprovalAnswer | None, *, by: str, tracking: Tracking
) -> tuple[PromotionOutcome, dict[str, Any]]:
    """Put the challenger into production; a retry comes to the same.

    Args:
        decision: The gate's.
        answer: What somebody said to it, if anybody was asked.
        by: Who promotes where nobody was asked: the run.
        tracking: The MLflow server.

    Returns:
        The outcome, and the extra of the model's asset event.

    Raises:
        ChampionChangedError: Meanwhile another version went into production.
        TrackingError: The MLflow server does not answer.
    """
    reason = decision.reason if answer is None else f"{decision.reason}; {answer}"
    switch = switching.promote(
        decision.model,
        decision.version,
        instead_of=decision.champion,
        by=(answer.by if answer else None) or by,
        why=reason,
        tracking=tracking,
    )
    outcome = _outcome(decision, reason, promoted=True)
    _write_outcome(outcome, decision, answer, tracking)
    return outcome, switch.now.as_event("promotion")


def keep(
    decision: GateDecision, answer: ApprovalAnswer | None, *, tracking: Tracking
) -> PromotionOutcome:
    """Leave the champion where it is, and write down why.

    Args:
        decision: The gate's.
        answer: The refusal, if somebody was asked.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    reason = decision.reason if answer is None else f"{answer}, although {decision.reason}"
    outcome = _outcome(decision, reason, promoted=False)
    _write_outcome(outcome, decision, answer, tracking)
    return outcome


def _outcome(decision: GateDecision, reason: str, *, promoted: bool) -> PromotionOutcome:
    return PromotionOutcome(
        model=decision.model,
        version=decision.version,
        champion=decision.version if promoted else decision.champion,
        previous=decision.champion,
        promoted=promoted,
        reason=reason,
        metrics=decision.metrics,
        champion_metrics=decision.champion_metrics,
        findings=tuple(map(str, decision.findings)),
    )


def _write_outcome(
    outcome: PromotionOutcome,
    decision: GateDecision,
    answer: ApprovalAnswer | None,
    tracking: Tracking,
) -> None:
    if outcome.promoted:
        text = f"Version {outcome.version} is in production: {outcome.reason}"
    elif outcome.champion is None:
        text = f"No version is in production: {outcome.reason}"
    else:
        text = f"Version {outcome.champion} stays in production: {outcome.reason}"
    logger.info("%s: %s", outcome.model, text)
    tags = {
        "outcome": "promoted" if outcome.promoted else "kept",
        "outcome_why": outcome.reason,
        "outcome_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **({"approval": str(answer)} if answer else {}),
    }
    registry.tag(outcome.model, outcome.version, tags, tracking=tracking)
    tracking.log(decision.mlflow_run_id, tags=tags)
    tracking.write_section(decision.mlflow_run_id, "Outcome", f"{text}.")
