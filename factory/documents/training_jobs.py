"""Trials as jobs: their setup, their teardown, and the task that waits for each."""

from collections.abc import Mapping
from typing import Any

from factory.documents import document as parts
from factory.documents.installation import Places
from factory.training.backends.sections import SageMaker
from factory.training.model import Model

OPERATOR = "factory.airflow.job_operator.TrainingJobOperator"
START = "start_training"
STOP = "stop_training"


def with_jobs(
    tasks: Mapping[str, Any], model: Model, full_name: str, places: Places
) -> dict[str, Any]:
    """The tasks of a training document with the model's `backend` around its trials, if it has one.

    Only `trial.fit` changes. The setup comes after `plan_trials`, for it reckons what all trials may
    cost; the teardown stops whatever is at work still once all trials have ended, however.
    """
    if model.backend is None:
        return dict(tasks)
    arguments: dict[str, Any] = {
        "model": full_name,
        "backend": parts.dump(model.backend),
        "storage": places.storage,
        "workspace": places.workspace,
    }
    price = _price(model, places)
    if price is not None:
        arguments["price"] = price
    made: dict[str, Any] = {}
    for name, entry in tasks.items():
        if name != "trial":
            made[name] = entry
            continue
        config = entry["tasks"]["fit"]["op_kwargs"]["config"]
        made[START] = _task(parts.SETUP, START, {**arguments, "config": config}, "plan_trials")
        made["trial"] = _as_jobs(entry, arguments)
        # The workspace's setup too: it has succeeded where this one has failed half-way, and Airflow
        # runs a teardown if one of its setups has succeeded.
        made[STOP] = _task(parts.TEARDOWN, STOP, arguments, parts.OPEN_WORKSPACE, START, "trial")
    return made


def _price(model: Model, places: Places) -> float | None:
    if isinstance(model.backend, SageMaker):
        return places.prices.get(model.backend.instance_type)
    return None


def _task(decorator: str, call: str, arguments: dict[str, Any], *after: str) -> dict[str, Any]:
    return {
        "decorator": decorator,
        "python_callable": f"factory.airflow.tasks.jobs.{call}",
        "op_kwargs": arguments,
        "dependencies": list(after),
    }


def _as_jobs(group: Mapping[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The mapped task group, whose `fit` waits for a job."""
    fit = group["tasks"]["fit"]
    waiting = {
        **fit,
        "operator": OPERATOR,
        "python_callable": "factory.airflow.tasks.jobs.fit",
        "op_kwargs": arguments,
    }
    return {
        **group,
        "dependencies": [*group["dependencies"], START],
        "tasks": {**group["tasks"], "fit": waiting},
    }
