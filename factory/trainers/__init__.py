"""What can train a model, behind one small protocol."""

import os

from factory.config.model import Model, Task
from factory.trainers.protocol import Fitted, LoggedModel, Predictions, TrainedModel, Trainer

__all__ = [
    "Fitted",
    "LoggedModel",
    "Predictions",
    "TrainedModel",
    "Trainer",
    "trainer_for",
    "trainer_of",
]


def trainer_for(model: Model) -> Trainer:
    """The trainer of a model; scikit-learn's API is the only one so far.

    Trials that run at the same time share the processors.
    """
    from factory.trainers.scikit_learn import ScikitLearnTrainer

    threads = max(1, usable_cpus() // model.search.parallel_trials)
    return ScikitLearnTrainer(task=model.task, preprocessing=model.preprocessing, threads=threads)


def trainer_of(task: Task, *, limit_threads: bool = True) -> Trainer:
    """The trainer that reads registered models of a task back, and asks them.

    Args:
        task: What they do.
        limit_threads: Whether each prediction sets how many threads native libraries may take; for
            single rows, the process had better set that once.
    """
    from factory.trainers.scikit_learn import ScikitLearnTrainer

    return ScikitLearnTrainer(task=task, threads=usable_cpus() if limit_threads else None)


def usable_cpus() -> int:
    """How many processors this process may use, which in a container is fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
