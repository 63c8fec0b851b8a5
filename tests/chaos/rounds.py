"""Rounds on one installation: rows come, something may die, and all that follows comes to rest."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from factory.runtime.airflow_api import AirflowRefusedError, NoAnswerFromAirflowError
from factory.runtime.follow import FollowedRuns, RunFollower
from tests.chaos.faults import Fault, Strike, drawn, strike
from tests.chaos.invariants import Invariants
from tests.chaos.world import HEIGHTS, READINGS, TRAIN, World

REST = 300.0
"""Seconds after which an installation that is not at rest counts as stuck."""
_SETTLE = 15.0


@dataclass(frozen=True)
class Round:
    """What came of one fault."""

    fault: Fault
    strike: Strike
    rest: float
    """Seconds from the fault until all that it interrupted was done, and all components healthy."""
    violations: Sequence[str]


class Rounds:
    """Rounds on one installation."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.faults = random.Random(f"faults {seed}")
        self.invariants = Invariants(world)
        self.tasks: list[tuple[str, str]] = []

    def rehearse(self) -> float:
        """A round without a fault, which tells what tasks there are; the seconds that it took."""
        # There is nothing to predict with, and nothing to deploy, before the first champion.
        self._wake(frozenset({READINGS, HEIGHTS, TRAIN}))
        self._wait_for_rest(self._publish("first"))
        self._wake(self.world.dag_ids())
        begun = time.monotonic()
        self._wait_for_rest(self._publish("rehearsal"))
        seconds = time.monotonic() - begun
        if found := self.invariants.violations():
            raise AssertionError(f"before any fault: {found}")
        # Sorted, so that a seed draws the same.
        self.tasks = sorted(
            {
                (task.dag_id, task.task_id)
                for run in self.world.airflow.runs()
                for task in self.world.airflow.tasks(run.dag_id, run.dag_run_id)
                if task.start_date is not None
            }
        )
        return seconds

    def play(self, number: int) -> Round:
        """Change the rows, strike, wait for rest, and look at everything."""
        fault = drawn(self.faults, self.tasks)
        follower = self._publish(f"round-{number}")
        struck = strike(fault, self.world, in_time=lambda: not follower.poll().finished)
        try:
            progress = self._wait_for_rest(follower)
        except TimeoutError as error:
            return Round(fault, struck, time.monotonic() - struck.at, [str(error)])
        rest = time.monotonic() - struck.at
        return Round(fault, struck, rest, [*_unheard(progress), *self.invariants.violations()])

    def undisturbed(self, number: int) -> Sequence[str]:
        """A round in which nothing dies; what does not hold after it."""
        progress = self._wait_for_rest(self._publish(f"undisturbed-{number}"))
        return [*_unheard(progress), *self.invariants.violations()]

    def _wake(self, dag_ids: frozenset[str]) -> None:
        airflow = self.world.airflow
        airflow.wait_until(
            lambda: dag_ids <= {dag.dag_id for dag in airflow.dags()}, "the DAGs", seconds=90
        )
        for dag_id in sorted(dag_ids):
            airflow.unpause(dag_id)

    def _publish(self, name: str) -> RunFollower:
        """Have the source's next state published; what follows from that."""
        airflow = self.world.airflow
        before = frozenset((run.dag_id, run.dag_run_id) for run in airflow.runs())
        self.world.change_rows()
        try:
            airflow.trigger(READINGS, run_id=name)
        except NoAnswerFromAirflowError:
            airflow.run(READINGS, name)
        producers = frozenset({READINGS})
        return RunFollower(airflow, self.world.dag_ids(), before, producers, settle=_SETTLE)

    def _wait_for_rest(self, follower: RunFollower) -> FollowedRuns:
        deadline = time.monotonic() + REST
        while True:
            try:
                progress = follower.poll()
                if progress.finished and self.world.is_healthy() and not self.world.busy():
                    return progress
                waiting = [
                    f"{each.run.dag_id} {each.run.state}"
                    for each in progress.runs
                    if not each.run.ended
                ]
            except (AirflowRefusedError, NoAnswerFromAirflowError) as error:
                waiting = [str(error)]
            if time.monotonic() > deadline:
                raise TimeoutError(f"not at rest after {REST:.0f} s: {waiting or 'a component'}")
            time.sleep(0.3)


def _unheard(progress: FollowedRuns) -> list[str]:
    return [
        f"an event of {silence.event.name} started no run of {silence.consumer}"
        for silence in progress.silences
    ]
