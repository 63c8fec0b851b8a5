"""The jobs of a whole training run: their names, and what happens before the first and after the last.

What trains the same has the same name, so that nothing is trained and paid twice:
`<model>-<run>-<trial>-<content>-<number>`, such as `pets-detector-1f0c2d9a7b-3-9ab1c2d3-1`, with at
most 63 letters, digits and hyphens, as SageMaker wants them. A name is used once and for all there: the
number grows with each job that ended badly.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from factory.base.digests import sha256_of_json
from factory.base.errors import FactoryError, TerminalError
from factory.training.backends.backend import (
    Backend,
    JobRun,
    JobStatus,
    TrainingData,
    TrainingJob,
    cost_of,
)
from factory.training.backends.job_files import JobSettings, write_settings
from factory.training.search.strategy import Trial

logger = logging.getLogger(__name__)

_PATIENCE = 300.0
"""Seconds that stopped jobs may take to end. SageMaker gives a container two minutes."""
_PAUSE = 2.0
_MODEL_CHARACTERS = 26
"""Characters of the model's name."""
_RUN = 10
_CONTENT = 8


class TooExpensiveError(TerminalError):
    """A sweep may cost more than it is allowed to."""


class StillRunningError(FactoryError):
    """A job was stopped and did not end."""


@dataclass(frozen=True)
class Spent:
    """What became of a run's jobs."""

    jobs: int
    stopped: tuple[str, ...]
    """Those that were at work still."""
    billed: int
    """Seconds."""
    cost: float | None
    """USD; None where there is no price."""


def run_prefix(model: str, *, storage: str, dag_id: str, run_id: str) -> str:
    """What the names of all jobs of a DAG run begin with, and those of no other run.

    Args:
        model: The full name, `team.model`.
        storage: The lake's address: two installations may share an account and the ids of runs.
        dag_id: Airflow's id of the DAG.
        run_id: Airflow's id of the run.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", model.lower())[:_MODEL_CHARACTERS].strip("-")
    return f"{readable}-{sha256_of_json([storage, dag_id, run_id])[:_RUN]}-"


def job_base(prefix: str, index: int, content: Any) -> str:
    """The name of a trial's jobs without their number.

    Args:
        prefix: As `run_prefix` makes it.
        index: The trial's place in the sweep.
        content: All that decides what comes out of the training, as JSON.
    """
    return f"{prefix}{index}-{sha256_of_json(content)[:_CONTENT]}"


def refuse_cost(backend: Backend, trials: int, price: float | None) -> None:
    """Check that a sweep cannot cost more than its section allows.

    Raises:
        TooExpensiveError: It can, with the figures; or nobody knows, for want of a price.
    """
    if problem := backend.cost_problem(trials, price):
        raise TooExpensiveError(f"{problem.message}: {problem.advice}")
    if price is not None:
        most = backend.most_cost(trials, price)
        logger.info("%d training jobs, which cost at most %.2f USD", trials, most)


def prepare(
    backend: Backend,
    run: JobRun,
    settings: JobSettings,
    *,
    trials: Sequence[Trial],
    labels: Mapping[str, str],
) -> TrainingData:
    """Bring the data of a run to where its jobs can read them, and check all jobs that are to be.

    Raises:
        TerminalError: One of the jobs would be refused.
    """
    data = backend.prepare(run, write_settings(settings, run.workspace))
    logger.info("the training data lie at %s", data.address)
    for trial in trials:
        name = f"{job_base(run.prefix, trial.index, data.digest)}-1"
        backend.check(run, TrainingJob(name=name, trial=trial, data=data, labels=labels))
    return data


def stop_all(backend: Backend, run: JobRun, price: float | None) -> Spent:
    """Stop all jobs of a run that are at work, wait until they have ended, and count the cost.

    Raises:
        StillRunningError: One did not end in time.
    """
    names = backend.names(run)
    stopped = [name for name in names if _stop(backend, run, name)]
    for name in stopped:
        _await_end(backend, run, name)
    found = [one for name in names if (one := backend.describe(run, name)) is not None]
    billed = sum(one.billed or 0 for one in found)
    cost = None if price is None else cost_of(billed, price)
    if stopped:
        logger.warning("stopped what was still at work: %s", ", ".join(stopped))
    logger.info("%d training jobs, %d s billed", len(found), billed)
    return Spent(jobs=len(found), stopped=tuple(stopped), billed=billed, cost=cost)


def _stop(backend: Backend, run: JobRun, name: str) -> bool:
    found = backend.describe(run, name)
    if found is None or not found.active:
        return False
    backend.stop(run, name)
    return True


def _await_end(backend: Backend, run: JobRun, name: str) -> None:
    def is_active(found: JobStatus | None) -> bool:
        return found is not None and found.active

    asking = Retrying(
        retry=retry_if_result(is_active),
        wait=wait_fixed(_PAUSE),
        stop=stop_after_delay(_PATIENCE),
    )
    try:
        asking(backend.describe, run, name)
    except RetryError as error:
        raise StillRunningError(
            f"training job {name} was asked to stop, and is still at work after {_PATIENCE:.0f} s: "
            "look at it, and clear this task"
        ) from error
