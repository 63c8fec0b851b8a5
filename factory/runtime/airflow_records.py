"""The records that Airflow's REST API answers with, as far as they are of use here."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""The states of a run or task instance in which nothing more happens."""


class Record(BaseModel):
    """One object of an answer; what is not declared is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class DagRecord(Record):
    """A DAG."""

    dag_id: str
    is_paused: bool
    is_stale: bool
    has_import_errors: bool
    file_token: str
    bundle_version: str | None = None
    """The commit that it was read from, where its bundle is one of git."""
    timetable_summary: str | None = None
    next_dagrun_run_after: datetime | None = None


class ImportProblem(Record):
    """Why a DAG file, or a part of it, could not be imported."""

    filename: str
    stack_trace: str


class RunReference(Record):
    """A run that an asset event contributed to."""

    dag_id: str
    run_id: str


class DagRun(Record):
    """One run of a DAG."""

    dag_id: str
    dag_run_id: str
    state: str
    run_type: str
    start_date: datetime | None = None
    end_date: datetime | None = None
    conf: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.state in ENDED


class TaskInstance(Record):
    """One task instance of a run."""

    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    rendered_map_index: str | None = None
    state: str | None = None
    try_number: int
    start_date: datetime | None = None
    end_date: datetime | None = None
    duration: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.state in ENDED

    @property
    def label(self) -> str:
        """Its id, with what it was mapped over."""
        if self.map_index < 0:
            return self.task_id
        return f"{self.task_id} [{self.rendered_map_index or self.map_index}]"


class _User(Record):
    id: str
    name: str


class AssetEvent(Record):
    """News of an asset: for a dataset, `extra` describes the snapshot."""

    id: int
    asset_id: int
    name: str | None = None
    uri: str | None = None
    extra: dict[str, Any] | None = None
    source_dag_id: str | None = None
    source_run_id: str | None = None
    source_task_id: str | None = None
    timestamp: datetime
    created_dagruns: list[RunReference] = Field(default_factory=list)


class ApprovalRequest(Record):
    """A question to a person, and the answer once there is one."""

    subject: str
    body: str | None = None
    options: list[str]
    defaults: list[str] | None = None
    assigned_users: list[_User] = Field(default_factory=list)
    responded_by_user: _User | None = None
    chosen_options: list[str] | None = None
    response_received: bool = False


class _DagReference(Record):
    dag_id: str


class AssetDetails(Record):
    """An asset, who produces it and whom it starts."""

    id: int
    name: str
    uri: str
    scheduled_dags: list[_DagReference] = Field(default_factory=list)
    producing_tasks: list[_DagReference] = Field(default_factory=list)
    consuming_tasks: list[_DagReference] = Field(default_factory=list)

    @property
    def consumers(self) -> frozenset[str]:
        """The ids of the DAGs that it starts."""
        return frozenset(reference.dag_id for reference in self.scheduled_dags)

    @property
    def producers(self) -> frozenset[str]:
        """The ids of the DAGs that publish it."""
        return frozenset(reference.dag_id for reference in self.producing_tasks)

    @property
    def readers(self) -> frozenset[str]:
        """The ids of the DAGs that read it, whatever starts them."""
        return frozenset(reference.dag_id for reference in self.consuming_tasks)
