"""Rank a sweep's trials and choose the best."""

import csv
import io
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.models.tracking import Tracking
from factory.training.evaluate import Evaluation
from factory.training.model import Model
from factory.training.search.trial import as_text
from factory.training.sweep import Sweep

logger = logging.getLogger(__name__)


class Selection(Result):
    """The winner of a sweep."""

    winner: Evaluation
    metric: str
    score: float
    trials: int
    """How many were planned."""
    failed: int


def select_best(
    evaluations: Sequence[Evaluation],
    model: Model,
    *,
    planned: int,
    tracking: Tracking,
    sweep: Sweep,
) -> Selection:
    """Choose the best trial by the objective, and log the ranking to the parent run.

    Args:
        evaluations: The trials that came to their end, in any order.
        model: The model's section of the team file.
        planned: How many trials there were to be; those missing have failed.
        tracking: The MLflow server.
        sweep: Where the training run is tracked.

    Raises:
        TerminalError: More trials failed than `search.max_failed_trials` allows, or all.
        TrackingError: The MLflow server does not answer.
    """
    failed = planned - len(evaluations)
    if failed > model.search.max_failed_trials or not evaluations:
        missing = sorted(set(range(planned)) - {one.fit.trial.index for one in evaluations})
        raise TerminalError(
            f"{failed} of {planned} trials failed (map indexes {', '.join(map(str, missing))}), and "
            f"`search.max_failed_trials` is {model.search.max_failed_trials}: "
            "see the logs of their tasks"
        )
    ranking = rank(evaluations, model)
    winner, metric = ranking[0], model.objective.metric
    _log(ranking, model, failed=failed, tracking=tracking, sweep=sweep)
    logger.info(
        "Best of %d trials: %s, %s %.6g",
        planned,
        winner.fit.trial.name,
        metric,
        winner.metrics[metric],
    )
    return Selection(
        winner=winner,
        metric=metric,
        score=winner.metrics[metric],
        trials=planned,
        failed=failed,
    )


def rank(evaluations: Sequence[Evaluation], model: Model) -> list[Evaluation]:
    """Trials from best to worst by the objective; of equal ones the earlier, which by habit is the
    simpler, comes first.
    """  # noqa: D205
    sign = -1 if model.goal == "maximize" else 1
    metric = model.objective.metric
    return sorted(evaluations, key=lambda one: (sign * one.metrics[metric], one.fit.trial.index))


def _log(
    ranking: Sequence[Evaluation],
    model: Model,
    *,
    failed: int,
    tracking: Tracking,
    sweep: Sweep,
) -> None:
    # Late, for it is only needed here: importing it takes more than half a second.
    from factory.training.plots import save_learning_curves, save_sweep

    winner = ranking[0]
    scores = {f"best_{name}": value for name, value in winner.metrics.items()}
    tracking.log(
        sweep.parent_run_id,
        metrics={**scores, "trials_failed": failed},
        tags={
            "best_trial": winner.fit.trial.name,
            "best_estimator": winner.fit.trial.estimator,
            "best_run": winner.mlflow_run_id,
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        save_sweep(ranking, model, Path(folder) / "sweep.png")
        if winner.fit.history:
            save_learning_curves(winner.fit.history, Path(folder) / "learning_curves.png")
        (Path(folder) / "sweep.csv").write_text(_table(ranking), encoding="utf-8")
        tracking.log_files(sweep.parent_run_id, Path(folder), at="sweep")


def _table(ranking: Sequence[Evaluation]) -> str:
    metrics = sorted({name for one in ranking for name in one.metrics})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["rank", "map_index", "trial", "params", *metrics, "fit_seconds"])
    for place, one in enumerate(ranking, start=1):
        values = [one.metrics.get(name, "") for name in metrics]
        trial = one.fit.trial
        writer.writerow(
            [place, trial.index, trial.name, as_text(trial.params), *values, one.fit.fit_seconds]
        )
    return text.getvalue()
