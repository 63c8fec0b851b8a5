"""What Airflow loads from this package by itself, in each of its processes: keep it light.

Airflow calls the functions here when a task has brought something about, and when a person stops a run.
"""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from factory.airflow.pages import TEAMS
from factory.airflow.teams_page import TeamsPage

log = logging.getLogger(__name__)

TRUSTED_HOSTS = "FACTORY_TRUSTED_HOSTS"
"""The environment variable that names the hosts by which Airflow may be asked, with commas; all if unset."""
STEPS = ("StepOperator", "TrackedStepOperator", "PublishStepOperator")
"""The operators of tasks that follow others without a choice; branches and approvals skip tasks that are meant to be."""
PATIENCE = 15.0
"""Seconds that all notifiers together may take; Airflow ends a task's process 20 s after its success."""


@hookimpl  # type: ignore[untyped-decorator]
def on_task_instance_success(task_instance: Any) -> None:
    """Send the message that the task's `notify` asks for; costs one look at the task if it does not.

    Called in the task's own process, once its success and its asset events are stored. So a message is
    never about something that did not come to pass, and a notifier cannot fail the task.

    A task that a person marks as successful has brought nothing about: Airflow calls this for it too,
    in the API server and with a task that has no such attribute.
    """
    notify = getattr(getattr(task_instance, "task", None), "notify", None)
    if not notify:
        return
    from factory.airflow.messages import announcement, send

    try:
        message = announcement(
            notify["event"],
            task_instance.xcom_pull(task_ids=task_instance.task_id) or {},
            task_instance,
        )
    except Exception:
        log.exception("%s: the message about it cannot be made", notify["event"])
        return
    send(
        message,
        notify["targets"],
        task_instance.get_template_context(),
        internal_hosts=(task_instance.task.shared or {}).get("internal_hosts", ()),
        patience=PATIENCE,
    )


@hookimpl  # type: ignore[untyped-decorator]
def on_dag_run_failed(dag_run: Any) -> None:
    """Let a run that a person marks as failed end as failed, once its teardowns are through.

    Called in Airflow's API server before that is committed, and by the scheduler for runs that have failed
    by themselves. When a person stops a run that has teardowns, Airflow skips what waits and leaves the run's
    state to the scheduler, to which skipped tasks are no failure: it would call the run successful. So our
    tasks that were skipped get the state that a failure before them would have given them.
    """
    if dag_run.state == "failed":
        return
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import update
    from sqlalchemy.orm import object_session

    teardowns = [task.task_id for task in dag_run.dag.tasks if task.is_teardown]
    session = object_session(dag_run)
    if session is None:
        log.error("%s %s: it may end as successful", dag_run.dag_id, dag_run.run_id)
        return
    session.execute(
        update(TaskInstance)
        .where(
            TaskInstance.dag_id == dag_run.dag_id,
            TaskInstance.run_id == dag_run.run_id,
            TaskInstance.state == TaskInstanceState.SKIPPED,
            TaskInstance.operator.in_(STEPS),
            TaskInstance.task_id.not_in(teardowns),
        )
        .values(state=TaskInstanceState.UPSTREAM_FAILED)
        .execution_options(synchronize_session=False)
    )


class LateEvents:
    """Sees to it that what was published last starts those who read it; see `factory.airflow.late_events`."""

    @hookimpl  # type: ignore[untyped-decorator]
    def on_dag_run_running(self, dag_run: Any) -> None:
        """A run begins; Airflow has just forgotten what came after its events."""
        _queue_late_events(dag_run)

    @hookimpl  # type: ignore[untyped-decorator]
    def on_dag_run_success(self, dag_run: Any) -> None:
        """A run ended well; an event may have been on its way when it began."""
        _queue_late_events(dag_run)

    @hookimpl  # type: ignore[untyped-decorator]
    def on_dag_run_failed(self, dag_run: Any) -> None:
        """A run failed; likewise."""
        _queue_late_events(dag_run)


def _queue_late_events(dag_run: Any) -> None:
    from factory.airflow.late_events import queue_late_events

    queue_late_events(dag_run)


class OpenLineageMasks:
    """Renews what OpenLineage's events hide, before its listener makes them of what a task does."""

    @hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
    def on_task_instance_running(self) -> None:
        """A task begins; its templates are filled in."""
        _renew_openlineage()

    @hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
    def on_task_instance_success(self) -> None:
        """A task ended well."""
        _renew_openlineage()

    @hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
    def on_task_instance_failed(self) -> None:
        """A task failed; its error is in the event."""
        _renew_openlineage()

    @hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
    def on_task_instance_skipped(self) -> None:
        """A task had nothing to do."""
        _renew_openlineage()


def _renew_openlineage() -> None:
    from factory.airflow.masking import renew_openlineage

    renew_openlineage()


class TrustedHosts:
    """Refuses requests that know Airflow by another name than it has.

    A web page can make its own name lead to this machine, and so ask an Airflow that only this machine
    reaches, which needs no log-in there.
    """

    def __init__(self, app: Any, hosts: Sequence[str]) -> None:
        # Late: only the API server makes one.
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        self.app = TrustedHostMiddleware(app, list(hosts), www_redirect=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As ASGI has it."""
        await self.app(scope, receive, send)


def _middlewares() -> list[dict[str, Any]]:
    hosts = [host for host in os.environ.get(TRUSTED_HOSTS, "").split(",") if host]
    if not hosts:
        return []
    return [{"middleware": TrustedHosts, "args": [], "kwargs": {"hosts": hosts}, "name": "hosts"}]


class FactoryPlugin(AirflowPlugin):  # type: ignore[misc]
    """Messages about what tasks bring about, the right end of runs that a person stops, who may ask, and the page of the teams."""

    name = "factory"

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called by Airflow in each of its processes."""
        from factory.airflow.masking import mask_component_logs

        mask_component_logs()

    fastapi_root_middlewares = _middlewares()
    fastapi_apps = [{"app": TeamsPage(), "url_prefix": TEAMS, "name": "factory"}]  # noqa: RUF012 - as Airflow's class has it
    external_views = [  # noqa: RUF012 - likewise
        {
            "name": "Teams",
            "href": f"{TEAMS}/",
            "destination": "nav",
            "url_route": "teams",
            "nav_top_level": True,
        }
    ]
    listeners = [LateEvents(), OpenLineageMasks(), sys.modules[__name__]]  # noqa: RUF012 - as Airflow's class has it
