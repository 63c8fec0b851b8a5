"""What the DAGs of a team have in common: defaults, workspace, whom to tell, what runs may be told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from factory.base.section import Section
from factory.data.dataset import Dataset
from factory.data.transforms.transform import Transform
from factory.documents.dag import SETUP, TEARDOWN, Dag, OwnTask, PythonObject, Shared, Task, Tasks
from factory.documents.installation import Installation
from factory.documents.schedules import Start, asset_data
from factory.notifiers.message import Event
from factory.team.after_tasks import as_dag
from factory.team.notify import notifiers_of
from factory.team.own_assets import with_assets
from factory.team.own_entries import entries
from factory.team.team import TeamConfig
from factory.training.model import Model

MAKE_BUCKET = "make_bucket"
OPEN_WORKSPACE = "open_workspace"
CLOSE_WORKSPACE = "close_workspace"


def team_dag(
    team: TeamConfig,
    about: Dataset | Model,
    *,
    description: str,
    doc: Sequence[str],
    start: Start,
    tags: Sequence[str],
    shared: Shared,
    tasks: Tasks,
    own: Sequence[OwnTask] = (),
    params: Sequence[str] = (),
) -> Dag:
    """A DAG about a dataset or model of a team.

    Args:
        team: The team.
        about: The dataset or model; it may say whom to tell of a failed run.
        description: One line.
        doc: The lines of its page in Airflow.
        start: What starts it.
        tags: What it does; the team's name comes on top.
        shared: What all its tasks share.
        tasks: Its tasks.
        own: Tasks that the team has written itself, after these.
        params: The functions of `factory.airflow.params` whose params a person may set for a run.
    """
    return Dag(
        description=description,
        doc="\n".join(doc) + "\n",
        schedule=start.when,
        timezone=start.timezone,
        start_date=team.defaults.start_date,
        tags=(*tags, team.team),
        default_args=_default_args(team),
        shared=shared,
        on_failure=notifiers("on_failure", team, about),
        params={name: PythonObject(f"factory.airflow.params.{name}") for name in params},
        tasks=(*tasks, *own),
    )


def after_tasks(
    team: TeamConfig,
    about: Dataset | Model,
    installation: Installation,
    follows: Sequence[str],
    **options: Any,
) -> tuple[OwnTask, ...]:
    """The tasks of the section `after`; none in a sample, for what they do cannot be taken back.

    Args:
        team: The team.
        about: The dataset or model that has the section.
        installation: Where data lies.
        follows: The tasks that come before the first of them.
        options: What the first of them have unless they say otherwise.
    """
    if not about.after or installation.is_sample:
        return ()
    dag = with_assets(
        as_dag(about.after), team.team, team.own_names, asset_data(team, installation)
    )
    tasks = entries(dag["tasks"], ("tasks",), "task_id").values()
    return tuple(
        OwnTask(task.name, task.written)
        if task.dependencies
        else OwnTask(task.name, {**options, **task.written}, tuple(follows))
        for task in tasks
    )


def _default_args(team: TeamConfig) -> dict[str, Any]:
    defaults = team.defaults
    arguments: dict[str, Any] = {
        "owner": team.owner,
        "retries": defaults.retries,
        "retry_delay": timedelta(seconds=defaults.retry_delay),
    }
    if defaults.execution_timeout is not None:
        arguments["execution_timeout"] = timedelta(seconds=defaults.execution_timeout)
    for name in ("pool", "queue", "priority_weight"):
        if (value := getattr(defaults, name)) is not None:
            arguments[name] = value
    return arguments


def with_workspace(tasks: Tasks, installation: Installation, module: str = "workspace") -> Tasks:
    """The tasks between a setup that makes the run's workspace and a teardown that removes it.

    Before them, the lake's bucket is made if the installation asks for it.

    Args:
        tasks: The tasks in running order; the first ones come after no other.
        installation: Where data lies.
        module: The module of `factory.airflow.tasks` whose functions open and close.
    """
    followed = {name for task in tasks for name in task.after}
    leaves = [task.name for task in tasks if task.name not in followed]
    make_bucket: Tasks = ()
    if installation.create_bucket:
        make_bucket = (Task(MAKE_BUCKET, f"workspace.{MAKE_BUCKET}", type=SETUP),)
    made = tuple(task.name for task in make_bucket)
    return (
        *make_bucket,
        Task(OPEN_WORKSPACE, f"{module}.{OPEN_WORKSPACE}", made, SETUP),
        *(task if task.after else replace(task, after=(OPEN_WORKSPACE,)) for task in tasks),
        Task(CLOSE_WORKSPACE, f"{module}.{CLOSE_WORKSPACE}", (OPEN_WORKSPACE, *leaves), TEARDOWN),
    )


def notifiers(
    event: Event, team: TeamConfig, about: Dataset | Model | None = None
) -> tuple[dict[str, Any], ...]:
    """The notifiers of an event as plain data: those of the most specific place that names any.

    Args:
        event: The event.
        team: The team.
        about: What the event is about; None for the DAGs that the team writes itself.
    """
    found = notifiers_of(event, about.notify if about else None, team.notify)
    return tuple(dump(notifier) for notifier in found)


def notify(event: Event, team: TeamConfig, about: Dataset | Model) -> dict[str, Any]:
    """The option `notify` of a task whose success is the event, if somebody is to be told."""
    found = notifiers(event, team, about)
    return {"notify": {"event": event, "targets": found}} if found else {}


def dump(section: Section) -> dict[str, Any]:
    """A section as plain data, without what has its default."""
    return section.model_dump(mode="json", exclude_defaults=True)


def transforms(steps: Sequence[Transform], installation: Installation) -> list[dict[str, Any]]:
    """Transforms as plain data, the text of SQL files in place of their paths."""
    return [dump(step.for_document(installation.project)) for step in steps]
