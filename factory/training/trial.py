"""One trial: train its model, measure it on the validation rows or by folds, log it to MLflow."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.base.digests import sha256_of_file
from factory.base.errors import TerminalError, may_pass
from factory.base.files import TEMPORARY, copy_file
from factory.base.values import Result
from factory.models.training_run import TRIAL_INDEX, TrainingRun
from factory.trainers.dispatch import trainer_class
from factory.trainers.trainer import (
    Fitted,
    Predictions,
    Rows,
    Steps,
    TrainedModel,
    Trainer,
    mean_step,
)
from factory.training.about_rows import read_about
from factory.training.cross_validation import (
    FoldFits,
    FoldScores,
    measured_rows,
    pooled,
    predict_folds,
    read_predictions,
    score_folds,
)
from factory.training.fit_arguments import FitArguments
from factory.training.folds import read_window
from factory.training.forecasting.metrics import by_step
from factory.training.metrics import Scores, score
from factory.training.model import Model
from factory.training.outcome import Failure
from factory.training.search.strategy import Trial, as_text
from factory.training.split import DividedRows, read_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # Fitting needs no MLflow, and importing it takes more than a second.
    from factory.models.tracking import Tracking

logger = logging.getLogger(__name__)


class Fit(Result):
    """A trained model: a file in the workspace, and how its training went."""

    trial: Trial
    model_file: str
    """Below the workspace."""
    sha256: str
    fit_seconds: float
    started_at: int
    """Milliseconds since 1970, as MLflow counts."""
    warnings: tuple[str, ...]
    history: tuple[dict[str, float], ...] = ()
    """What was measured after each step, the first one first."""
    steps: Steps = Steps()
    """What the steps of `history` are."""
    cost_usd: float | None = None
    """What its training job was billed; None where it was trained on a machine of our own."""
    folds: FoldFits | None = None
    """How it was trained on each fold's rows; None where it is measured on the validation rows."""
    trained_in: str | None = None
    """The run, by Airflow's id, that trained it and did not get to its end; None where that is this one."""


def fit(trial: Trial, split: DividedRows, model: Model, workspace: Path) -> Fit:
    """Train a trial on the training rows and store the model in the workspace.

    With folds, it is first trained once for each of them, and what those models predict is stored.

    Raises:
        TerminalError: The estimator does not exist, or refuses its parameters or the rows.
    """
    trainer = trainer_of_trial(trial, model, workspace)
    started_at = time.time_ns() // 1_000_000
    start = time.perf_counter()
    try:
        fitted, folds = _train(trial, split, model, trainer, workspace)
    except TerminalError as error:
        raise TerminalError(f"trial {trial.index} ({trial.name}): {error}") from error
    seconds = time.perf_counter() - start
    if not trial.index:
        # One speaks for all, rather than the winner when all are trained.
        trainer.check_stored(fitted.model, model.packages)
    file = workspace / "trials" / f"{trial.index}{trainer.suffix}"
    trainer.save(fitted.model, file)
    window = read_window(workspace) if split.folds else None
    learned = split.rows["train"] if window is None else len(window)
    logger.info("Trained %s on %d rows in %.2f s", trial.name, learned, seconds)
    return Fit(
        trial=trial,
        model_file=str(file.relative_to(workspace)),
        sha256=sha256_of_file(file),
        fit_seconds=seconds,
        started_at=started_at,
        warnings=fitted.warnings,
        history=tuple(dict(step) for step in fitted.history),
        steps=fitted.steps,
        folds=folds,
    )


def _train(
    trial: Trial, split: DividedRows, model: Model, trainer: Trainer, workspace: Path
) -> tuple[Fitted, FoldFits | None]:
    """The trained model, and with folds, how it was trained on each of them before."""
    if split.folds or model.refits:
        # Refuses what cannot be trained in the end before anything is.
        trainer.params_after_folds(trial.estimator, trial.params, ())
    rows, beside = read_part(workspace, "train"), FitArguments.read(workspace, "train")
    if split.folds:
        folds = predict_folds(trial, split, trainer, workspace)
        if (window := read_window(workspace)) is not None:
            features, target = rows
            rows = features.iloc[window], None if target is None else target[window]
            beside = beside.of_rows(window)
        fitted = fit_without_validation(
            trial, folds.best, trainer, rows, beside, seed=split.seed, step=folds.step
        )
        warnings = tuple(dict.fromkeys((*fitted.warnings, *folds.warnings)))
        return replace(fitted, warnings=warnings), folds
    looks = trainer.looks_at_validation(trial.estimator, trial.params)
    watched = FitArguments.read(workspace, "validation") if looks else None
    fitted = trainer.fit(
        trial.estimator,
        trial.params,
        *rows,
        split.seed,
        read_part(workspace, "validation") if looks else None,
        **beside.named(watched),
    )
    return fitted, None


def trainer_of_trial(trial: Trial, model: Model, workspace: Path) -> Trainer:
    """The trainer that fits a trial, with what the trial has drawn for the steps around its estimator."""
    return model.trainer(
        trial.estimator,
        files=trial_files(workspace),
        steps=trial.preprocessing,
        resample=trial.resample,
    )


def fit_without_validation(
    trial: Trial,
    best: Sequence[int],
    trainer: Trainer,
    rows: Rows,
    beside: FitArguments,
    *,
    seed: int,
    step: str,
) -> Fitted:
    """Train on all rows that are not for the test; there are no others to stop early by.

    Args:
        trial: The hyperparameters.
        best: The best step of each training before, if it has told of one.
        trainer: The trial's trainer.
        rows: What is learned from.
        beside: What is known of these rows.
        seed: What is drawn at random starts from.
        step: What the steps are, such as `iteration`.

    Raises:
        TerminalError: The estimator refuses its parameters or the rows.
    """
    params = trainer.params_after_folds(trial.estimator, trial.params, best)
    fitted = trainer.fit(trial.estimator, params, *rows, seed, **beside.named())
    follows = bool(best) and params != trial.params
    # Without a history, which would be measured on rows that the model learns from.
    return Fitted(
        fitted.model,
        fitted.warnings,
        steps=Steps(step, best=mean_step(best)) if follows else Steps(),
    )


def load_fitted(fit: Fit, model: Model, workspace: Path) -> TrainedModel:
    """The model that `fit` stored.

    Raises:
        TerminalError: The file is gone, or is not the one that was stored.
    """
    file = workspace / fit.model_file
    if not file.exists():
        raise TerminalError(
            f"the model of trial {fit.trial.index} is not in the workspace any more: "
            "clear the DAG run from `split` on"
        )
    # Loading runs code from the file, so only the very bytes that were stored will do.
    if sha256_of_file(file) != fit.sha256:
        raise TerminalError(
            f"the model of trial {fit.trial.index} changed after it was stored: "
            "clear its task `trial` to train it again"
        )
    return model.trainer(fit.trial.estimator).load(file)


class Sweep(Result):
    """Where a training run is tracked in MLflow."""

    experiment_id: str
    parent_run_id: str
    """The MLflow run that stands for the whole training run."""
    ends_at: float | None = None
    """In seconds since 1970; no trial begins later. None if there is time for all."""

    @property
    def is_over(self) -> bool:
        """Whether its time is."""
        return self.ends_at is not None and time.time() >= self.ends_at


class Evaluation(Result):
    """A trial with its metrics on the validation rows, or their means over the folds."""

    fit: Fit
    metrics: dict[str, float]
    deviations: dict[str, float] = Field(default_factory=dict)
    """The standard deviation of each metric over the folds; empty without folds."""
    mlflow_run_id: str


def evaluate(
    fit: Fit,
    model: Model,
    workspace: Path,
    *,
    tracking: "Tracking",
    run: TrainingRun,
    sweep: Sweep,
    attempt: int = 1,
) -> Evaluation:
    """Measure a trial on the validation rows, or by folds, and log it as a child run.

    Args:
        fit: The trained model.
        model: The model's section of the team file.
        workspace: The run's scratch folder.
        tracking: The MLflow server.
        run: Which training run this is.
        sweep: Where it is tracked.
        attempt: Which try of this task it is, from 1; a later one replaces what an earlier one
            logged.

    Raises:
        TerminalError: The objective's metric cannot be computed; the child run then says FAILED.
        TrackingError: The MLflow server does not answer.
    """
    target, predictions, scores, folds = _measure(fit, model, workspace)
    for name, why in scores.skipped.items():
        logger.warning("%s, %s: no %s: %s", run.model, fit.trial.name, name, why)
    failure = _failure(fit, model, scores, run.model)

    best = fit.steps.best
    run_id = _log(
        fit.trial,
        tracking=tracking,
        run=run,
        sweep=sweep,
        attempt=attempt,
        failure=failure,
        tags=_tags(fit),
        params={} if best is None else {f"best_{fit.steps.name}": str(best)},
        metrics={**scores.values, **_deviations(folds), **_spent(fit)},
        history=_joined(
            _history(fit) if folds is None else folds.by_step,
            by_step(model.computed_metrics, target, predictions),
        ),
        started_at=fit.started_at,
    )
    if model.trial_plots:
        _log_plots(run_id, model, target, predictions, tracking)
    if failure:
        raise TerminalError(failure)
    page = tracking.run_page(sweep.experiment_id, run_id)
    logger.info("%s: %s, %s", fit.trial.name, scores.values, page)
    return Evaluation(
        fit=fit,
        metrics=scores.values,
        deviations={} if folds is None else folds.deviations,
        mlflow_run_id=run_id,
    )


@contextmanager
def failures_logged(
    trial: Trial,
    *,
    tracking: "Tracking",
    run: TrainingRun,
    sweep: Sweep,
    attempt: int,
    shown: Callable[[str], str] = str,
) -> Iterator[None]:
    """Log a trial that cannot be trained as a child run that says FAILED, and why.

    What trying again may mend is not logged. The arguments are those of `evaluate`; `shown` takes secrets out.
    """
    started_at = time.time_ns() // 1_000_000
    try:
        yield
    except Exception as error:
        if not may_pass(error):
            _log(
                trial,
                tracking=tracking,
                run=run,
                sweep=sweep,
                attempt=attempt,
                failure=shown(Failure.of(error).error),
                started_at=started_at,
            )
        raise


def _log(
    trial: Trial,
    *,
    tracking: "Tracking",
    run: TrainingRun,
    sweep: Sweep,
    attempt: int,
    failure: str | None,
    started_at: int,
    tags: Mapping[str, str] = MappingProxyType({}),
    params: Mapping[str, str] = MappingProxyType({}),
    metrics: Mapping[str, float] = MappingProxyType({}),
    history: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
) -> str:
    """Log a trial as a child run, in place of what an earlier try logged; its MLflow run id."""
    place = {**run.identity(), TRIAL_INDEX: str(trial.index)}
    if attempt > 1:
        tracking.delete_child(sweep.experiment_id, sweep.parent_run_id, place)
    return tracking.log_child(
        sweep.experiment_id,
        sweep.parent_run_id,
        name=trial.name,
        tags={
            **run.tags(),
            **place,
            "role": "trial",
            **tags,
            **({} if failure is None else {"error": failure}),
        },
        params={
            "estimator": trial.estimator,
            **{name: as_text(value) for name, value in trial.all_params.items()},
            **params,
        },
        metrics=metrics,
        history=history,
        started_at=started_at,
        status="FINISHED" if failure is None else "FAILED",
    )


def _measure(
    fit: Fit, model: Model, workspace: Path
) -> tuple["NDArray[Any] | None", Predictions, Scores, FoldScores | None]:
    """The true values, what the model says of these rows, and how good that is; with folds, their means."""
    target, predictions = predict_measured(fit, model, workspace)
    if fit.folds is None:
        return target, predictions, score(model.computed_metrics, target, predictions), None
    targets, predicted = _of_folds(fit.folds, workspace)
    folds = score_folds(model.computed_metrics, targets, predicted)
    return target, predictions, Scores(folds.means, folds.skipped), folds


def predict_measured(
    fit: Fit, model: Model, workspace: Path
) -> tuple["NDArray[Any] | None", Predictions]:
    """The rows that a trial is measured on: their true values, None without a target, and what it says of them.

    With folds, those of all folds, of which each fold's own model says something.

    Raises:
        TerminalError: What `fit` stored is gone, or is not what it was.
    """
    if fit.folds is not None:
        return pooled(*_of_folds(fit.folds, workspace))
    features, target = read_part(workspace, "validation")
    ask = partial(model.trainer(fit.trial.estimator).predict, load_fitted(fit, model, workspace))
    said = model.learning_task.ask_to_measure(ask, features, seed=model.split.seed)
    return target, said.with_about(read_about(workspace, "validation"))


def _of_folds(
    folds: FoldFits, workspace: Path
) -> tuple[list["NDArray[Any] | None"], list[Predictions]]:
    """The true values of each fold's rows, and what is said of them."""
    targets, about = measured_rows(workspace)
    said = read_predictions(folds, workspace)
    return targets, [one.with_about(known) for one, known in zip(said, about, strict=True)]


def _deviations(folds: FoldScores | None) -> dict[str, float]:
    """The standard deviations, as metrics."""
    found = {} if folds is None else folds.deviations
    return {f"{name}_std": value for name, value in found.items()}


def _joined(*histories: Mapping[int, Mapping[str, float]]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for history in histories:
        for step, values in history.items():
            found.setdefault(step, {}).update(values)
    return found


def _history(fit: Fit) -> dict[int, dict[str, float]]:
    """What was measured, as metrics by the number of the step."""
    return {
        number * fit.steps.every: {
            f"{fit.steps.name}_{name}": value for name, value in step.items()
        }
        for number, step in enumerate(fit.history, start=1)
    }


def _log_plots(
    run_id: str,
    model: Model,
    target: "NDArray[Any] | None",
    predictions: Predictions,
    tracking: "Tracking",
) -> None:
    # Importing matplotlib takes more than half a second.
    from factory.training.plots import save_plots

    task, name = model.learning_task, model.target_name
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        save_plots(task, name, target, predictions, Path(folder), part="validation")
        tracking.log_files(run_id, Path(folder), at="validation")


def _failure(fit: Fit, model: Model, scores: Scores, name: str) -> str | None:
    metric = model.objective.metric
    if metric in scores.values:
        return None
    others = ", ".join(sorted(scores.values)) or "none"
    return (
        f"{name}, trial {fit.trial.index} ({fit.trial.name}): the objective {metric!r} cannot be "
        f"computed: {scores.skipped[metric]}. Metrics that can be, and that `objective.metric` may name: "
        f"{others}"
    )


def _spent(fit: Fit) -> dict[str, float]:
    """The seconds and the money that the training took, as metrics."""
    cost = {} if fit.cost_usd is None else {"cost_usd": fit.cost_usd}
    return {"fit_seconds": fit.fit_seconds, **cost}


def _tags(fit: Fit) -> dict[str, str]:
    warnings = {"warnings": "\n".join(fit.warnings)[:5000]} if fit.warnings else {}
    return warnings if fit.trained_in is None else {**warnings, "trained_in": fit.trained_in}


def trial_files(workspace: Path) -> Path:
    """The folder with copies of the project's files; below the split's, which is what a job gets."""
    return workspace / "split" / "files"


def copy_trial_files(model: Model, project: Path, workspace: Path) -> None:
    """Copy the project's files that parameters name, such as weights, to where every trial finds them.

    Args:
        model: The model's section of the team file.
        project: The folder that paths are below.
        workspace: The run's scratch folder.

    Raises:
        TerminalError: There is no such file, or it lies outside the project behind a link.
    """
    root = project.resolve()
    for param, name in sorted(_files_named(model)):
        file = (root / name).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            raise TerminalError(f"{param}: there is no file {name!r} below the project's folder")
        copy_file(file, trial_files(workspace) / name)


def _files_named(model: Model) -> set[tuple[str, str]]:
    """Each parameter that names a file of the project, and the file."""
    trainers = {path: trainer_class(path) for path in model.search.estimators}
    return {
        (param, name)
        for param in {param for trainer in trainers.values() for param in trainer.file_params}
        for path, value in model.search.written_values(param)
        if param in trainers[path].file_params
        and (name := trainers[path].project_file(value)) is not None
    }
