"""Trials as jobs: their setup, their teardown, and the task that waits for each."""

from collections.abc import Mapping
from typing import Any

from factory.documents import document as parts
from factory.documents.installation import Places
from factory.training.model import Model

OPERATOR = "factory.airflow.job_operator.TrainingJobOperator"
START = "start_training"
STOP = "stop_training"


def with_jobs(tasks: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """The tasks of a training document with the model's `backend` around its trials, if it has one.

    Only `trial.fit` changes. The setup comes after `plan_trials`, for it reckons what all trials may
    cost; the teardown stops whatever is at work still once all trials have ended, however.
    """
    if model.backend is None:
        return dict(tasks)
    made: dict[str, Any] = {}
    for name, entry in tasks.items():
        if name != "trial":
            made[name] = entry
            continue
        made[START] = parts.decorated(parts.SETUP, f"jobs.{START}", None, "plan_trials")
        made["trial"] = _as_jobs(entry)
        # The workspace's setup too: it has succeeded where this one has failed half-way, and Airflow
        # runs a teardown if one of its setups has succeeded.
        after = (parts.OPEN_WORKSPACE, START, "trial")
        made[STOP] = parts.decorated(parts.TEARDOWN, f"jobs.{STOP}", None, *after)
    return made


def price(model: Model, places: Places) -> float | None:
    """USD an hour of the machines that a model is trained on; None if that is not known."""
    priced_as = None if model.backend is None else model.backend.priced_as
    return None if priced_as is None else places.prices.get(priced_as)


def _as_jobs(group: Mapping[str, Any]) -> dict[str, Any]:
    """The mapped task group, whose `fit` waits for a job."""
    fit = group["tasks"]["fit"]
    waiting = {
        **fit,
        "operator": OPERATOR,
        "python_callable": "factory.airflow.tasks.jobs.fit",
    }
    return {
        **group,
        "dependencies": [*group["dependencies"], START],
        "tasks": {**group["tasks"], "fit": waiting},
    }
