"""Measure the winner, once, on rows that no trial has seen."""

import logging
import tempfile
from pathlib import Path

from factory.base.values import Result
from factory.models.tracking import Tracking
from factory.trainers.dispatch import trainer_for
from factory.training.fit import load_fitted
from factory.training.model import Model
from factory.training.select import Selection
from factory.training.split_files import read_part
from factory.training.sweep import Sweep

logger = logging.getLogger(__name__)


class FinalTest(Result):
    """The winner's metrics on the test rows."""

    metrics: dict[str, float]
    rows: int


def final_test(
    selection: Selection, model: Model, workspace: Path, *, tracking: Tracking, sweep: Sweep
) -> FinalTest:
    """Measure the winner on the test rows; metrics and plots go to the parent run.

    Args:
        selection: The winner.
        model: The model's section of the team file.
        workspace: The run's scratch folder.
        tracking: The MLflow server.
        sweep: Where the training run is tracked.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    # Late: whoever only reads results, as `register` does, is spared importing these.
    from factory.training.metrics import score
    from factory.training.plots import save_test_plots

    fitted = load_fitted(selection.winner.fit, model, workspace)
    features, target = read_part(workspace, "test")
    predictions = trainer_for(model, selection.winner.fit.trial.estimator).predict(fitted, features)
    scores = score(model.computed_metrics, target, predictions)
    for name, why in scores.skipped.items():
        logger.warning("No test_%s: %s", name, why)
    tracking.log(
        sweep.parent_run_id,
        metrics={f"test_{name}": value for name, value in scores.values.items()},
    )
    with tempfile.TemporaryDirectory() as folder:
        save_test_plots(model, target, predictions, Path(folder))
        tracking.log_files(sweep.parent_run_id, Path(folder), at="test")
    logger.info("On %d test rows: %s", len(target), scores.values)
    return FinalTest(metrics=scores.values, rows=len(target))
