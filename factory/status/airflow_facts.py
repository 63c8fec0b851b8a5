"""What is asked of an Airflow, whoever asks it: through its API, or within it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from factory.base.values import Result


class RunFacts(Result):
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: str
    """Airflow's word: `queued`, `running`, `success` or `failed`."""
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens in it."""
        return self.state in ("success", "failed")


class DagFacts(Result):
    """A DAG, as Airflow knows it."""

    is_paused: bool
    next_run: datetime | None = None
    """When its time comes next; None where only events or people start it."""


class TaskFacts(Result):
    """A task of a run that is at work, waits or has failed."""

    task: str
    state: str
    """Airflow's word: `running`, `queued`, `awaiting_input`, `failed` …"""
    pool: str = ""
    error: str = ""
    """The last error line of its log; empty unless it has failed."""


class ApprovalFacts(Result):
    """A question to a person that nobody has answered."""

    dag_id: str
    run_id: str
    subject: str
    asked_at: datetime | None = None
    who: tuple[str, ...] = ()
    """Those who may answer; empty: whoever may edit the DAG's runs."""


class EventFacts(Result):
    """The last event of an asset."""

    at: datetime
    version: int | None = None
    """The snapshot's, or the model's; None where the event says nothing of it."""


class Airflow(Protocol):
    """Answers questions about DAGs and runs."""

    address: str
    """Where people open it."""

    def dags(self) -> Mapping[str, DagFacts]:
        """The DAGs that it knows, by id."""

    def last_runs(self, dag_ids: Collection[str]) -> Mapping[str, RunFacts]:
        """The newest run of each of these DAGs that has one lately."""

    def tasks(self, run: RunFacts) -> Sequence[TaskFacts]:
        """What a run is at, or what has failed in it; not what has ended well."""

    def approvals(self) -> Sequence[ApprovalFacts]:
        """The questions that nobody has answered."""

    def news(self, dag_id: str) -> Mapping[str, datetime]:
        """The assets that have news for a DAG which waits for others still, and when these came."""

    def last_event(self, asset: str) -> EventFacts | None:
        """The last event of an asset; None where there was none."""

    def paused_by(self, dag_id: str) -> tuple[datetime, str] | None:
        """When a person paused a DAG, and who; None where nobody did since Airflow met it."""

    def open_slots(self, pool: str) -> int | None:
        """The free slots of a pool; None where there is no limit, or no such pool."""
