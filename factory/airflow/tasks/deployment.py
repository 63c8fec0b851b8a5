"""The tasks of a model's deployment DAG."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.run_failures import ERROR, remember
from factory.airflow.task_run import TaskRun
from factory.base.errors import TerminalError

if TYPE_CHECKING:
    from factory.deploy.deployment import DeploymentPlan
    from factory.deploy.targets.target import DeployContext

__all__ = ["announce", "build", "deploy", "fail", "restore", "smoke_test", "version"]

_TASKS = ("build", "deploy", "smoke_test")
"""What may fail once the version is known."""


def version(*, run: TaskRun, triggering_asset_events: Mapping[Any, Any]) -> dict[str, Any]:
    """Decide which version is deployed, and note what runs until then.

    Raises:
        AirflowSkipException: The news is that this DAG itself has restored that version.
    """
    from factory.deploy.deployment import plan

    news = [
        event
        for asset, found in triggering_asset_events.items()
        if asset.name == run.model_name
        for event in found
    ]
    news.sort(key=lambda event: event.timestamp)
    made = plan(
        run.model_name,
        [event.extra or {} for event in news],
        run.deploy,
        _context(run),
        deployment=run.ti.dag_id,
    )
    if made is None:
        raise AirflowSkipException(f"{run.model_name}: this DAG has restored what is in production")
    return made.as_json()


def build(*, run: TaskRun) -> dict[str, Any]:
    """Make what the target runs."""
    with _remembered(run):
        place = run.folder / f"build-{run.ti.try_number}"
        place.mkdir(parents=True)
        built = run.deploy.make(_context(run), _plan(run).record, place)
    return {} if built is None else built.as_json()


def deploy(*, run: TaskRun) -> dict[str, Any]:
    """Have the target run the version, and wait until it is ready."""
    from factory.deploy.targets.target import Built

    with _remembered(run):
        found = run.result("build")
        built = Built.from_json(found) if found else None
        return run.deploy.deploy(_context(run), _plan(run).record, built).as_json()


def smoke_test(*, run: TaskRun) -> dict[str, Any]:
    """Ask what was deployed, and note in the registry that it answers as it should."""
    from factory.deploy.deployment import confirm
    from factory.deploy.smoke import smoke_test as step
    from factory.deploy.targets.target import Deployed

    with _remembered(run):
        plan, context = _plan(run), _context(run)
        deployed = Deployed.from_json(run.result("deploy"))
        tested = step(run.deploy, context, deployed, plan.record)
        confirm(plan, address=tested.address, tracking=context.tracking)
        return tested.as_json()


def restore(*, run: TaskRun) -> dict[str, Any]:
    """Go back to what ran before."""
    from factory.deploy.deployment import restore as step

    if run.result("version") is None:
        return {"switched": False, "why": "nothing was begun, so there was nothing to go back from"}
    outcome = step(
        _plan(run),
        run.deploy,
        _context(run),
        by=f"Airflow run {run.ti.run_id} of {run.ti.dag_id}",
        why=_why(run),
    )
    return outcome.as_json()


def announce(*, run: TaskRun, outlet_events: Any) -> None:
    """Emit the model's asset event: another version is in production again.

    Raises:
        AirflowSkipException: None is; a skipped task emits no event.
    """
    from factory.deploy.deployment import RESTORED_BY
    from factory.models.registry import version as registered

    outcome = run.result("restore")
    if not outcome["switched"]:
        raise AirflowSkipException(outcome["why"])
    event = registered(outcome["model"], outcome["version"]).as_event("rollback")
    outlet_events[run.ti.task.outlets[0]].extra = {**event, RESTORED_BY: run.ti.dag_id}


def fail(*, run: TaskRun) -> None:
    """Let a run whose deployment failed fail, so that people are told, with what became of it.

    Raises:
        TerminalError: Always.
    """
    raise TerminalError(run.result("restore")["why"])


def _context(run: TaskRun) -> "DeployContext":
    from factory.airflow.deploy_access import deploy_context
    from factory.models.tracking import Tracking

    return deploy_context(Tracking(), run.project, tuple(run.shared.internal_hosts))


def _plan(run: TaskRun) -> "DeploymentPlan":
    from factory.deploy.deployment import DeploymentPlan

    return DeploymentPlan.from_json(run.result("version"))


@contextmanager
def _remembered(run: TaskRun) -> Iterator[None]:
    """Leave an error for `restore`, which says why it is needed."""
    try:
        yield
    except Exception as error:
        remember(run.ti, error)
        raise


def _why(run: TaskRun) -> str:
    """Why the version before is wanted back, for the registry."""
    for task in _TASKS:
        if error := run.result(task, ERROR):
            return f"{task} failed: {error}"
    return "its deployment failed"
