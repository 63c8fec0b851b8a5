"""The winner of a sweep trained once more, on the validation rows too."""

import logging
import time
from pathlib import Path

from factory.base.digests import sha256_of_file
from factory.base.errors import TerminalError
from factory.models.tracking import Tracking
from factory.training.fit_arguments import FitArguments
from factory.training.model import Model
from factory.training.split import DividedRows, read_learned
from factory.training.sweep import Selection
from factory.training.trial import Fit, Sweep, fit_without_validation, trainer_of_trial

logger = logging.getLogger(__name__)


def refit(
    selection: Selection,
    split: DividedRows,
    model: Model,
    workspace: Path,
    *,
    tracking: Tracking,
    sweep: Sweep,
) -> Selection:
    """Train the winner again on training and validation rows, and say so in the parent run.

    Returns:
        The selection, with the model that is tested and registered in place of the trial's.

    Raises:
        TerminalError: The estimator refuses the rows.
        TrackingError: The MLflow server does not answer.
    """
    fit = fit_again(selection.winner.fit, split, model, workspace)
    best = fit.steps.best
    tracking.log(
        sweep.parent_run_id,
        tags={
            "refit": model.refit,
            **({} if best is None else {f"refit_{fit.steps.name}s": str(best)}),
        },
        metrics={"refit_seconds": fit.fit_seconds, "refit_rows": _rows(split, model)},
    )
    winner = selection.winner.model_copy(update={"fit": fit})
    return selection.model_copy(update={"winner": winner})


def fit_again(fit: Fit, split: DividedRows, model: Model, workspace: Path) -> Fit:
    """Train the trial of a fit on training and validation rows, and store the model in the workspace.

    The same rows, trial and seed give the same model. An estimator that has stopped early is trained for as many steps
    as were best.

    Raises:
        TerminalError: The estimator refuses the rows.
    """
    trial = fit.trial
    trainer = trainer_of_trial(trial, model, workspace)
    rows = read_learned(workspace, model)
    best = () if fit.steps.best is None else (fit.steps.best,)
    started_at = time.time_ns() // 1_000_000
    start = time.perf_counter()
    try:
        fitted = fit_without_validation(
            trial,
            best,
            trainer,
            rows,
            FitArguments.read(workspace, *model.learned_parts),
            seed=split.seed,
            step=fit.steps.name,
        )
    except TerminalError as error:
        raise TerminalError(f"refit of trial {trial.index} ({trial.name}): {error}") from error
    seconds = time.perf_counter() - start
    file = workspace / "trials" / f"{trial.index}.refit{trainer.suffix}"
    trainer.save(fitted.model, file)
    logger.info("Trained %s again on %d rows in %.2f s", trial.name, len(rows[0]), seconds)
    return fit.model_copy(
        update={
            "model_file": str(file.relative_to(workspace)),
            "sha256": sha256_of_file(file),
            "fit_seconds": seconds,
            "started_at": started_at,
            "warnings": fitted.warnings,
            "history": (),
            "steps": fitted.steps,
        }
    )


def _rows(split: DividedRows, model: Model) -> int:
    return sum(split.rows[part] for part in model.learned_parts)
