"""Measure one trial's model on the validation rows, and log the trial."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.trainers.dispatch import trainer_for
from factory.training.fit import Fit, load_fitted
from factory.training.model import Model
from factory.training.search.trial import as_text
from factory.training.split_files import read_part
from factory.training.sweep import Sweep

if TYPE_CHECKING:
    from factory.training.metrics import Scores

logger = logging.getLogger(__name__)


class Evaluation(Result):
    """A trial with its metrics on the validation rows."""

    fit: Fit
    metrics: dict[str, float]
    mlflow_run_id: str


def evaluate(
    fit: Fit,
    model: Model,
    workspace: Path,
    *,
    tracking: Tracking,
    run: TrainingRun,
    sweep: Sweep,
    attempt: int = 1,
) -> Evaluation:
    """Measure a trial on the validation rows and log it as a child run.

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
    # Late: whoever only reads results, as `select_best` does, is spared importing scikit-learn.
    from factory.training.metrics import score

    fitted = load_fitted(fit, model, workspace)
    features, target = read_part(workspace, "validation")
    trainer = trainer_for(model, fit.trial.estimator)
    scores = score(model.computed_metrics, target, trainer.predict(fitted, features))
    for name, why in scores.skipped.items():
        logger.warning("%s: no %s: %s", fit.trial.name, name, why)
    failure = _failure(fit, model, scores)

    place = {**run.identity(), "airflow.map_index": str(fit.trial.index)}
    if attempt > 1:
        tracking.delete_child(sweep.experiment_id, sweep.parent_run_id, place)
    run_id = tracking.log_child(
        sweep.experiment_id,
        sweep.parent_run_id,
        name=fit.trial.name,
        tags={**run.tags(), **place, "role": "trial", **_warning_tags(fit)},
        params={
            "estimator": fit.trial.estimator,
            **{name: as_text(value) for name, value in fit.trial.params.items()},
        },
        metrics={**scores.values, **_spent(fit)},
        history=fit.history,
        started_at=fit.started_at,
        status="FAILED" if failure else "FINISHED",
    )
    if failure:
        raise TerminalError(failure)
    logger.info("%s: %s", fit.trial.name, scores.values)
    return Evaluation(fit=fit, metrics=scores.values, mlflow_run_id=run_id)


def _failure(fit: Fit, model: Model, scores: "Scores") -> str | None:
    metric = model.objective.metric
    if metric in scores.values:
        return None
    others = ", ".join(sorted(scores.values)) or "none"
    return (
        f"trial {fit.trial.index} ({fit.trial.name}): the objective {metric!r} cannot be computed: "
        f"{scores.skipped[metric]}. Metrics that can be, and that `objective.metric` may name: "
        f"{others}"
    )


def _spent(fit: Fit) -> dict[str, float]:
    """What the training took."""
    cost = {} if fit.cost_usd is None else {"cost_usd": fit.cost_usd}
    return {"fit_seconds": fit.fit_seconds, **cost}


def _warning_tags(fit: Fit) -> dict[str, str]:
    return {"warnings": "\n".join(fit.warnings)[:5000]} if fit.warnings else {}
