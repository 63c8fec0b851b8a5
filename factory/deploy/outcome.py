"""What the registry keeps of a deployment, and how it goes back to the version before."""

import logging
from datetime import UTC, datetime

from factory.base.values import Result
from factory.deploy.deployment import Plan, has_failed
from factory.deploy.protocol import Target
from factory.models import registry
from factory.models.registry import PREVIOUS, Switch
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)


class Restored(Result):
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


def confirm(plan: Plan, *, address: str, tracking: Tracking) -> None:
    """Note that a version answers as it should.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    release = plan.release
    tags = {"deployed_at": _now(), "deployed_to": address}
    registry.tag(release.model, release.version, tags, tracking=tracking)


def restore(plan: Plan, target: Target, *, by: str, why: str, tracking: Tracking) -> Restored:
    """Put the version before back into production, and have the target run what it ran before.

    The registry first: a target that follows it needs nothing more. A retry goes on where an earlier
    try got stuck.

    Args:
        plan: What failed.
        target: Where it failed.
        by: Who does it, unique to the run.
        why: One sentence.
        tracking: The MLflow server.

    Raises:
        FactoryError: The target could not be brought back, or the MLflow server does not answer.
    """
    release = plan.release
    failed = {"deploy_failed_at": _now(), "deploy_failed_why": why}
    registry.tag(release.model, release.version, failed, tracking=tracking)
    outcome, switch = _switch_back(plan, by=by, why=why, tracking=tracking)
    target.restore(release, plan.before)
    if switch is not None:
        registry.tag(release.model, switch.now.number, {"deployed_at": _now()}, tracking=tracking)
    logger.warning("%s", outcome.why)
    return outcome


def _switch_back(
    plan: Plan, *, by: str, why: str, tracking: Tracking
) -> tuple[Restored, Switch | None]:
    """The registry's part: which version is in production afterwards."""
    release = plan.release
    failed = f"version {release.version} of {release.model} could not be deployed"

    def stays(reason: str, version: int | None = None) -> tuple[Restored, None]:
        return (
            Restored(
                model=release.model,
                failed=release.version,
                version=version,
                switched=False,
                why=f"{failed}; {reason}",
            ),
            None,
        )

    champion = registry.champion(release.model, tracking=tracking)
    if champion is None:
        return stays("by now no version is in production")
    if champion.number == release.version:
        previous = registry.with_alias(release.model, PREVIOUS, tracking=tracking)
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
        switch = registry.rollback(
            release.model, previous.number, by=by, why=why, tracking=tracking
        )
    elif _by_an_earlier_try(release.model, release.version, by, tracking):
        switch = Switch(champion, release.version)
    else:
        return stays(f"by now version {champion.number} is in production", champion.number)
    number = switch.now.number
    restored = Restored(
        model=release.model,
        failed=release.version,
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
