"""What documents of every kind are made of: assets, schedules, tasks, workspace."""

from collections.abc import Sequence
from typing import Any

from factory.base.section import Section, qualify
from factory.data.dataset import Dataset
from factory.data.transforms.transform import Transform
from factory.documents.installation import Places
from factory.documents.notification import on_failure
from factory.documents.shared import Shared
from factory.lake.storage.address import dataset_uri
from factory.team.schedule import Schedule
from factory.team.team import TeamConfig
from factory.training.model import Model

Document = dict[str, Any]
"""A DAG in dag-factory's YAML format, as plain data."""

OPERATOR = "factory.airflow.operators.StepOperator"
SETUP = "factory.airflow.decorators.setup"
TEARDOWN = "factory.airflow.decorators.teardown"
BRANCH = "factory.airflow.decorators.branch"
SHORT_CIRCUIT = "factory.airflow.decorators.short_circuit"
MAPPED_TASK_GROUP = "factory.airflow.decorators.mapped_task_group"
OPEN_WORKSPACE = "open_workspace"
CLOSE_WORKSPACE = "close_workspace"


def dump(section: Section) -> dict[str, Any]:
    """A section as plain data, without what has its default."""
    return section.model_dump(mode="json", exclude_defaults=True)


def asset(dataset: str, places: Places) -> dict[str, Any]:
    """The Airflow asset of the dataset `team.dataset`."""
    return {
        "__type__": "airflow.sdk.Asset",
        "name": dataset,
        "uri": dataset_uri(places.storage, dataset),
        "group": "dataset",
    }


def model_asset(model: str) -> dict[str, Any]:
    """The Airflow asset of the model `team.model`: its champion."""
    return {
        "__type__": "airflow.sdk.Asset",
        "name": model,
        "uri": f"x-mlflow://models/{model}",
        "group": "model",
    }


def drift_asset(model: str) -> dict[str, Any]:
    """The Airflow asset whose events say that the model `team.model` meets other data by now."""
    return {
        "__type__": "airflow.sdk.Asset",
        "name": f"{model}.drift",
        "uri": f"x-mlflow://drift/{model}",
        "group": "drift",
    }


def assets(datasets: Sequence[str], places: Places) -> list[dict[str, Any]]:
    """The Airflow assets of datasets, in their order."""
    return [asset(dataset, places) for dataset in datasets]


def schedule(when: Schedule, team: TeamConfig, places: Places) -> Any:
    """A schedule as dag-factory reads it: a cron string, assets, or an Airflow timetable.

    What a name means follows from the one team file: it is the team's own model, or a dataset.
    """
    if not when.datasets:
        return when.cron
    models = {f"{team.team}.{name}" for name in team.models}
    names = [qualify(reference, team.team) for reference in when.datasets]
    starts = [model_asset(name) if name in models else asset(name, places) for name in names]
    if when.cron is None and (when.all or len(names) == 1):
        return starts
    condition: dict[str, Any] = {
        "__type__": "airflow.sdk.AssetAll" if when.all else "airflow.sdk.AssetAny",
        "__args__": starts,
    }
    if when.cron is None:
        return condition
    return _at_times_or(when.cron, condition)


def or_when(scheduled: Any, asset: dict[str, Any]) -> Any:
    """A schedule, as `schedule` makes it, by which an asset's event starts a run too."""
    if scheduled is None:
        return [asset]
    if isinstance(scheduled, str):
        return _at_times_or(scheduled, asset)
    if isinstance(scheduled, list):
        all_of = {"__type__": "airflow.sdk.AssetAll", "__args__": scheduled}
        return _any_of(scheduled[0] if len(scheduled) == 1 else all_of, asset)
    if "assets" in scheduled:
        return {**scheduled, "assets": _any_of(scheduled["assets"], asset)}
    return _any_of(scheduled, asset)


def _any_of(condition: dict[str, Any], asset: dict[str, Any]) -> dict[str, Any]:
    return {"__type__": "airflow.sdk.AssetAny", "__args__": [condition, asset]}


def _at_times_or(cron: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {
        "__type__": "airflow.sdk.AssetOrTimeSchedule",
        "timetable": {
            "__type__": "airflow.sdk.CronTriggerTimetable",
            "__args__": [cron],
            "timezone": "UTC",
        },
        "assets": condition,
    }


def transforms(steps: Sequence[Transform], places: Places) -> list[dict[str, Any]]:
    """Transforms as plain data, the text of SQL files in place of their paths."""
    return [dump(step.for_document(places.project)) for step in steps]


def task(
    call: str,
    arguments: dict[str, Any] | None = None,
    *after: str,
    inlets: Sequence[str] = (),
    outlets: Sequence[str] = (),
    places: Places,
    **operator_arguments: Any,
) -> dict[str, Any]:
    """A task that calls `factory.airflow.tasks.<call>` after the named tasks."""
    entry = called({"operator": OPERATOR}, call, arguments, after)
    if inlets:
        entry["inlets"] = assets(inlets, places)
    if outlets:
        entry["outlets"] = assets(outlets, places)
    return entry | operator_arguments


def decorated(
    decorator: str, call: str, arguments: dict[str, Any] | None = None, *after: str
) -> dict[str, Any]:
    """A task of one of our decorators that calls `factory.airflow.tasks.<call>`."""
    return called({"decorator": decorator}, call, arguments, after)


def called(
    kind: dict[str, Any], call: str, arguments: dict[str, Any] | None, after: Sequence[str]
) -> dict[str, Any]:
    """A task of a kind, without the keys that have nothing to say."""
    return {
        **kind,
        "python_callable": f"factory.airflow.tasks.{call}",
        **({"op_kwargs": arguments} if arguments else {}),
        **({"dependencies": list(after)} if after else {}),
    }


def with_workspace(tasks: dict[str, Any], *, module: str = "workspace") -> dict[str, Any]:
    """The tasks between a setup that makes the run's workspace and a teardown that removes it.

    Args:
        tasks: The tasks in running order; the first ones have no dependencies.
        module: The module of `factory.airflow.tasks` whose functions open and close.
    """
    followed = {name for entry in tasks.values() for name in entry.get("dependencies", ())}
    leaves = [name for name in tasks if name not in followed]
    for entry in tasks.values():
        entry["dependencies"] = entry.get("dependencies") or [OPEN_WORKSPACE]
    return {
        OPEN_WORKSPACE: decorated(SETUP, f"{module}.open_workspace"),
        **tasks,
        CLOSE_WORKSPACE: decorated(
            TEARDOWN, f"{module}.close_workspace", None, OPEN_WORKSPACE, *leaves
        ),
    }


def dag(
    team: TeamConfig,
    *,
    description: str,
    doc: str,
    when: Any,
    tags: Sequence[str],
    params: dict[str, Any],
    tasks: dict[str, Any],
    shared: Shared,
    about: Dataset | Model | None = None,
) -> Document:
    """A whole document: what all DAGs of a team have in common, and these tasks.

    `shared` is what all its tasks share, `about` what the DAG produces: it may say whom to tell of a failed run.
    """
    defaults = team.defaults
    arguments: dict[str, Any] = {
        "owner": team.owner,
        "retries": defaults.retries,
        "retry_delay": timedelta(defaults.retry_delay),
    }
    if defaults.execution_timeout is not None:
        arguments["execution_timeout"] = timedelta(defaults.execution_timeout)
    for name in ("pool", "queue", "priority_weight"):
        if (value := getattr(defaults, name)) is not None:
            arguments[name] = value
    arguments["shared"] = shared.as_data()
    return {
        "description": description,
        "doc_md": doc,
        "schedule": when,
        "start_date": defaults.start_date.isoformat(),
        "catchup": False,
        # Two runs of one DAG would publish or register side by side: the second waits.
        "max_active_runs": 1,
        "tags": sorted(tags),
        "default_args": arguments,
        **on_failure(team, about),
        "params": params,
        "tasks": tasks,
    }


def timedelta(seconds: int) -> dict[str, Any]:
    """A duration as dag-factory reads it."""
    return {"__type__": "datetime.timedelta", "seconds": seconds}


def param(default: Any, description: str, *types: str) -> dict[str, Any]:
    """An Airflow param that a person can set when triggering a run by hand."""
    return {
        "__type__": "airflow.sdk.Param",
        "default": default,
        "description": description,
        "type": list(types) if len(types) > 1 else types[0],
    }
