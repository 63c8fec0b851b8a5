"""What can train a model, behind one small protocol."""

import os
from pathlib import Path

from factory.trainers.fastai.params import is_fastai
from factory.trainers.trainer import Fitted, LoggedModel, Predictions, Rows, TrainedModel, Trainer
from factory.training.model import Model
from factory.training.tasks import TaskName

__all__ = [
    "Fitted",
    "LoggedModel",
    "Predictions",
    "Rows",
    "TrainedModel",
    "Trainer",
    "trainer_for",
    "trainer_of",
]


def trainer_for(model: Model, estimator: str, *, files: Path | None = None) -> Trainer:
    """The trainer of one of a model's estimators; a sweep may mix those of several libraries.

    Trials that run at the same time share the processors.

    Args:
        model: The model's section of the team file.
        estimator: The estimator's dotted path.
        files: Where copies of the project's files lie that parameters name.

    Raises:
        TerminalError: The estimator's library is an extra that is not installed.
    """
    threads = max(1, usable_cpus() // model.search.parallel_trials)
    return _trainer(model.task, estimator, threads, model.preprocessing, files)


def trainer_of(task: TaskName, estimator: str = "", *, limit_threads: bool = True) -> Trainer:
    """The trainer that reads registered models back, and asks them.

    Args:
        task: What they do.
        estimator: The dotted path of what they were made by; anything with scikit-learn's API
            where nothing is known.
        limit_threads: Whether each prediction sets how many threads native libraries may take; for
            single rows, the process had better set that once.

    Raises:
        TerminalError: The estimator's library is an extra that is not installed.
    """
    return _trainer(task, estimator, usable_cpus() if limit_threads else None)


def _trainer(
    task: TaskName,
    estimator: str,
    threads: int | None,
    preprocessing: str | None = None,
    files: Path | None = None,
) -> Trainer:
    # Each late: whoever trains with one library is spared importing the others.
    if is_fastai(estimator):
        from factory.trainers.fastai.entry import fastai_trainer

        return fastai_trainer(task, estimator, threads, files)
    from factory.trainers.scikit_learn.trainer import ScikitLearnTrainer

    return ScikitLearnTrainer(task=task, preprocessing=preprocessing, threads=threads)


def usable_cpus() -> int:
    """How many processors this process may use, which in a container is fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
