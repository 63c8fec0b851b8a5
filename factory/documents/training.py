"""A model's training document: split, sweep, best, test, register."""

from typing import Any

from factory.config.base import qualify
from factory.config.model import Model
from factory.config.team import TeamConfig
from factory.documents import parts
from factory.documents.dataset import VERSIONS
from factory.documents.parts import Document
from factory.documents.places import Places


def training_id(team: str, model: str) -> str:
    """The id of the DAG that trains a model."""
    return f"{team}.{model}.train"


def training_document(team: TeamConfig, name: str, places: Places) -> Document:
    """The consumer DAG `<team>.<name>.train`."""
    model = team.models[name]
    full_name = f"{team.team}.{name}"
    reads = [qualify(reference, team.team) for reference in model.train_on.datasets]
    return parts.dag(
        team,
        description=model.description or f"Trains the model {full_name}.",
        doc=_doc(full_name, model, reads),
        when=parts.schedule(model.when, team.team, places),
        tags=("model", "training", team.team),
        params={"versions": VERSIONS},
        tasks=parts.with_workspace(
            _tasks(model, full_name, reads, places),
            module="training",
            places=places,
            model=full_name,
        ),
    )


def _tasks(model: Model, full_name: str, reads: list[str], places: Places) -> dict[str, Any]:
    # The task functions get the model's section as it stands: one meaning, one place.
    section = parts.dump(model)
    section["transforms"] = parts.transforms(model.transforms, places)
    where = {"workspace": places.workspace}
    lake = {"storage": places.storage}
    config = {"config": section}
    this = {"model": full_name, **config}
    return {
        "inputs": parts.task(
            "training.inputs", {"datasets": reads, **lake}, inlets=reads, places=places
        ),
        "split": parts.task(
            "training.split",
            {"datasets": reads, **config, **where, **lake},
            "inputs",
            inlets=reads,
            places=places,
        ),
        "plan_trials": parts.task("training.plan_trials", this, "split", places=places),
        "trial": {
            "decorator": parts.MAPPED_TASK_GROUP,
            "python_callable": "factory.airflow.tasks.training.trial",
            "expand": {"trial": "+plan_trials"},
            "dependencies": ["plan_trials"],
            "tasks": {
                "fit": _in_trial("fit", {**config, **where}, model, places),
                "evaluate": _in_trial("evaluate", {**this, **where}, model, places, "fit"),
            },
        },
        "select_best": parts.task(
            "training.select_best",
            config,
            "trial",
            places=places,
            **({"trigger_rule": "all_done"} if model.search.max_failed_trials else {}),
        ),
        "test": parts.task("training.test", {**config, **where}, "select_best", places=places),
        "register": parts.task("training.register", {**this, **where}, "test", places=places),
    }


def _in_trial(
    call: str, arguments: dict[str, Any], model: Model, places: Places, *after: str
) -> dict[str, Any]:
    return parts.task(
        f"training.{call}",
        arguments,
        *after,
        places=places,
        map_index_template="{{ trial['name'] }}",
        max_active_tis_per_dagrun=model.search.parallel_trials,
    )


def _doc(full_name: str, model: Model, reads: list[str]) -> str:
    lines = [f"### Training of `{full_name}`", "", model.description.strip(), ""]
    lines += [
        f"* task: {model.task} of `{model.target}`",
        *(f"* trains on: `{name}`" for name in reads),
        f"* search: {model.search.strategy}, at most {model.search.parallel_trials} at once",
        f"* objective: {model.goal} `{model.objective.metric}`",
        f"* MLflow: experiment and registered model `{full_name}`",
    ]
    return "\n".join(lines) + "\n"
