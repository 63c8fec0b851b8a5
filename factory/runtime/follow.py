"""What a run of the producers sets off: runs, the events they emit, the runs that those start."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_records import AssetEvent, DagRecord, DagRun, TaskInstance

SETTLE = 20.0
"""Seconds after which an event that started no run is taken to start none."""


@dataclass(frozen=True)
class RunProgress:
    """How far a run is."""

    run: DagRun
    done: int
    total: int
    seconds: float
    failed: tuple[TaskInstance, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """DAG and run."""
        return (self.run.dag_id, self.run.dag_run_id)


@dataclass(frozen=True)
class Silence:
    """An event that did not start a run of one of the dataset's consumers."""

    event: AssetEvent
    consumer: str
    waits_for_others: bool
    """Whether the consumer waits for news of further datasets, which is no failure."""


@dataclass(frozen=True)
class FollowedRuns:
    """The state of everything that is followed."""

    runs: tuple[RunProgress, ...]
    expected: frozenset[str]
    """The DAGs that have no run yet, but will."""
    silences: tuple[Silence, ...] = ()
    finished: bool = False

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        lost = any(not silence.waits_for_others for silence in self.silences)
        return lost or any(each.run.state == "failed" for each in self.runs)


def start_producers(airflow: AirflowClient, dags: Iterable[DagRecord]) -> frozenset[str]:
    """Unpause what publishes or is started by datasets; make the producers that nothing starts run.

    A DAG with a schedule whose time has passed is run by Airflow itself as soon as it is unpaused;
    a second run beside that one would only publish the same rows again. What reads datasets or models
    at times of its own is left alone: there may be nothing to read yet.

    Returns:
        The ids of the producers that will run.
    """
    dags = sorted(dags, key=lambda dag: dag.dag_id)
    assets = airflow.assets()
    consumers = {dag_id for asset in assets for dag_id in asset.consumers}
    readers = {dag_id for asset in assets for dag_id in asset.readers}
    publishers = {dag_id for asset in assets for dag_id in asset.producers}
    producers = [dag for dag in dags if dag.dag_id in publishers - consumers - readers]
    # Those who listen first: an event that comes while a consumer is paused starts nothing.
    for dag in dags:
        if dag.dag_id in consumers:
            airflow.unpause(dag.dag_id)
    now = datetime.now(UTC)
    for dag in producers:
        due = dag.is_paused and dag.next_dagrun_run_after and dag.next_dagrun_run_after <= now
        if not due:
            # A second demo has something to show too: the event goes out though nothing changed.
            airflow.trigger(dag.dag_id, conf={"publish_unchanged": True})
        airflow.unpause(dag.dag_id)
    return frozenset(dag.dag_id for dag in producers)


@dataclass
class RunFollower:
    """Asks Airflow, again and again, how far everything is."""

    airflow: AirflowClient
    dag_ids: frozenset[str]
    before: frozenset[tuple[str, str]]
    """Runs (DAG, run) that are none of ours."""
    producers: frozenset[str] = frozenset()
    settle: float = SETTLE
    clock: Callable[[], float] = time.monotonic
    _ended: dict[tuple[str, str], RunProgress] = field(default_factory=dict)
    _quiet_since: float | None = None

    def poll(self) -> FollowedRuns:
        """How far everything is now."""
        runs = tuple(
            self._progress(run)
            for run in self.airflow.runs()
            if run.dag_id in self.dag_ids and (run.dag_id, run.dag_run_id) not in self.before
        )
        missing = self.producers - {each.run.dag_id for each in runs}
        if missing or not all(each.run.ended for each in runs):
            self._quiet_since = None
            return FollowedRuns(runs, missing)
        unheard = self._unheard(runs)
        if not unheard:
            return FollowedRuns(runs, frozenset(), finished=True)
        if self._quiet_since is None:
            self._quiet_since = self.clock()
        expected = frozenset(consumer for _, consumer in unheard)
        if self.clock() - self._quiet_since < self.settle:
            return FollowedRuns(runs, expected)
        silences = tuple(
            Silence(event, consumer, self.airflow.queued_assets(consumer) > 0)
            for event, consumer in unheard
        )
        return FollowedRuns(runs, expected, silences, finished=True)

    def events(self, run: DagRun) -> list[AssetEvent]:
        """The events that a run emitted."""
        return self.airflow.asset_events(dag_id=run.dag_id, run_id=run.dag_run_id)

    def _progress(self, run: DagRun) -> RunProgress:
        known = self._ended.get((run.dag_id, run.dag_run_id))
        if known:
            return known
        tasks = self.airflow.tasks(run.dag_id, run.dag_run_id)
        progress = RunProgress(
            run=run,
            done=sum(task.ended for task in tasks),
            total=len(tasks),
            seconds=_seconds(run),
            failed=tuple(task for task in tasks if task.state == "failed"),
        )
        if run.ended:
            self._ended[progress.key] = progress
        return progress

    def _unheard(self, runs: Iterable[RunProgress]) -> list[tuple[AssetEvent, str]]:
        consumers = {asset.id: asset.consumers for asset in self.airflow.assets()}
        return [
            (event, consumer)
            for each in runs
            for event in self.events(each.run)
            for consumer in sorted(consumers.get(event.asset_id, frozenset()) & self.dag_ids)
            if consumer not in {reference.dag_id for reference in event.created_dagruns}
        ]


def _seconds(run: DagRun) -> float:
    if run.start_date is None:
        return 0.0
    return ((run.end_date or datetime.now(UTC)) - run.start_date).total_seconds()


def last_lines(airflow: AirflowClient, task: TaskInstance, lines: int = 20) -> list[str]:
    """The end of a task instance's log."""
    return airflow.log(task)[-lines:]


def training_result(airflow: AirflowClient, run: DagRun) -> dict[str, Any] | None:
    """What a training run's task `register` reports; None where there is no such task."""
    result = airflow.xcom(run.dag_id, run.dag_run_id, "register")
    return result if isinstance(result, dict) else None
