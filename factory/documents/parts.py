"""What documents of every kind are made of: assets, schedules, tasks, workspace."""

from collections.abc import Sequence
from typing import Any

from factory.config.base import Section, qualify
from factory.config.schedule import Schedule
from factory.config.team import TeamConfig
from factory.config.transforms import SqlTransform, Transform
from factory.documents.places import Places
from factory.storage import dataset_uri

Document = dict[str, Any]
"""A DAG in dag-factory's YAML format, as plain data."""

OPERATOR = "factory.airflow.operators.StepOperator"
SETUP = "factory.airflow.decorators.setup"
TEARDOWN = "factory.airflow.decorators.teardown"
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


def assets(datasets: Sequence[str], places: Places) -> list[dict[str, Any]]:
    """The Airflow assets of datasets, in their order."""
    return [asset(dataset, places) for dataset in datasets]


def schedule(when: Schedule, team: str, places: Places) -> Any:
    """A schedule as dag-factory reads it: a cron string, assets, or an Airflow timetable."""
    names = [qualify(reference, team) for reference in when.datasets]
    if not names:
        return when.cron
    if when.cron is None and (when.all or len(names) == 1):
        return assets(names, places)
    condition: dict[str, Any] = {
        "__type__": "airflow.sdk.AssetAll" if when.all else "airflow.sdk.AssetAny",
        "__args__": assets(names, places),
    }
    if when.cron is None:
        return condition
    return {
        "__type__": "airflow.sdk.AssetOrTimeSchedule",
        "timetable": {
            "__type__": "airflow.sdk.CronTriggerTimetable",
            "__args__": [when.cron],
            "timezone": "UTC",
        },
        "assets": condition,
    }


def transforms(steps: Sequence[Transform], places: Places) -> list[dict[str, Any]]:
    """Transforms as plain data, the text of SQL files in place of their paths."""
    return [dump(_with_text(step, places)) for step in steps]


def _with_text(step: Transform, places: Places) -> Transform:
    if isinstance(step, SqlTransform) and step.file is not None:
        text = (places.project / step.file).read_text(encoding="utf-8")
        return SqlTransform(type="sql", query=text)
    return step


def task(
    call: str,
    arguments: dict[str, Any],
    *after: str,
    inlets: Sequence[str] = (),
    outlets: Sequence[str] = (),
    places: Places,
    **operator_arguments: Any,
) -> dict[str, Any]:
    """A task that calls `factory.airflow.tasks.<call>` after the named tasks."""
    entry: dict[str, Any] = {
        "operator": OPERATOR,
        "python_callable": f"factory.airflow.tasks.{call}",
        "op_kwargs": arguments,
        "dependencies": list(after),
    }
    if inlets:
        entry["inlets"] = assets(inlets, places)
    if outlets:
        entry["outlets"] = assets(outlets, places)
    return entry | operator_arguments


def with_workspace(
    tasks: dict[str, Any], *, module: str, places: Places, **arguments: Any
) -> dict[str, Any]:
    """The tasks between a setup that makes the run's workspace and a teardown that removes it.

    Args:
        tasks: The tasks in running order; the first ones have no dependencies.
        module: The module of `factory.airflow.tasks` whose functions open and close.
        places: Where workspaces lie.
        arguments: Further arguments of the teardown.
    """
    followed = {name for entry in tasks.values() for name in entry["dependencies"]}
    leaves = [name for name in tasks if name not in followed]
    for entry in tasks.values():
        entry["dependencies"] = entry["dependencies"] or [OPEN_WORKSPACE]
    return {
        OPEN_WORKSPACE: {
            "decorator": SETUP,
            "python_callable": f"factory.airflow.tasks.{module}.open_workspace",
            "op_kwargs": {"root": places.workspace},
            "dependencies": [],
        },
        **tasks,
        CLOSE_WORKSPACE: {
            "decorator": TEARDOWN,
            "python_callable": f"factory.airflow.tasks.{module}.close_workspace",
            "op_kwargs": {"root": places.workspace, **arguments},
            "dependencies": [OPEN_WORKSPACE, *leaves],
        },
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
) -> Document:
    """A whole document: what all DAGs of a team have in common, and these tasks."""
    defaults = team.defaults
    arguments: dict[str, Any] = {
        "owner": team.owner,
        "retries": defaults.retries,
        "retry_delay": _timedelta(defaults.retry_delay),
    }
    if defaults.execution_timeout is not None:
        arguments["execution_timeout"] = _timedelta(defaults.execution_timeout)
    for name in ("pool", "queue", "priority_weight"):
        if (value := getattr(defaults, name)) is not None:
            arguments[name] = value
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
        "params": params,
        "tasks": tasks,
    }


def _timedelta(seconds: int) -> dict[str, Any]:
    return {"__type__": "datetime.timedelta", "seconds": seconds}


def param(default: Any, description: str, *types: str) -> dict[str, Any]:
    """An Airflow param that a person can set when triggering a run by hand."""
    return {
        "__type__": "airflow.sdk.Param",
        "default": default,
        "description": description,
        "type": list(types) if len(types) > 1 else types[0],
    }
