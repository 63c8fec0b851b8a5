"""A DAG as a frozen value, and what it is made of; `as_data` is the last step, to dag-factory's format."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from types import NoneType
from typing import Any, NamedTuple

from factory.base.section import DATA_FOLDERS
from factory.lake.verification import Verify

Document = dict[str, Any]
"""A DAG in dag-factory's YAML format, as plain data."""

SHARED = "shared"
"""The key of `default_args` with what all tasks of a DAG of ours have in common."""


class TaskType(NamedTuple):
    """How dag-factory makes a task."""

    key: str
    """`operator` or `decorator`."""
    path: str
    """The dotted path of what makes it."""


STEP = TaskType("operator", "factory.airflow.operators.StepOperator")
TRACKED = TaskType("operator", "factory.airflow.operators.TrackedStepOperator")
APPROVAL = TaskType("operator", "factory.airflow.approval.ApprovalStepOperator")
TRAINING_JOB = TaskType("operator", "factory.airflow.operators.TrainingJobOperator")
PUBLISH = TaskType("operator", "factory.airflow.operators.PublishStepOperator")
WAIT = TaskType("operator", "factory.airflow.operators.WaitStepOperator")
SETUP = TaskType("decorator", "factory.airflow.decorators.setup")
TEARDOWN = TaskType("decorator", "factory.airflow.decorators.teardown")
BRANCH = TaskType("operator", "factory.airflow.operators.BranchStepOperator")
SHORT_CIRCUIT = TaskType("operator", "factory.airflow.operators.ShortCircuitStepOperator")

_FUNCTIONS = "factory.airflow.tasks"
_ON_FAILURE = "factory.airflow.run_failures.run_failed"


@dataclass(frozen=True)
class PythonObject:
    """An object that dag-factory makes of `__type__`, a class or function, and its arguments."""

    type: str
    args: tuple[Any, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_data(self) -> Document:
        """As dag-factory reads it."""
        args = {"__args__": as_data(self.args)} if self.args else {}
        return {"__type__": self.type, **args, **as_data(self.arguments)}


@dataclass(frozen=True)
class Asset:
    """An Airflow asset."""

    name: str
    uri: str
    group: str

    def as_data(self) -> Document:
        """As dag-factory reads it."""
        return {
            "__type__": "airflow.sdk.Asset",
            "name": self.name,
            "uri": self.uri,
            "group": self.group,
        }


@dataclass(frozen=True)
class Task:
    """A task that calls the function `factory.airflow.tasks.<call>` after the tasks it names."""

    name: str
    call: str | None
    """None for an operator that does something by itself."""
    after: tuple[str, ...] = ()
    type: TaskType = STEP
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the function gets, beside the facts that all tasks of the DAG share."""
    inlets: tuple[Asset, ...] = ()
    outlets: tuple[Asset, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the operator takes beside these, such as `trigger_rule`."""
    over: str | None = None
    """The task that returns a list of arguments, each of which this one is called with once; None for one call."""

    def as_data(self) -> Document:
        """As dag-factory reads it, without the keys that have nothing to say."""
        mapped = {} if self.over is None else {"op_kwargs": f"{self.over}.output"}
        return {
            self.type.key: self.type.path,
            **({"python_callable": f"{_FUNCTIONS}.{self.call}"} if self.call else {}),
            **_given(
                op_kwargs=self.arguments,
                expand=mapped,
                dependencies=self.after,
                inlets=self.inlets,
                outlets=self.outlets,
            ),
            **as_data(self.options),
        }


Tasks = tuple[Task, ...]
"""The tasks of a DAG, in the order in which they are read."""


@dataclass(frozen=True)
class OwnTask:
    """A task that a team has written itself, in dag-factory's format."""

    name: str
    written: Mapping[str, Any]
    after: tuple[str, ...] = ()
    """Tasks of the factory that it comes after, beside those that it names itself."""

    def as_data(self) -> Document:
        """What is written, with those tasks among its dependencies."""
        own = self.written.get("dependencies", ())
        return {**self.written, **_given(dependencies=(*self.after, *own))}


def following(task: Task, *after: str) -> Task:
    """The task, after these too."""
    return replace(task, after=(*task.after, *after))


@dataclass(frozen=True)
class Shared:
    """Facts that every task of a DAG may ask for; a document's `default_args` hold them as `shared`.

    Sections are plain data, without what has its default. Their templates are rendered by the task
    that asks for them, and not stored with it, as an operator's own arguments are.
    """

    storage: str
    """The lake's address."""
    workspace: str
    """The folder below which each run has a scratch folder."""
    storage_connection: str | None = None
    """The Airflow connection by which tasks reach storage; None where it needs none."""
    data_folders: tuple[str, ...] = DATA_FOLDERS
    """The folders of the project below which sources may read files."""
    internal_hosts: tuple[str, ...] = ()
    """Servers of the worker's own network that sources may ask, and notifiers tell."""
    verify: Verify = "sample"
    """How the files of snapshots are looked at before they are read."""
    dataset: str | None = None
    """The dataset that the DAG publishes, `team.dataset`."""
    model: str | None = None
    """The model that the DAG is about, `team.model`."""
    reads: tuple[str, ...] = ()
    """The datasets that `inputs` chooses snapshots of, by full name."""
    columns: Mapping[str, str] | None = None
    """The promised columns of the dataset, name to type."""
    write: Mapping[str, Any] | None = None
    """How the dataset's new rows meet the published ones: its section `write`."""
    section: Mapping[str, Any] | None = None
    """The model's section, with the text of SQL files in place of their paths."""
    monitor: Mapping[str, Any] | None = None
    """The model's section `monitor`."""
    watched: Mapping[str, Any] | None = None
    """The datasets that a monitor looks at: see `factory.monitoring.window_rows.MonitoredData`."""
    deploy: Mapping[str, Any] | None = None
    """The model's section `deploy`."""
    price: float | None = None
    """USD an hour of the machine that trials are trained on, if it is known."""

    def as_data(self) -> Document:
        """The facts that there are."""
        found = ((one, getattr(self, one.name)) for one in fields(self))
        return {one.name: as_data(value) for one, value in found if value != one.default}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Shared":
        """The facts that `as_data` wrote."""
        lists = {
            name: tuple(data[name])
            for name in ("reads", "data_folders", "internal_hosts")
            if name in data
        }
        return cls(**{**data, **lists})


@dataclass(frozen=True)
class Dag:
    """A DAG of a dataset or model."""

    description: str
    doc: str
    """Its page in Airflow, in Markdown."""
    schedule: str | tuple[Asset, ...] | PythonObject | None
    start_date: date
    tags: tuple[str, ...]
    default_args: Mapping[str, Any]
    """What all its tasks have in common, as Airflow's operators know it."""
    shared: Shared
    """What all its tasks have in common, as our operators know it."""
    on_failure: tuple[Mapping[str, Any], ...]
    """The notifiers that are told when a run fails."""
    params: Mapping[str, PythonObject]
    tasks: tuple[Task | OwnTask, ...]
    timezone: str = "UTC"
    """Of its schedule, and of the dates of its runs."""

    def as_data(self) -> Document:
        """As dag-factory reads it."""
        return {
            "description": self.description,
            "doc_md": self.doc,
            "schedule": as_data(self.schedule),
            "start_date": self.start_date.isoformat(),
            # dag-factory takes the start to be in it, and Airflow the schedule as the start.
            **({"timezone": self.timezone} if self.timezone != "UTC" else {}),
            "catchup": False,
            # Two runs of one DAG would publish or register side by side: the second waits.
            "max_active_runs": 1,
            "tags": sorted(self.tags),
            "default_args": {**as_data(self.default_args), SHARED: self.shared.as_data()},
            **_on_failure(self.on_failure, self.shared.internal_hosts),
            **_given(params=self.params),
            "tasks": {task.name: task.as_data() for task in self.tasks},
        }


@dataclass(frozen=True)
class OwnDag:
    """A DAG that a team has written itself, in dag-factory's format."""

    written: Mapping[str, Any]
    team: str
    owner: str
    on_failure: tuple[Mapping[str, Any], ...]
    """The notifiers that are told when a run fails, unless the DAG says otherwise."""
    internal_hosts: tuple[str, ...] = ()
    """Servers of the worker's own network that notifiers may tell."""

    def as_data(self) -> Document:
        """What is written, with the team's tag and owner."""
        return {
            **_on_failure(self.on_failure, self.internal_hosts),
            **self.written,
            "tags": sorted({self.team, *self.written.get("tags", ())}),
            "default_args": {"owner": self.owner, **self.written.get("default_args", {})},
        }


def _on_failure(
    notifiers: tuple[Mapping[str, Any], ...], internal_hosts: tuple[str, ...]
) -> Document:
    if not notifiers:
        return {}
    callback = {"callback": _ON_FAILURE, "targets": as_data(notifiers)}
    return {"on_failure_callback": {**callback, **_given(internal_hosts=internal_hosts)}}


_PLAIN = frozenset((str, int, bool, float, NoneType))


def as_data(value: Any) -> Any:
    """A value of a document as plain data."""
    if type(value) in _PLAIN:
        return value
    match value:
        case PythonObject() | Asset():
            return value.as_data()
        case timedelta():
            seconds = int(value.total_seconds())
            return {"__type__": "datetime.timedelta", "seconds": seconds}
        # Not `Mapping` and `Sequence`, for which Python asks all of their subclasses when a task starts.
        case dict():
            return {key: as_data(one) for key, one in value.items()}
        case list() | tuple():
            return [as_data(one) for one in value]
        case _:
            return value


def _given(**keys: Any) -> Document:
    """The keys whose value is not empty."""
    return {key: as_data(value) for key, value in keys.items() if value}
