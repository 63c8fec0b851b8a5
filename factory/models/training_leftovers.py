"""What training runs leave behind in MLflow: runs that nobody ends, and what was created twice.

A task that is killed leaves its run open. Releases that let MLflow's client repeat a request whose answer was
lost also left a second run, open for ever, or registered a model twice.
"""

import logging
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from mlflow.entities.model_registry import ModelVersion

from factory.models import registry
from factory.models.registry import CHALLENGER, CHAMPION, PREVIOUS
from factory.models.tracking import Status, Tracking
from factory.models.training_run import TRIAL_INDEX, identity

logger = logging.getLogger(__name__)

_MOST_OPEN = 1_000
_ONE_OF = ("role", TRIAL_INDEX, "model")
"""The tags by which two runs of a training run are about the same: the sweep of a model, or one trial."""


def end_open_runs(
    tracking: Tracking, model: str, *, dag_id: str, run_id: str, status: Status = "FAILED"
) -> int:
    """End the MLflow runs of a training run that are still open; for the teardown.

    One that was created a second time, beside one that has ended, is deleted instead.

    Args:
        tracking: The MLflow server.
        model: The full name, `team.model`.
        dag_id: Airflow's id of the DAG.
        run_id: Airflow's id of the run.
        status: How the runs are to be ended.

    Returns:
        How many were open.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        experiment = client.get_experiment_by_name(model)
    if experiment is None:
        return 0
    tags = identity(dag_id, run_id)
    found = tracking.find_runs(
        experiment.experiment_id, tags, most=_MOST_OPEN, condition="attributes.status = 'RUNNING'"
    )
    for run in found:
        same = {key: run.data.tags[key] for key in _ONE_OF if key in run.data.tags}
        ended = same.keys() - {"model"} and tracking.find_runs(
            experiment.experiment_id,
            {**tags, **same},
            most=1,
            condition="attributes.status != 'RUNNING'",
        )
        if ended:
            logger.warning("deletes the MLflow run %s: it was created twice", run.info.run_id)
            with tracking.asked() as client:
                client.delete_run(run.info.run_id)
        else:
            tracking.finish(run.info.run_id, status)
    return len(found)


def delete_duplicate_versions(tracking: Tracking, model: str, *, keep: int) -> list[int]:
    """Delete the versions that are the same logged model of the same training run, registered twice.

    The one to keep stays, else the challenger, else the first. One that is or was in production stays too.

    Args:
        tracking: The MLflow server.
        model: The full name, `team.model`.
        keep: A version that others work with already.

    Returns:
        The numbers of those that were deleted.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        aliases = {
            int(number): alias
            for alias, number in client.get_registered_model(model).aliases.items()
            if alias in (CHAMPION, PREVIOUS, CHALLENGER)
        }
    found = sorted(registry.search_versions(model, tracking=tracking), key=_origin)
    deleted: list[int] = []
    for origin, group in groupby(found, key=_origin):
        same = sorted(group, key=lambda one: _rank(one, keep, aliases))
        if len(same) == 1 or not _is_ours(same[0].tags):
            continue
        for one in same[1:]:
            number = int(one.version)
            if aliases.get(number) in (CHAMPION, PREVIOUS) or "promoted_at" in one.tags:
                continue
            logger.warning(
                "deletes %s version %d: it is version %s, registered twice (%s)",
                model,
                number,
                same[0].version,
                origin[1],
            )
            with tracking.asked() as client:
                client.delete_model_version(model, str(number))
            deleted.append(number)
    return deleted


def _origin(version: ModelVersion) -> tuple[str, str]:
    return (version.run_id or "", version.source or "")


def _is_ours(tags: Mapping[str, Any]) -> bool:
    """Whether a training run has registered a version, and not a person, who may do so twice."""
    return "airflow.run_id" in tags


def _rank(version: ModelVersion, keep: int, aliases: Mapping[int, str]) -> tuple[bool, bool, int]:
    number = int(version.version)
    return (number != keep, aliases.get(number) != CHALLENGER, number)
