"""Which version of a model is used: the one that an event names, or the one in production."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.models import registry
from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)


class NoChampionError(TerminalError):
    """No version of a model is in production."""


def champion_to_use(
    model: str, events: Sequence[Mapping[str, Any]], *, tracking: Tracking
) -> registry.Version:
    """The version that the newest event put into production, else the one that is there now.

    Args:
        model: The full name, `team.model`.
        events: The extras of the model's asset events that started the run, oldest first.
        tracking: The MLflow server.

    Raises:
        NoChampionError: No version is in production; says how one gets there.
        UnknownModelError: The event names a version that does not exist.
        TrackingError: The MLflow server does not answer.
    """
    # An event that somebody made by hand, in Airflow's UI say, names no version.
    named = [extra["version"] for extra in events if "version" in extra]
    if named:
        chosen = registry.version(model, int(named[-1]), tracking=tracking)
    else:
        found = registry.champion(model, tracking=tracking)
        if found is None:
            raise NoChampionError(_no_champion(model, tracking))
        chosen = found
    logger.info("uses %s version %d (%s)", model, chosen.number, chosen.uri)
    return chosen


def _no_champion(model: str, tracking: Tracking) -> str:
    nothing = f"{model} has no champion, so there is nothing to predict with"
    try:
        numbers = sorted(one.number for one in registry.versions(model, tracking=tracking))
    except registry.UnknownModelError:
        return (
            f"{nothing}: it has not been trained yet. Run the DAG {model}.train; when it promotes "
            "a version, predict again"
        )
    return (
        f"{nothing}: of its versions {one_of(numbers)} none was promoted. The task `gate` of "
        f"{model}.train says why; `factory rollback {model} --to {numbers[-1]}` promotes one by hand"
    )
