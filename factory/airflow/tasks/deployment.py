"""The tasks of a model's deployment DAG."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.run_failures import ERROR, remember
from factory.airflow.tasks.workspace import folder
from factory.base.errors import TerminalError

if TYPE_CHECKING:
    from factory.deploy.deployment import Plan
    from factory.deploy.protocol import Target

__all__ = ["announce", "build", "deploy", "fail", "restore", "smoke_test", "version"]

_TASKS = ("build", "deploy", "smoke_test")
"""What may fail once the version is known."""


def version(
    *,
    model: str,
    section: dict[str, Any],
    triggering_asset_events: Mapping[Any, Any],
    dag: Any,
) -> dict[str, Any]:
    """Decide which version is deployed, and note what runs until then.

    Raises:
        AirflowSkipException: The news is that this DAG itself has restored that version.
    """
    from factory.deploy.deployment import plan
    from factory.models.tracking import Tracking

    news = [
        event
        for asset, found in triggering_asset_events.items()
        if asset.name == model
        for event in found
    ]
    news.sort(key=lambda event: event.timestamp)
    made = plan(
        model,
        [event.extra or {} for event in news],
        _target(section),
        deployment=dag.dag_id,
        tracking=Tracking(),
    )
    if made is None:
        raise AirflowSkipException(f"{model}: this DAG has restored what is in production")
    return made.as_json()


def build(*, section: dict[str, Any], workspace: str, ti: Any, dag: Any) -> dict[str, Any]:
    """Make what the target runs."""
    with _remembered(ti):
        place = folder(workspace, ti) / f"build-{ti.try_number}"
        place.mkdir(parents=True)
        target = _target(section, project=_project(dag))
        built = target.build(_plan(ti).release, place)
    return {} if built is None else built.as_json()


def deploy(*, section: dict[str, Any], ti: Any) -> dict[str, Any]:
    """Have the target run the version, and wait until it is ready."""
    from factory.deploy.protocol import Built

    with _remembered(ti):
        found = ti.xcom_pull(task_ids="build")
        built = Built.from_json(found) if found else None
        return _target(section).deploy(_plan(ti).release, built).as_json()


def smoke_test(*, section: dict[str, Any], ti: Any, dag: Any) -> dict[str, Any]:
    """Ask what was deployed, and note in the registry that it answers as it should."""
    from factory.deploy.outcome import confirm
    from factory.deploy.protocol import Deployed
    from factory.deploy.smoke import smoke_test as step
    from factory.models.tracking import Tracking

    with _remembered(ti):
        plan, tracking = _plan(ti), Tracking()
        tested = step(
            _target(section),
            Deployed.from_json(ti.xcom_pull(task_ids="deploy")),
            plan.release,
            _section(section).smoke_test,
            project=_project(dag),
            tracking=tracking,
        )
        confirm(plan, address=tested.address, tracking=tracking)
        return tested.as_json()


def restore(*, section: dict[str, Any], ti: Any) -> dict[str, Any]:
    """Go back to what ran before."""
    from factory.deploy.outcome import restore as step
    from factory.models.tracking import Tracking

    if ti.xcom_pull(task_ids="version") is None:
        return {"switched": False, "why": "nothing was begun, so there was nothing to go back from"}
    outcome = step(
        _plan(ti),
        _target(section),
        by=f"Airflow run {ti.run_id} of {ti.dag_id}",
        why=_why(ti),
        tracking=Tracking(),
    )
    return outcome.as_json()


def announce(*, ti: Any, dag: Any, outlet_events: Any) -> None:
    """Emit the model's asset event: another version is in production again.

    Raises:
        AirflowSkipException: None is; a skipped task emits no event.
    """
    from factory.deploy.deployment import RESTORED_BY
    from factory.models.registry import version as registered

    outcome = ti.xcom_pull(task_ids="restore")
    if not outcome["switched"]:
        raise AirflowSkipException(outcome["why"])
    event = registered(outcome["model"], outcome["version"]).as_event("rollback")
    outlet_events[ti.task.outlets[0]].extra = {**event, RESTORED_BY: dag.dag_id}


def fail(*, ti: Any) -> None:
    """Let a run whose deployment failed fail, so that people are told, with what became of it.

    Raises:
        TerminalError: Always.
    """
    raise TerminalError(ti.xcom_pull(task_ids="restore")["why"])


def _section(section: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter

    from factory.deploy.sections import Deploy

    return TypeAdapter(Deploy).validate_python(section)


def _target(section: dict[str, Any], project: Path | None = None) -> "Target":
    from factory.airflow.deploy_access import places
    from factory.deploy.dispatch import target_for
    from factory.models.tracking import Tracking

    return target_for(_section(section), Tracking(), places(project))


def _project(dag: Any) -> Path:
    """The project's folder: the DAG file lies in dags/, one below it; DAG bundles move both."""
    return Path(dag.fileloc).resolve().parent.parent


def _plan(ti: Any) -> "Plan":
    from factory.deploy.deployment import Plan

    return Plan.from_json(ti.xcom_pull(task_ids="version"))


@contextmanager
def _remembered(ti: Any) -> Iterator[None]:
    """Leave an error for `restore`, which says why it is needed."""
    try:
        yield
    except Exception as error:
        remember(ti, error)
        raise


def _why(ti: Any) -> str:
    """Why the version before is wanted back, for the registry."""
    for task in _TASKS:
        if error := ti.xcom_pull(task_ids=task, key=ERROR):
            return f"{task} failed: {error}"
    return "its deployment failed"
