"""The jobs of a whole training run: what happens before the first and after the last."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from factory.base.errors import FactoryError, TerminalError
from factory.training.backends.cost import cost_of, estimate
from factory.training.backends.names import job_base
from factory.training.backends.protocol import Backend, Description, Job, TrainingData
from factory.training.backends.sections import LocalProcess, SageMaker
from factory.training.backends.settings import Settings, write_settings
from factory.training.search.trial import Trial

logger = logging.getLogger(__name__)

_PATIENCE = 300.0
"""Seconds that stopped jobs may take to end. SageMaker gives a container two minutes."""
_PAUSE = 2.0


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


def refuse_cost(section: LocalProcess | SageMaker, trials: int, price: float | None) -> None:
    """Check that a sweep cannot cost more than `max_cost`.

    Raises:
        TooExpensiveError: It can, with the figures; or nobody knows, for want of a price.
    """
    if not isinstance(section, SageMaker):
        return
    if price is None:
        if section.max_cost is not None:
            raise TooExpensiveError(
                f"`max_cost` needs the price of {section.instance_type}: write it into `prices` in "
                "configs/_defaults.yaml"
            )
        return
    expected = estimate(section, trials, price)
    if section.max_cost is not None and (excess := expected.exceeds(section.max_cost)):
        raise TooExpensiveError(f"{excess}: raise it, shorten `max_runtime`, or try fewer sets")
    logger.info("%d training jobs, which cost at most %.2f USD", trials, expected.cost)


def prepare(
    backend: Backend,
    settings: Settings,
    workspace: Path,
    *,
    trials: Sequence[Trial],
    prefix: str,
    labels: Mapping[str, str],
) -> TrainingData:
    """Bring the data of a run to where its jobs can read them, and check all jobs that are to be.

    Raises:
        TerminalError: One of the jobs would be refused.
    """
    data = backend.prepare(workspace, write_settings(settings, workspace))
    logger.info("the training data lie at %s", data.address)
    for trial in trials:
        name = f"{job_base(prefix, trial.index, data.digest)}-1"
        backend.check(Job(name=name, trial=trial, data=data, labels=labels))
    return data


def stop_all(backend: Backend, price: float | None) -> Spent:
    """Stop all jobs of a run that are at work, wait until they have ended, and count the cost.

    Raises:
        StillRunningError: One did not end in time.
    """
    names = backend.names()
    stopped = [name for name in names if _stop(backend, name)]
    for name in stopped:
        _await_end(backend, name)
    found = [one for name in names if (one := backend.describe(name)) is not None]
    billed = sum(one.billed or 0 for one in found)
    cost = None if price is None else cost_of(billed, price)
    if stopped:
        logger.warning("stopped what was still at work: %s", ", ".join(stopped))
    logger.info("%d training jobs, %d s billed", len(found), billed)
    return Spent(jobs=len(found), stopped=tuple(stopped), billed=billed, cost=cost)


def _stop(backend: Backend, name: str) -> bool:
    found = backend.describe(name)
    if found is None or not found.active:
        return False
    backend.stop(name)
    return True


def _await_end(backend: Backend, name: str) -> None:
    def is_active(found: Description | None) -> bool:
        return found is not None and found.active

    asking = Retrying(
        retry=retry_if_result(is_active),
        wait=wait_fixed(_PAUSE),
        stop=stop_after_delay(_PATIENCE),
    )
    try:
        asking(backend.describe, name)
    except RetryError as error:
        raise StillRunningError(
            f"training job {name} was asked to stop, and is still at work after {_PATIENCE:.0f} s: "
            "look at it, and clear this task"
        ) from error
