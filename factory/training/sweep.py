"""Begin a training run: expand its trials, and start its MLflow run."""

import logging
from collections.abc import Sequence

from factory.base.values import Result
from factory.lake.snapshot import Snapshot
from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.training.model import Model
from factory.training.search.trial import Trial
from factory.training.split import Split

logger = logging.getLogger(__name__)


class Sweep(Result):
    """Where a training run is tracked."""

    experiment_id: str
    parent_run_id: str
    """The MLflow run that stands for the whole training run."""


class Plan(Result):
    """The trials of a training run, and where they are tracked."""

    sweep: Sweep
    trials: tuple[Trial, ...]


def plan_trials(
    model: Model,
    split: Split,
    *,
    tracking: Tracking,
    run: TrainingRun,
    snapshots: Sequence[Snapshot],
) -> Plan:
    """Expand the search, create the model's experiment if it is new, start the parent run.

    A retry finds the parent run of the first try.

    Args:
        model: The model's section of the team file.
        split: How the rows were divided.
        tracking: The MLflow server.
        run: Which training run this is.
        snapshots: The dataset versions that were read; logged as the run's inputs.

    Raises:
        TrackingError: The MLflow server does not answer.
        TerminalError: The experiment was deleted.
    """
    trials = model.search.expand()
    experiment_id = tracking.ensure_experiment(run.model)
    parent = tracking.start_parent(experiment_id, run, snapshots)
    tracking.log(
        parent,
        tags={
            "task": model.task,
            "target": model.target,
            "features": ", ".join(split.features),
            "objective": f"{model.goal} {model.objective.metric}",
            "search": f"{model.search.strategy}: {', '.join(model.search.estimators)}",
            "split": f"{split.method}, seed {split.seed}",
        },
        metrics={
            "trials": len(trials),
            "rows_dropped": split.dropped,
            **{f"rows_{part}": rows for part, rows in split.rows.items()},
        },
    )
    logger.info("%d trials, tracked in MLflow run %s", len(trials), parent)
    return Plan(sweep=Sweep(experiment_id=experiment_id, parent_run_id=parent), trials=trials)
