"""Train one trial's model."""

import logging
import time
from pathlib import Path

from factory.base.digests import sha256_of_file
from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.trainers.dispatch import trainer_for
from factory.trainers.trainer import TrainedModel
from factory.training.model import Model
from factory.training.project_files import project_files
from factory.training.search.trial import Trial
from factory.training.split import Split
from factory.training.split_files import read_part

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
    """What was measured after each epoch, the first one first."""
    cost_usd: float | None = None
    """What its training job is billed; None where it was trained on a machine of our own."""


def fit(trial: Trial, split: Split, model: Model, workspace: Path) -> Fit:
    """Train a trial on the training rows and store the model in the workspace.

    Raises:
        TerminalError: The estimator does not exist, or refuses its parameters or the rows.
    """
    trainer = trainer_for(model, trial.estimator, files=project_files(workspace))
    features, target = read_part(workspace, "train")
    validation = read_part(workspace, "validation") if trainer.watches_validation else None
    started_at = time.time_ns() // 1_000_000
    start = time.perf_counter()
    try:
        fitted = trainer.fit(
            trial.estimator, trial.params, features, target, split.seed, validation
        )
    except TerminalError as error:
        raise TerminalError(f"trial {trial.index} ({trial.name}): {error}") from error
    seconds = time.perf_counter() - start
    file = workspace / "trials" / f"{trial.index}{trainer.suffix}"
    trainer.save(fitted.model, file)
    logger.info("Trained %s on %d rows in %.2f s", trial.name, len(features), seconds)
    return Fit(
        trial=trial,
        model_file=str(file.relative_to(workspace)),
        sha256=sha256_of_file(file),
        fit_seconds=seconds,
        started_at=started_at,
        warnings=fitted.warnings,
        history=tuple(dict(epoch) for epoch in fitted.history),
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
            "clear its `fit` task to train it again"
        )
    return trainer_for(model, fit.trial.estimator).load(file)
