"""Waiting for a training job in the triggerer, where it occupies no worker."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from factory.base.errors import FactoryError

if TYPE_CHECKING:
    from factory.training.backends.backend import Backend, JobRun

_MOST_FAILURES = 5
"""Questions without an answer, one after the other, after which the task is to ask itself."""

_ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed"})


def wants_it_stopped(state: str | None) -> bool:
    """Whether a task's state says that nobody wants its job any more.

    States in which a try is still to come, such as `restarting`, leave the job to that.
    """
    return state in _ENDED


def task_state(dag_id: str, run_id: str, task_id: str, map_index: int) -> str | None:
    """The state of a task instance as Airflow has it now; None if it has none."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    found = RuntimeTaskInstance.get_task_states(
        dag_id=dag_id, task_ids=[task_id], run_ids=[run_id], map_index=map_index
    )
    states = list(found.get(run_id, {}).values())
    return str(getattr(states[0], "value", states[0])) if states and states[0] else None


class TrainingJobTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires when a training job has ended, whatever became of it.

    When a person ends the waiting task, the job is stopped.
    """

    def __init__(
        self,
        *,
        job: str,
        backend: dict[str, Any],
        storage: str,
        prefix: str,
        connection: str | None = None,
    ) -> None:
        super().__init__()
        self.job = job
        self.backend = backend
        self.storage = storage
        self.prefix = prefix
        self.connection = connection

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the trigger is made of again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "job": self.job,
                "backend": self.backend,
                "storage": self.storage,
                "prefix": self.prefix,
                "connection": self.connection,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask every `poll_seconds` how the job is getting on."""
        backend, run = await asyncio.to_thread(self._backend_and_run)
        failures, detail = 0, ""
        while True:
            try:
                found = await asyncio.to_thread(backend.describe, run, self.job)
            except FactoryError as error:
                failures += 1
                self.log.warning("%s", error)
                if failures >= _MOST_FAILURES:
                    yield TriggerEvent({"job": self.job, "state": "unknown"})
                    return
            else:
                failures = 0
                if found is None or not found.active:
                    state = found.state if found else "unknown"
                    yield TriggerEvent({"job": self.job, "state": state})
                    return
                if found.detail != detail:
                    detail = found.detail
                    self.log.info("training job %s: %s", self.job, detail)
            # Not all trials of a sweep at the same moment.
            await asyncio.sleep(backend.poll_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    async def on_kill(self) -> None:
        """Stop the job of a task that a person marked as failed, or that they do not want any more."""
        await asyncio.to_thread(self._stop_if_unwanted)

    def _stop_if_unwanted(self) -> None:
        ti: Any = self.task_instance
        state = task_state(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        if wants_it_stopped(state):
            self.log.info("the task was marked as %s: stopping the training job", state)
            backend, run = self._backend_and_run()
            backend.stop(run, self.job)
        else:
            self.log.info("the task is to run again: the training job %s goes on", self.job)

    def _backend_and_run(self) -> "tuple[Backend, JobRun]":
        from pydantic import TypeAdapter

        from factory.airflow.storage_access import access_of
        from factory.base.aws import AwsClients
        from factory.lake.storage.access import Access
        from factory.training.backends.backend import AnyBackend, JobRun

        def session(_: str | None) -> Any:
            # Its own: the triggerer waits for many teams' jobs in one process.
            own = access_of(self.connection) if self.connection else Access.from_environment()
            return own.session

        backend: Backend = TypeAdapter(AnyBackend).validate_python(self.backend)
        # There is no workspace here, and none is needed to ask about jobs.
        run = JobRun(self.prefix, self.storage, Path(), AwsClients(session))
        return backend, run
