"""A trained model in MLflow: in its model's experiment, under its own name, linked to the run that made it.

MLflow's `log_model` with a run's id puts the model into experiment 0 and asks for the history of each
metric by itself. With the id of an entry that is there already it does neither.
"""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS
from mlflow.utils.time import get_current_time_millis

from factory.models.creation import CREATION, created_once

if TYPE_CHECKING:
    from factory.models.tracking import Tracking


def begin(
    tracking: "Tracking",
    experiment_id: str,
    run_id: str,
    *,
    model: str,
    params: Mapping[str, str],
) -> str:
    """Create the entry of a model whose files are to come, in place of those that earlier tries did not register.

    Args:
        tracking: The MLflow server.
        experiment_id: The model's experiment.
        run_id: MLflow's id of the run that the model comes from.
        model: The full name, `team.model`.
        params: Its hyperparameters.

    Returns:
        The id by which MLflow's `log_model` finds it.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        earlier = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        for one in earlier:
            if MLFLOW_MODEL_VERSIONS not in one.tags:
                client.delete_logged_model(one.model_id)
    key = uuid.uuid4().hex

    def create() -> str:
        made = tracking.client.create_logged_model(
            experiment_id,
            # MLflow takes no dot in it.
            name=model.rpartition(".")[2],
            source_run_id=run_id,
            tags={CREATION: key},
            params=dict(params),
        )
        return str(made.model_id)

    def find() -> str | None:
        with tracking.asked() as client:
            found = client.search_logged_models([experiment_id], f"tags.{CREATION} = '{key}'")
        return str(found[0].model_id) if found else None

    return created_once(create, find, asked=tracking.asked)


def link(
    tracking: "Tracking",
    model_id: str,
    run_id: str,
    *,
    metrics: Mapping[str, float],
    at: int | None,
) -> None:
    """Show a stored model among its run's outputs, and what was measured of it beside it.

    Args:
        tracking: The MLflow server.
        model_id: What `begin` returned.
        run_id: MLflow's id of the run that the model comes from.
        metrics: What was measured. The run has them too; those that it had at this very time stay one point.
        at: When that was, in milliseconds since 1970; now, if nobody knows.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    at = at or get_current_time_millis()
    with tracking.asked() as client:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        client.log_batch(
            run_id,
            metrics=[
                Metric(name, value, at, 0, model_id=model_id) for name, value in metrics.items()
            ],
        )


def refuse(tracking: "Tracking", model_id: str) -> None:
    """Show that a stored model must not be used.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
