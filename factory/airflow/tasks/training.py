"""The tasks of a model's training DAG."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun
from factory.airflow.tasks import workspace
from factory.airflow.tasks.inputs import inputs

if TYPE_CHECKING:
    from factory.training.trial import Fit, Sweep
    from factory.training.trial_batch import BatchResult, SweepTrials

__all__ = [
    "close_workspace",
    "inputs",
    "open_workspace",
    "plan_trials",
    "plan_wave",
    "refit",
    "register",
    "select_best",
    "split",
    "test",
    "trial",
]


def open_workspace(*, run: TaskRun) -> None:
    """Make the run's folder; take over what a run before has trained that did not get to its end."""
    from factory.training.kept_sweeps import take_over_models

    workspace.open_workspace(run=run, take_over=take_over_models)


def split(*, run: TaskRun) -> dict[str, Any]:
    """Divide the rows of the chosen snapshots into train, validation or folds, and test, once for all trials."""
    from factory.training.rows import model_images, model_rows
    from factory.training.split import split as step
    from factory.training.trial import copy_trial_files

    model, datasets, folder = run.model, run.shared.reads, run.folder
    copy_trial_files(model, run.project, folder)
    rows = model_rows(
        datasets, model.transforms, workspace=folder, lake=run.lake, versions=run.versions
    )
    images = model_images(datasets, workspace=folder, lake=run.lake)
    return {"split": step(rows, model, folder, images=images).as_json(), "reads": run.references}


def plan_trials(*, run: TaskRun) -> list[dict[str, Any]]:
    """Expand the search into trials, and start the MLflow run of this training run.

    Returns:
        What the mapped task is called with: batches of trials.
    """
    from airflow.sdk.configuration import conf

    from factory.models.tracking import Tracking
    from factory.training.first_trial import batch_size
    from factory.training.kept_sweeps import forget_models_of_others
    from factory.training.sweep import plan_trials as step
    from factory.training.trial_batch import batches_of

    forget_models_of_others(run.folder, run.model.packages)
    tracking = Tracking()
    plan = step(
        run.model,
        _split(run),
        tracking=tracking,
        run=run.training_run,
        snapshots=list(run.snapshots.values()),
    )
    plan.save(run.folder)
    run.link(tracking.run_page(plan.sweep.experiment_id, plan.sweep.parent_run_id))
    say_origin(run, plan.sweep.parent_run_id)
    run.ti.xcom_push(key="sweep", value=plan.sweep.as_json())
    most = conf.getint("core", "max_map_length", fallback=1024)
    size = batch_size(run.model, plan.trials, _trials(run, plan.sweep), most=most)
    return [{"batch": batch.as_json()} for batch in batches_of(plan.trials, size)]


def plan_wave(*, run: TaskRun, wave: int) -> list[dict[str, Any]]:
    """Expand a later wave of the search by what the trials before have come to.

    Returns:
        As `plan_trials`.
    """
    from airflow.sdk.configuration import conf

    from factory.training.first_trial import size_of_wave
    from factory.training.sweep import PlannedSweep
    from factory.training.sweep import plan_wave as step
    from factory.training.trial_batch import batches_of

    before, of = PlannedSweep.of(run.folder), _trials(run)
    evaluations, _ = of.outcomes(before.trials)
    plan = step(
        run.model,
        before,
        evaluations,
        wave,
        left_out=sum(map(of.is_left_out, before.trials[: before.ends[wave - 2]])),
        tracking=of.tracking,
    )
    plan.save(run.folder)
    run.link(of.tracking.run_page(of.sweep.experiment_id, of.sweep.parent_run_id))
    trials = plan.trials[plan.ends[wave - 2] :]
    most = conf.getint("core", "max_map_length", fallback=1024)
    size = size_of_wave(run.model, wave, len(trials), evaluations, most=most)
    return [{"batch": batch.as_json()} for batch in batches_of(trials, size)]


def trial(*, run: TaskRun, batch: dict[str, Any]) -> dict[str, Any]:
    """Train one hyperparameter set or some, measure each on the validation rows or by folds, log it to MLflow."""
    return train(run, batch)


def train(
    run: TaskRun, batch: dict[str, Any], by: "Callable[[], Fit] | None" = None
) -> dict[str, Any]:
    """Train a batch of trials, in this process unless `by` says what else trains the one that it has."""
    from factory.training.sweep import PlannedSweep
    from factory.training.trial_batch import TrialBatch, train_batch

    plan, of = PlannedSweep.of(run.folder), _trials(run)
    found = train_batch(
        [(of, plan.trials[index]) for index in TrialBatch.from_json(batch).trials],
        attempt=run.ti.try_number,
        may_fail=run.model.search.max_failed_trials > 0,
        by=by,
    )
    page = found.mlflow_run_id or of.sweep.parent_run_id
    run.link(of.tracking.run_page(of.sweep.experiment_id, page))
    return result_or_skip(found)


def result_or_skip(found: "BatchResult") -> dict[str, Any]:
    """What the mapped task returns.

    Raises:
        AirflowSkipException: No trial was begun, since the time of the sweep was over.
    """
    if found.left_out and not found.done and not found.failed:
        raise AirflowSkipException("the time that `search.max_minutes` gives is over")
    return found.as_json()


def select_best(*, run: TaskRun) -> dict[str, Any]:
    """Rank the trials and choose the best."""
    from factory.training.sweep import PlannedSweep
    from factory.training.sweep import select_best as step

    plan, of = PlannedSweep.of(run.folder), _trials(run)
    evaluations, failures = of.outcomes(plan.trials)
    return step(
        evaluations,
        of.model,
        planned=len(plan.trials),
        left_out=sum(map(of.is_left_out, plan.trials)),
        failures=failures,
        tracking=of.tracking,
        sweep=of.sweep,
    ).as_json()


def refit(*, run: TaskRun) -> dict[str, Any]:
    """Train the winner once more, on training and validation rows."""
    from factory.models.tracking import Tracking
    from factory.training.refit import refit as step
    from factory.training.sweep import Selection

    return step(
        Selection.from_json(run.result("select_best")),
        _split(run),
        run.model,
        run.folder,
        tracking=Tracking(),
        sweep=_sweep(run),
    ).as_json()


def test(*, run: TaskRun) -> dict[str, Any]:
    """Measure the winner once, on rows that no trial has seen."""
    from factory.models.tracking import Tracking
    from factory.training.final_test import final_test

    return final_test(
        _selection(run),
        run.model,
        run.folder,
        tracking=Tracking(),
        run=run.training_run,
        sweep=_sweep(run),
    ).as_json()


def register(*, run: TaskRun) -> dict[str, Any]:
    """Put the winner into MLflow's model registry.

    Returns:
        What a person wants to know of the run: the winner, its scores, its version, its data.
    """
    from factory.models.tracking import Tracking
    from factory.training.final_test import FinalTest
    from factory.training.register import register as step

    selection = _selection(run)
    tested = FinalTest.from_json(run.result("test"))
    tracking = Tracking()
    registration = step(
        selection,
        tested,
        run.model,
        run.folder,
        tracking=tracking,
        run=run.training_run,
        sweep=_sweep(run),
    )
    run.link(tracking.version_page(run.model_name, registration.record.version))
    return {
        "model": run.model_name,
        "version": registration.record.version,
        "trials": selection.trials,
        "best_trial": selection.winner.fit.trial.name,
        "metric": selection.metric,
        "score": selection.score,
        "test_score": tested.metrics.get(selection.metric),
        "snapshots": run.versions,
        "mlflow_run_id": registration.record.mlflow_run_id,
    }


def close_workspace(*, run: TaskRun) -> None:
    """Remove the run's folder; of a training run that did not get to its end, keep its models, and end its MLflow run."""
    from factory.models.tracking import Tracking
    from factory.models.training_leftovers import end_open_runs
    from factory.training.kept_sweeps import keep_models

    if run.result("register") is not None or not keep_models(run.folder, run.model.packages):
        workspace.close_workspace(run=run)
    end_open_runs(Tracking(), run.model_name, dag_id=run.ti.dag_id, run_id=run.ti.run_id)


def say_origin(run: TaskRun, *mlflow_run_ids: str) -> None:
    """Keep what started MLflow runs of this training, and write into their notes why they ran, and on what."""
    from factory.airflow.pages import snapshot_url
    from factory.base.git import commit_of
    from factory.models.tracking import Tracking

    tracking, commit = Tracking(), commit_of(run.project)
    reason = run.result("retrain", "reason")
    rule = [f"`retrain_when` agrees: {reason}."] if reason else []
    read = [
        f"* [{name} version {version}]({snapshot_url(name, version)})"
        for name, version in run.versions.items()
    ]
    where = f"[The run in Airflow]({run.page})"
    text = "\n\n".join([run.why, *rule, "It reads:\n\n" + "\n".join(read), where])
    for mlflow_run_id in mlflow_run_ids:
        tracking.log_origin(mlflow_run_id, run.events, commit)
        tracking.write_section(mlflow_run_id, "Why it ran", text)


def _split(run: TaskRun) -> Any:
    from factory.training.split import DividedRows

    return DividedRows.from_json(run.result("split")["split"])


def _selection(run: TaskRun) -> Any:
    """The winner, with the model that is tested and registered."""
    from factory.training.sweep import Selection

    return Selection.from_json(run.result("refit" if run.model.refits else "select_best"))


def _trials(run: TaskRun, sweep: "Sweep | None" = None) -> "SweepTrials":
    """What all trials of the run have in common; `plan_trials` knows the sweep itself."""
    from factory.airflow.masking import shown
    from factory.models.tracking import Tracking
    from factory.training.trial_batch import SweepTrials

    return SweepTrials(
        run.model,
        _split(run),
        run.folder,
        run.training_run,
        sweep or _sweep(run),
        Tracking(),
        shown=shown,
    )


def _sweep(run: TaskRun) -> Any:
    from factory.training.trial import Sweep

    return Sweep.from_json(run.result("plan_trials", "sweep"))
