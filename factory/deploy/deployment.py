"""One deployment: which version it is about, what the registry keeps of it, and the way back."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from factory.base.values import Result
from factory.deploy.targets.target import DeployContext, Deployed, Target
from factory.models import registry, switching
from factory.models.record import ModelRecord
from factory.models.registry import PREVIOUS, NoChampionError, Version
from factory.models.switching import ChampionChangedError, Switch
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)

RESTORED_BY = "restored_by"
"""The key of a model's event by which a deployment knows its own."""


class DeploymentPlan(Result):
    """What one run of a deployment is about."""

    record: ModelRecord
    before: Deployed | None
    """What the target ran when the run began."""
    is_new: bool
    """Whether the version has not answered at the target since it was put into production."""


class RestoredVersion(Result):
    """What became of a deployment that failed."""

    model: str
    failed: int
    """The version that failed."""
    version: int | None
    """The version in production by now; None if that stays the one that failed."""
    switched: bool
    """Whether this run put it there."""
    why: str
    """One sentence."""


def plan(
    model: str,
    events: Sequence[Mapping[str, Any]],
    target: Target,
    context: DeployContext,
    *,
    deployment: str,
) -> DeploymentPlan | None:
    """What to deploy: the version in production now, whatever the events were about.

    Args:
        model: The full name, `team.model`.
        events: The extras of the model's asset events that started the run, oldest first.
        target: Where it is deployed to.
        context: Where things are.
        deployment: The name of this deployment: its DAG.

    Returns:
        None where nothing is to be done: the news is that this very deployment restored the version.

    Raises:
        NoChampionError: No version is in production.
        TerminalError: The version was not registered by a training run.
        FactoryError: The target cannot be asked what it runs.
    """
    champion = registry.champion(model, tracking=context.tracking)
    if champion is None:
        raise NoChampionError(
            f"{model} has no champion, so there is nothing to deploy: run the DAG {model}.train, or "
            f"promote a version by hand: factory rollback {model} --to <version>"
        )
    newest = events[-1] if events else {}
    own = newest.get(RESTORED_BY) == deployment
    if own and newest.get("version") == champion.number:
        logger.info("%s runs already: this deployment has restored it", champion.uri)
        return None
    record = champion.record
    what = f"{champion.uri}, a {record.learning_task.name}"
    before = target.running(context, model)
    running = "nothing" if before is None else f"version {before.version} at {before.address}"
    logger.info("deploys %s; until now there is %s", what, running)
    return DeploymentPlan(record=record, before=before, is_new=is_new(champion))


def is_new(version: Version) -> bool:
    """Whether a version has not been seen to answer since it was put into production."""
    # Both in UTC and to the second, as the registry writes them.
    return version.tags.get("deployed_at", "") < version.tags.get("promoted_at", "~")


def has_failed(version: Version) -> bool:
    """Whether a version's last deployment failed."""
    return version.tags.get("deployed_at", "") < version.tags.get("deploy_failed_at", "")


def confirm(plan: DeploymentPlan, *, address: str, tracking: Tracking) -> None:
    """Note that a version answers as it should.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    record = plan.record
    tags = {"deployed_at": _now(), "deployed_to": address}
    registry.tag(record.model, record.version, tags, tracking=tracking)


def restore(
    plan: DeploymentPlan, target: Target, context: DeployContext, *, by: str, why: str
) -> RestoredVersion:
    """Put the version before back into production, and have the target run what it ran before.

    The registry first: a target that follows it needs nothing more. A retry goes on where an earlier
    try got stuck.

    Args:
        plan: What failed.
        target: Where it failed.
        context: Where things are.
        by: Who does it, unique to the run.
        why: One sentence.

    Raises:
        FactoryError: The target could not be brought back, or the MLflow server does not answer.
    """
    record, tracking = plan.record, context.tracking
    failed = {"deploy_failed_at": _now(), "deploy_failed_why": why}
    registry.tag(record.model, record.version, failed, tracking=tracking)
    outcome, switch = _switch_back(plan, by=by, why=why, tracking=tracking)
    target.restore(context, record, plan.before)
    if switch is not None:
        registry.tag(record.model, switch.now.number, {"deployed_at": _now()}, tracking=tracking)
    logger.warning("%s", outcome.why)
    return outcome


def _switch_back(
    plan: DeploymentPlan, *, by: str, why: str, tracking: Tracking
) -> tuple[RestoredVersion, Switch | None]:
    """The registry's part: which version is in production afterwards."""
    record = plan.record
    failed = f"version {record.version} of {record.model} could not be deployed"

    def stays(reason: str, version: int | None = None) -> tuple[RestoredVersion, None]:
        return (
            RestoredVersion(
                model=record.model,
                failed=record.version,
                version=version,
                switched=False,
                why=f"{failed}; {reason}",
            ),
            None,
        )

    champion = registry.champion(record.model, tracking=tracking)
    if champion is None:
        return stays("by now no version is in production")
    if champion.number == record.version:
        previous = registry.with_alias(record.model, PREVIOUS, tracking=tracking)
        if not plan.is_new:
            return stays(
                "it has answered there before, so it stays in production: see to the target"
            )
        if previous is None:
            return stays("it stays in production, as there was none before it")
        if has_failed(previous):
            return stays(
                f"it stays in production, as the one before, version {previous.number}, could not "
                "be deployed either"
            )
        try:
            switch = switching.rollback(
                record.model,
                previous.number,
                instead_of=record.version,
                by=by,
                why=why,
                tracking=tracking,
            )
        except ChampionChangedError:  # just now: by whom, decides what is said
            return _switch_back(plan, by=by, why=why, tracking=tracking)
    elif _by_an_earlier_try(record.model, record.version, by, tracking):
        switch = Switch(champion, record.version)
    else:
        return stays(f"by now version {champion.number} is in production", champion.number)
    number = switch.now.number
    restored = RestoredVersion(
        model=record.model,
        failed=record.version,
        version=number,
        switched=True,
        why=f"{failed}; version {number} is in production again",
    )
    return restored, switch


def _by_an_earlier_try(model: str, failed: int, by: str, tracking: Tracking) -> bool:
    version = registry.version(model, failed, tracking=tracking)
    return version.tags.get("rolled_back_by") == by


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
