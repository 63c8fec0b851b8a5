"""How long a trial takes, by the first of them: what is quick is not worth a task of its own."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from factory.base.errors import FactoryError
from factory.base.forked import run_forked
from factory.trainers.dispatch import trainer_class
from factory.training.model import Model
from factory.training.search.strategy import Trial
from factory.training.trial import Evaluation
from factory.training.trial_batch import SweepTrials

MOST_SECONDS = 5.0
"""A first trial that is not trained after so long is stopped: it is worth a task of its own, which trains it anew."""

BATCH_SECONDS = 20.0
"""How long a task trains, so that starting one does not count beside it."""

FEW = 12
"""Of so many trials each has a task, which one sees at a glance; together they take seconds to start."""

_MEASURING = 0.1
"""Seconds to measure a trial and to log it."""


def batch_size(
    model: Model, trials: Sequence[Trial], first: SweepTrials, *, models: int = 1, most: int
) -> int:
    """How many trials an instance of the mapped task trains.

    Args:
        model: The model's section of the team file.
        trials: The trials of a model.
        first: Those of the model that the first one is timed with.
        models: How many models there are.
        most: How many instances there may be.
    """
    search, count = model.search, len(trials) * models
    if search.batch != "auto":
        return search.batch
    if model.backend is not None:
        return 1
    seconds = seconds_of(trials[0], first) if _are_many(model, models) else None
    return size_for(count, seconds, parallel=search.parallel_trials, most=most)


def size_of_wave(
    model: Model, wave: int, trials: int, before: Sequence[Evaluation], *, most: int
) -> int:
    """How many trials of a later wave an instance of the mapped task trains.

    Args:
        model: The model's section of the team file.
        wave: Which one, from 2.
        trials: How many trials it has.
        before: What the waves before have come to.
        most: How many instances there may be.
    """
    search, seconds = model.search, None
    if search.batch != "auto":
        return search.batch
    if before and _are_many(model):
        last = sorted(before, key=lambda one: one.fit.trial.index)[-FEW:]
        took = sum(one.fit.fit_seconds for one in last) / len(last)
        seconds = took * search.grows(wave) + _MEASURING
    return size_for(trials, seconds, parallel=search.parallel_trials, most=most)


def _are_many(model: Model, models: int = 1) -> bool:
    return model.most_trials * models > max(FEW, model.search.parallel_trials)


def size_for(trials: int, seconds: float | None, *, parallel: int, most: int) -> int:
    """How many trials a task trains, so that it takes about `BATCH_SECONDS` and all of them end together.

    Args:
        trials: How many trials there are.
        seconds: How long one takes, None where that is not known.
        parallel: How many tasks run at the same time.
        most: How many tasks there may be.
    """
    of_one = 1 if seconds is None else max(1, int(BATCH_SECONDS / seconds))
    tasks = -(-trials // of_one)
    in_turns = -(-tasks // parallel) * parallel
    # Of a wave that finds nothing new there are none.
    return max(1, -(-trials // max(1, min(in_turns, most, trials))))


def seconds_of(trial: Trial, of: SweepTrials) -> float | None:
    """How long a trial takes, which is trained for that, and kept; None if it is long or fails.

    It is trained in a process forked from this one, since nothing else can be stopped.
    """
    if not trainer_class(trial.estimator).may_be_quick:
        return None
    if of.kept.fit(trial) is None:
        # Of one that fails, the trial's own task says why.
        with suppress(FactoryError):
            run_forked(partial(of.fitted, trial), MOST_SECONDS)
    # Not the process's own time: it loads libraries, which a task does once for all of its trials.
    kept = of.kept.fit(trial)
    return None if kept is None else kept.fit_seconds + _MEASURING
