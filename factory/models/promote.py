"""What follows from the gate: the challenger goes into production, or the champion stays."""

import logging
from typing import Any

from factory.base.values import Result
from factory.models import registry
from factory.models.gate import Decision
from factory.models.run_description import write_note
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)


class Answer(Result):
    """What came of asking for approval."""

    approved: bool
    by: str | None
    """The user who answered; None when nobody did and time ran out."""
    within: int
    """How long there was to answer, in seconds."""

    def __str__(self) -> str:
        if self.by is not None:
            return f"{'approved' if self.approved else 'rejected'} by {self.by}"
        then = "so it is approved" if self.approved else "so it is rejected"
        return f"no answer within {_duration(self.within)}, {then}"


class Outcome(Result):
    """How a training run ended for its model."""

    model: str
    version: int
    """The challenger."""
    champion: int | None
    """The version that is in production now."""
    previous: int | None
    """The version that was."""
    promoted: bool
    reason: str
    metrics: dict[str, float]
    """The challenger's, on the test rows."""
    champion_metrics: dict[str, float]
    """Those of the version that was in production, on the same rows."""


def promote(
    decision: Decision, answer: Answer | None, *, by: str, tracking: Tracking
) -> tuple[Outcome, dict[str, Any]]:
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
    switch = registry.promote(
        decision.model,
        decision.version,
        instead_of=decision.champion,
        by=(answer.by if answer else None) or by,
        why=reason,
        tracking=tracking,
    )
    outcome = _outcome(decision, reason, promoted=True)
    _record(outcome, decision, tracking)
    return outcome, switch.now.as_event("promotion")


def keep(decision: Decision, answer: Answer | None, *, tracking: Tracking) -> Outcome:
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
    _record(outcome, decision, tracking)
    return outcome


def _outcome(decision: Decision, reason: str, *, promoted: bool) -> Outcome:
    return Outcome(
        model=decision.model,
        version=decision.version,
        champion=decision.version if promoted else decision.champion,
        previous=decision.champion,
        promoted=promoted,
        reason=reason,
        metrics=decision.metrics,
        champion_metrics=decision.champion_metrics,
    )


def _record(outcome: Outcome, decision: Decision, tracking: Tracking) -> None:
    if outcome.promoted:
        text = f"Version {outcome.version} is in production: {outcome.reason}"
    elif outcome.champion is None:
        text = f"No version is in production: {outcome.reason}"
    else:
        text = f"Version {outcome.champion} stays in production: {outcome.reason}"
    logger.info("%s: %s", outcome.model, text)
    tags = {"outcome": "promoted" if outcome.promoted else "kept", "outcome_why": outcome.reason}
    registry.tag(outcome.model, outcome.version, tags, tracking=tracking)
    tracking.log(decision.mlflow_run_id, tags=tags)
    write_note(tracking, decision.mlflow_run_id, "Outcome", f"{text}.")


def _duration(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
