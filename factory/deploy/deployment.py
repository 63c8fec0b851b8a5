"""Which version is to be deployed, and what runs until then."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from factory.base.values import Result
from factory.deploy.protocol import Deployed, Target
from factory.models import registry
from factory.models.champion import NoChampionError
from factory.models.record import ModelRecord
from factory.models.registry import Version
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)

RESTORED_BY = "restored_by"
"""The key of a model's event by which a deployment knows its own."""


class Plan(Result):
    """What one run of a deployment is about."""

    release: ModelRecord
    before: Deployed | None
    """What the target ran when the run began."""
    is_new: bool
    """Whether the version has not answered at the target since it was put into production."""


def plan(
    model: str,
    events: Sequence[Mapping[str, Any]],
    target: Target,
    *,
    deployment: str,
    tracking: Tracking,
) -> Plan | None:
    """What to deploy: the version in production now, whatever the events were about.

    Args:
        model: The full name, `team.model`.
        events: The extras of the model's asset events that started the run, oldest first.
        target: Where it is deployed to.
        deployment: The name of this deployment: its DAG.
        tracking: The MLflow server.

    Returns:
        None where nothing is to be done: the news is that this very deployment restored the version.

    Raises:
        NoChampionError: No version is in production.
        TerminalError: The version was not registered by a training run.
        FactoryError: The target cannot be asked what it runs.
    """
    champion = registry.champion(model, tracking=tracking)
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
    release = champion.record
    what = f"{champion.uri}, a {release.learning_task.name}"
    before = target.running(model)
    running = "nothing" if before is None else f"version {before.version} at {before.address}"
    logger.info("deploys %s; until now there is %s", what, running)
    return Plan(release=release, before=before, is_new=is_new(champion))


def is_new(version: Version) -> bool:
    """Whether a version has not been seen to answer since it was put into production."""
    # Both in UTC and to the second, as the registry writes them.
    return version.tags.get("deployed_at", "") < version.tags.get("promoted_at", "~")


def has_failed(version: Version) -> bool:
    """Whether a version's last deployment failed."""
    return version.tags.get("deployed_at", "") < version.tags.get("deploy_failed_at", "")
