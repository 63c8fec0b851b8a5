"""What can be hit, and when: a victim, a signal, and the task that must be running at that moment."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.chaos.world import PARTS, World

PARENT = "factory up"
IDLE = "idle worker"
BUSY = "busy worker"
TASK = "task"

_VICTIMS = (*PARTS, "watchdog", PARENT, IDLE, BUSY, BUSY, TASK, TASK)
"""Workers and tasks twice: there are several of each, as there are on a machine."""
_LATEST = 0.8
"""Seconds after the task's start at most: most tasks take about so long."""
_POLL = 0.02
_ASKED = 1.0
"""Seconds between two questions to Airflow whether the task may still come."""


@dataclass(frozen=True)
class Fault:
    """One death."""

    victim: str
    number: signal.Signals
    during: tuple[str, str]
    """The DAG and the task that are running then."""
    after: float
    """Seconds since its start."""
    stopped: float
    """Seconds until `factory up` goes on, if it is stopped: nobody starts that one again."""

    def __str__(self) -> str:
        dag_id, task_id = self.during
        return f"{self.number.name} to {self.victim}, {self.after:.2f} s into {dag_id} {task_id}"


def drawn(rng: random.Random, tasks: Sequence[tuple[str, str]]) -> Fault:
    """The next fault; the same generator gives the same ones in the same order."""
    return Fault(
        victim=rng.choice(_VICTIMS),
        number=rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP]),
        during=rng.choice(tasks),
        after=rng.uniform(0, _LATEST),
        stopped=rng.uniform(2, 15),
    )


@dataclass(frozen=True)
class Strike:
    """A fault that was done."""

    aimed: bool
    """Whether the task came; if it did not, an installation at rest was struck."""
    hit: bool
    """Whether there was somebody to strike."""
    at: float
    """When, by the monotonic clock."""


def strike(fault: Fault, world: World, *, in_time: Callable[[], bool]) -> Strike:
    """Wait for the fault's moment, and strike.

    Args:
        fault: What to do.
        world: To whom.
        in_time: Whether the task may still come.
    """
    asked = time.monotonic()
    while not (worker := _worker_of(world, fault.during)):
        if time.monotonic() - asked > _ASKED:
            if not in_time():
                break
            asked = time.monotonic()
        time.sleep(_POLL)
    else:
        time.sleep(fault.after)
    victims = _victims(fault, world, worker)
    at, hit = time.monotonic(), False
    if victims:
        with suppress(psutil.NoSuchProcess):  # it has just ended by itself
            victims[0].send_signal(fault.number)
            hit = True
    if fault.victim == PARENT:
        if fault.number == signal.SIGKILL:
            world.start_again()
        else:
            time.sleep(fault.stopped)
            world.process.send_signal(signal.SIGCONT)
    return Strike(worker is not None, hit, at)


def _worker_of(world: World, task: tuple[str, str]) -> psutil.Process | None:
    for process, does in world.workers().items():
        if tuple(does.split(" ")[:2]) == task:
            return process
    return None


def _victims(fault: Fault, world: World, worker: psutil.Process | None) -> Sequence[psutil.Process]:
    """The process to hit, and what to hit in its place if it has just ended."""
    idle = [process for process, does in world.workers().items() if does == "<idle>"]
    task = worker.children() if worker else []
    parts = {
        PARENT: [psutil.Process(world.process.pid)],
        IDLE: idle,
        BUSY: [worker] if worker else idle,
        TASK: task or idle,
    }
    if fault.victim in parts:
        return parts[fault.victim]
    part = world.component(fault.victim)
    return [part] if part else []
