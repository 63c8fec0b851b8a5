"""What can train a model, behind one small protocol."""

import os

from factory.config.model import Model
from factory.trainers.protocol import Fitted, LoggedModel, Predictions, TrainedModel, Trainer

__all__ = ["Fitted", "LoggedModel", "Predictions", "TrainedModel", "Trainer", "trainer_for"]


def trainer_for(model: Model) -> Trainer:
    """The trainer of a model; scikit-learn's API is the only one so far.

    Trials that run at the same time share the processors.
    """
    from factory.trainers.scikit_learn import ScikitLearnTrainer

    threads = max(1, usable_cpus() // model.search.parallel_trials)
    return ScikitLearnTrainer(task=model.task, preprocessing=model.preprocessing, threads=threads)


def usable_cpus() -> int:
    """How many processors this process may use, which in a container is fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
