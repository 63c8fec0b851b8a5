"""A model's training document: split, sweep, best, test, register, gate."""

from typing import Any

from factory.base.section import qualify
from factory.documents import document as parts
from factory.documents.dataset import VERSIONS
from factory.documents.document import Document
from factory.documents.installation import Places
from factory.documents.notification import telling
from factory.documents.promotion import promotion_tasks
from factory.documents.resources import macros, with_resources
from factory.documents.shared import Shared
from factory.documents.training_jobs import price, with_jobs
from factory.models.promotion import RetrainWhen
from factory.team.team import TeamConfig
from factory.training.model import TASKS_WITH_ROWS, Model


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
        when=_when(team, model, full_name, places),
        tags=("model", "training", team.team),
        params={"versions": VERSIONS},
        tasks=parts.with_workspace(
            with_resources(
                with_jobs(_tasks(team, model, full_name, reads, places), model),
                model.resources,
                users=TASKS_WITH_ROWS,
            ),
            module="training",
        ),
        shared=Shared(
            places.storage,
            places.workspace,
            places.storage_connection,
            model=full_name,
            reads=tuple(reads),
            section=_section(model, places),
            price=price(model, places),
        ),
        about=model,
    ) | macros(model.resources)


def _when(team: TeamConfig, model: Model, full_name: str, places: Places) -> Any:
    scheduled = parts.schedule(model.when, team, places)
    if model.monitor is not None and model.monitor.retrains:
        return parts.or_when(scheduled, parts.drift_asset(full_name))
    return scheduled


def _tasks(
    team: TeamConfig, model: Model, full_name: str, reads: list[str], places: Places
) -> dict[str, Any]:
    rules = {} if model.retrain_when is None else _retrain(model.retrain_when)
    return {
        "inputs": parts.task("training.inputs", inlets=reads, places=places),
        **rules,
        "split": parts.task(
            "training.split", None, "retrain" if rules else "inputs", inlets=reads, places=places
        ),
        "plan_trials": parts.task("training.plan_trials", None, "split", places=places),
        "trial": {
            "decorator": parts.MAPPED_TASK_GROUP,
            "python_callable": "factory.airflow.tasks.training.trial",
            "expand": {"trial": "+plan_trials"},
            "dependencies": ["plan_trials"],
            "tasks": {
                "fit": _in_trial("fit", model, places),
                "evaluate": _in_trial("evaluate", model, places, "fit"),
            },
        },
        "select_best": parts.task(
            "training.select_best",
            None,
            "trial",
            places=places,
            **({"trigger_rule": "all_done"} if model.search.max_failed_trials else {}),
        ),
        "test": parts.task("training.test", None, "select_best", places=places),
        "register": parts.task("training.register", None, "test", places=places),
        **_told(team, model, promotion_tasks(model.promotion, full_name, places)),
    }


def _told(team: TeamConfig, model: Model, tasks: dict[str, Any]) -> dict[str, Any]:
    """The end of the document, with whom to tell how it ended."""
    tasks["promote"] |= telling("on_promotion", team, model)
    tasks["keep_champion"] |= telling("on_kept_champion", team, model)
    return tasks


def _section(model: Model, places: Places) -> dict[str, Any]:
    """The model's section without what only says when, and what becomes of the model."""
    section = model.as_trained("backend")
    if model.transforms:
        section["transforms"] = parts.transforms(model.transforms, places)
    return section


def _retrain(rules: RetrainWhen) -> dict[str, Any]:
    arguments = {"rules": parts.dump(rules)}
    return {
        "retrain": parts.decorated(parts.SHORT_CIRCUIT, "promotion.retrain", arguments, "inputs")
    }


def _in_trial(call: str, model: Model, places: Places, *after: str) -> dict[str, Any]:
    return parts.task(
        f"training.{call}",
        None,
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
        *([f"* trials train as jobs: {model.backend.type}"] if model.backend else []),
        f"* objective: {model.goal} `{model.objective.metric}`",
        f"* MLflow: experiment and registered model `{full_name}`",
    ]
    return "\n".join(lines) + "\n"
