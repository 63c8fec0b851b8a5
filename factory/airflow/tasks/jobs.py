"""The tasks that train trials as jobs."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from factory.airflow.task_run import TaskRun
from factory.base.errors import FactoryError, TerminalError

if TYPE_CHECKING:
    from factory.training.backends.backend import Backend, JobRun
    from factory.training.backends.trial_jobs import TrialJobs
    from factory.training.search.strategy import Trial
    from factory.training.trial import Fit

log = logging.getLogger(__name__)

_POLL = 1.0
"""Seconds until a task that waits looks whether it was asked to end, and what its job has printed."""


class InterruptedTaskError(FactoryError):
    """The task was asked to end while its job was at work."""


def start_training(*, run: TaskRun) -> dict[str, Any]:
    """Check what the jobs would cost and whether they would be taken, and bring their data in place.

    Returns:
        Where the data lie.
    """
    from factory.training.backends.job_files import JobSettings
    from factory.training.backends.sweep_jobs import prepare, refuse_cost
    from factory.training.sweep import PlannedSweep

    trials = PlannedSweep.of(run.folder).trials
    backend = _backend(run)
    refuse_cost(backend, len(trials), run.shared.price)
    settings = JobSettings(
        model=run.model.as_trained(),
        split=run.result("split")["split"],
        processors="own" if backend.own_machine else "shared",
    )
    return prepare(
        backend,
        _job_run(run),
        settings,
        trials=trials,
        labels=_labels(run),
    ).as_json()


def trial(*, run: TaskRun, batch: dict[str, Any]) -> dict[str, Any]:
    """Train one trial as a job, or wait on for the job that was started for it before; measure it, and log it to MLflow."""
    from factory.airflow.tasks.training import train
    from factory.training.sweep import PlannedSweep
    from factory.training.trial_batch import TrialBatch

    (index,) = TrialBatch.from_json(batch).trials
    planned = PlannedSweep.of(run.folder).trials[index]
    return train(run, batch, by=partial(_fit, planned, run))


def _fit(trial: "Trial", run: TaskRun) -> "Fit":
    """What the trial's job has trained."""
    from factory.training.backends.backend import cost_of

    jobs = _trial_jobs(trial, run)
    name = run.ti.task.job or jobs.begin()
    if jobs.backend.waits_in_task:
        _wait_here(jobs, name, run.ti)
    elif (found := jobs.status(name)) is None or found.active:
        _wait_elsewhere(jobs, name, run)
    fitted = jobs.finish(name)
    ended, price = jobs.status(name), run.shared.price
    if price is not None and ended is not None and ended.billed is not None:
        fitted = fitted.model_copy(update={"cost_usd": cost_of(ended.billed, price)})
    return fitted


def stop_training(*, run: TaskRun) -> dict[str, Any]:
    """Stop the jobs of this run that are at work still, count what all of them cost, and clean up.

    Returns:
        What became of the jobs.
    """
    from factory.training.backends.sweep_jobs import stop_all

    backend, job_run = _backend(run), _job_run(run)
    spent = stop_all(backend, job_run, run.shared.price)
    backend.release(job_run)
    if spent.cost is not None:
        _log_cost(spent.cost, run)
    return {
        "jobs": spent.jobs,
        "stopped": list(spent.stopped),
        "billed_seconds": spent.billed,
        "cost_usd": spent.cost,
    }


def _log_cost(cost: float, run: TaskRun) -> None:
    from factory.models.tracking import Tracking

    log.info("the training jobs of this run cost %.4f USD", cost)
    sweep = run.result("plan_trials", "sweep")
    if sweep:
        Tracking().log(sweep["parent_run_id"], metrics={"cost_usd": cost})


def _trial_jobs(trial: "Trial", run: TaskRun) -> "TrialJobs":
    from factory.training.backends.backend import TrainingData
    from factory.training.backends.trial_jobs import TrialJobs

    prepared = run.result("start_training")
    if prepared is None:
        raise TerminalError(
            "there are no training data for jobs in this run: clear the DAG run from `split` on"
        )
    return TrialJobs(
        backend=_backend(run),
        run=_job_run(run),
        trial=trial,
        data=TrainingData.from_json(prepared),
        labels={**_labels(run), "factory:trial": trial.name},
    )


def _wait_here(jobs: "TrialJobs", name: str, ti: Any) -> None:
    """Wait for a process; what it prints goes into the task's log."""
    printed: Iterator[str] = jobs.backend.printed(jobs.run, name)
    try:
        while not jobs.backend.wait(jobs.run, name, _POLL):
            _show(printed)
            if ti.task.is_asked_to_end:
                _interrupted(jobs, name, ti)
    except AirflowTaskTimeout:
        jobs.abandon(name)
        raise
    _show(printed)


def _show(printed: Iterator[str]) -> None:
    for line in iter(lambda: next(printed), ""):
        log.info("job: %s", line)


def _wait_elsewhere(jobs: "TrialJobs", name: str, run: TaskRun) -> None:
    """Leave the worker; the triggerer asks on, and this task's function is called again."""
    from airflow.sdk.exceptions import TaskDeferred

    from factory.airflow.job_trigger import TrainingJobTrigger

    if run.ti.task.is_asked_to_end:
        _interrupted(jobs, name, run.ti)
    raise TaskDeferred(
        trigger=TrainingJobTrigger(
            job=name,
            backend=jobs.backend.model_dump(mode="json", exclude_defaults=True),
            storage=jobs.run.storage,
            prefix=jobs.run.prefix,
            connection=run.shared.storage_connection,
        ),
        method_name="execute",
    )


def _interrupted(jobs: "TrialJobs", name: str, ti: Any) -> None:
    """Decide what becomes of the job of a task that is asked to end.

    A person who marks the task or its run as failed or successful wants the job gone. A worker that
    is shut down, or a task that is cleared, leaves it to the task's next try.

    Raises:
        InterruptedTaskError: In any case.
    """
    from factory.airflow.job_trigger import task_state, wants_it_stopped

    state = task_state(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    if wants_it_stopped(state):
        jobs.abandon(name)
        raise InterruptedTaskError(
            f"the task was marked as {state}: training job {name} was stopped"
        )
    raise InterruptedTaskError(
        f"the task was asked to end: training job {name} goes on, and the next try takes it over"
    )


def _backend(run: TaskRun) -> "Backend":
    """The model's section `backend`.

    Raises:
        TerminalError: It has none.
    """
    if run.model.backend is None:
        raise TerminalError(f"{run.model_name} has no section `backend`")
    return run.model.backend


def _job_run(run: TaskRun) -> "JobRun":
    from factory.base.aws import AwsClients
    from factory.lake.storage import access
    from factory.training.backends.backend import JobRun
    from factory.training.backends.sweep_jobs import run_prefix

    ti, storage = run.ti, run.shared.storage
    return JobRun(
        prefix=run_prefix(run.model_name, storage=storage, dag_id=ti.dag_id, run_id=ti.run_id),
        storage=storage,
        workspace=run.folder,
        aws=AwsClients(lambda _: access.current().session),
    )


def _labels(run: TaskRun) -> dict[str, str]:
    ti = run.ti
    return {
        "factory:model": run.model_name,
        "factory:dag": ti.dag_id,
        "factory:run": ti.run_id,
    }
