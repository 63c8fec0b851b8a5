"""LocalExecutor for one machine that loses a process now and then.

Airflow's own shares two queues among all workers. A worker that is killed while it reads one takes the queue's lock with it,
and no task starts any more; the death of a worker that runs a task is noticed after five minutes without a heartbeat. Here
each worker has a pipe of its own, so that nothing is shared, and the executor knows what each of them does.
"""

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import structlog
from airflow.executors.base_executor import (
    BaseExecutor,
    ExecutorConf,
    get_execution_api_server_url,
)
from airflow.executors.local_executor import LocalExecutor
from airflow.executors.workloads import ExecutorWorkload
from airflow.jobs.job import Job, JobState
from airflow.utils.session import create_session
from setproctitle import setproctitle
from sqlalchemy import update

from factory.base.processes import kill, session_of


@dataclass
class Worker:
    """A process that runs one workload after the other."""

    process: multiprocessing.Process
    pipe: Connection
    workload: ExecutorWorkload | None = None
    """What it was given, as long as it has not said how that ended."""
    has_begun: bool = False
    """Whether it has said that it took it."""

    def messages(self) -> Iterator[tuple[Any, Any]]:
        """What it has said since it was asked last: keys of workloads, and their states."""
        with suppress(EOFError, OSError):  # it is dead, and has said all
            while self.pipe.poll():
                yield self.pipe.recv()

    def ending(self) -> str:
        """How it died, in words."""
        code = self.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"the worker process {self.process.pid} {how}"


class WatchedLocalExecutor(LocalExecutor):  # type: ignore[misc]
    """Runs tasks in processes of this machine; a worker's death fails its task at once, and another takes its place.

    For one scheduler: tasks of an earlier one that was killed start again without waiting for its heartbeat to be missed.
    """

    def start(self) -> None:
        """Fork the workers."""
        self._workers: list[Worker] = []
        self._handed_in: deque[ExecutorWorkload] = deque()
        _end_other_schedulers(self.job_id)
        self._hire()

    def sync(self) -> None:
        """Read what workers say, replace the dead, and give work to the idle."""
        # Asked first: all that the dead have said is then in their pipes.
        dead = [worker for worker in self._workers if not worker.process.is_alive()]
        self._read()
        for worker in dead:
            self._bury(worker)
        self._hire()
        self._hand_out()

    def end(self) -> None:
        """Let the workers finish what they do, and end."""
        for worker in self._workers:
            with suppress(OSError):  # it is dead already
                worker.pipe.send(None)
        for worker in self._workers:
            worker.process.join()
        self._read()

    def _process_workloads(self, workload_items: Sequence[ExecutorWorkload]) -> None:
        queues: tuple[dict[Any, Any], ...] = (
            self.queued_tasks,
            self.queued_callbacks,
            self.queued_connection_tests,
        )
        for workload in workload_items:
            for queue in queues:
                queue.pop(workload.key, None)
            self._handed_in.append(workload)
        self._hand_out()

    def _read(self) -> None:
        for worker in self._workers:
            for key, state in worker.messages():
                if state is None:
                    worker.has_begun = True
                    continue
                self.change_state(key, state)
                if worker.workload and state != worker.workload.running_state:
                    worker.workload = None

    def _bury(self, worker: Worker) -> None:
        """End what a dead worker had started, and say that its task has failed; one not begun goes to another."""
        self._workers.remove(worker)
        if worker.process.pid is not None:
            kill(session_of(worker.process.pid))
        worker.pipe.close()
        self.log.error("%s", worker.ending())
        if worker.workload and worker.has_begun:
            self.fail(worker.workload.key, worker.ending())
        elif worker.workload:
            self._handed_in.appendleft(worker.workload)

    def _hire(self) -> None:
        if len(self._workers) == self.parallelism:
            return  # freezing makes all that is young old, and is not for each look
        gc.freeze()  # as Airflow does: what is not looked at stays shared with the workers
        try:
            while len(self._workers) < self.parallelism:
                ours, theirs = multiprocessing.Pipe()
                not_theirs = [ours, *(worker.pipe for worker in self._workers)]
                process = multiprocessing.Process(
                    target=_work, args=(theirs, not_theirs, self.conf)
                )
                process.start()
                theirs.close()
                self._workers.append(Worker(process, ours))
        finally:
            gc.unfreeze()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not self._handed_in:
                return
            if worker.workload is None:
                worker.workload, worker.has_begun = self._handed_in.popleft(), False
                with suppress(OSError):  # it has just died: the next `sync` sees to that
                    worker.pipe.send(worker.workload)


def _work(pipe: Connection, not_ours: Sequence[Connection], conf: ExecutorConf) -> None:
    """Run what comes out of the pipe, until None comes, or the scheduler is gone."""
    os.setsid()  # so that all that its tasks start can be found when it is dead
    for other in not_ours:
        other.close()  # a fork has all pipes; nobody would see the end of one that others hold open
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = structlog.get_logger("factory.airflow.executor")
    title = "airflow worker"  # short: a title is cut where the command line that it takes the place of ends
    while True:
        setproctitle(f"{title}: <idle>")
        try:
            workload = pipe.recv()
        except (EOFError, ConnectionError):
            return
        if workload is None:
            return
        pipe.send((workload.key, None))
        if workload.running_state is not None:
            pipe.send((workload.key, workload.running_state))
        state = workload.success_state
        try:
            BaseExecutor.run_workload(
                workload,
                server=get_execution_api_server_url(conf),
                proctitle=f"{title}: {_subject(workload)}",
                subprocess_logs_to_stdout=True,
            )
        except Exception:  # whatever it is, it is this workload's, and Airflow is told
            log.exception("Workload execution failed.", workload_type=type(workload).__name__)
            state = workload.failure_state
        with suppress(ConnectionError):  # the scheduler is gone; the loop ends with it
            pipe.send((workload.key, state))


def _subject(workload: ExecutorWorkload) -> str:
    """What a worker does, for those who look at the machine's processes: of a task, its DAG, name, run, try and map index."""
    key = workload.key
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _end_other_schedulers(job_id: int | str | None) -> None:
    """Say that schedulers of before have ended, however they did; Airflow then starts their tasks again."""
    with create_session() as session:
        session.execute(
            update(Job)
            .where(Job.job_type == "SchedulerJob", Job.state == JobState.RUNNING, Job.id != job_id)
            .values(state=JobState.FAILED)
        )
