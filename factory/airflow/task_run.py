"""What a task's function works with: the facts of its DAG's document and of its run."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from factory.base.errors import TerminalError
from factory.base.workspace import workspace_path
from factory.documents.dag import Shared
from factory.team.environment import active_environment, configs_folder, project_folder

SectionType = TypeVar("SectionType")

if TYPE_CHECKING:
    from factory.data.folders import DataFolders
    from factory.deploy.targets.target import Target
    from factory.lake.snapshot import Snapshot
    from factory.lake.table import Lake
    from factory.lake.write import Write
    from factory.models.origin import StartEvent
    from factory.models.training_run import TrainingRun
    from factory.monitoring.sections import Monitor
    from factory.training.model import Model

# Airflow's names for what starts a run, in the words that a person uses.
_WORDS = {"asset_triggered": "asset", "scheduled": "schedule", "backfill": "backfill"}


class TaskRun:
    """One run of one task: what its document says once, its run's folder, what tasks before it returned.

    The operators of steps hand it to functions with a parameter `run`. Everything is read when it is
    first asked for, and once.
    """

    def __init__(self, shared: Mapping[str, Any], task: Any, context: Any) -> None:
        self.shared = Shared.from_data(shared)
        """The facts as the document has them, templates and all."""
        self.ti: Any = context["ti"]
        """Airflow's task instance."""
        self.params: Mapping[str, Any] = context["params"]
        """The run's params, as given when it was triggered, else as the DAG has them."""
        self._task = task
        self._context = context
        self._results: dict[tuple[str, str], Any] = {}

    @cached_property
    def lake(self) -> "Lake":
        """The lake, which looks at snapshots as the document says."""
        from factory.lake.table import Lake

        return Lake(self.shared.storage, verify=self.shared.verify)

    @cached_property
    def folder(self) -> Path:
        """The scratch folder that all tasks of this run share."""
        return workspace_path(Path(self.shared.workspace), self.ti.dag_id, self.ti.run_id)

    @cached_property
    def project(self) -> Path:
        """The project's folder, found from the DAG file: DAG bundles move both."""
        return project_folder(Path(self._context["dag"].fileloc))

    @cached_property
    def data_folders(self) -> "DataFolders":
        """Where the team's sources may read files."""
        from factory.data.folders import DataFolders

        shared = self.shared
        return DataFolders.of(
            self.project, shared.data_folders, lake=shared.storage, workspace=shared.workspace
        )

    @property
    def dataset(self) -> str:
        """The dataset that the DAG publishes, `team.dataset`."""
        return str(self._fact("dataset"))

    def readers(self) -> tuple[str, ...]:
        """The datasets and models, of all teams, that read the dataset; reads every team's file."""
        from factory.catalog import readers_of

        configs = configs_folder(Path(self._context["dag"].fileloc))
        return readers_of(configs, self.dataset, active_environment())

    @property
    def model_name(self) -> str:
        """The model that the DAG is about, `team.model`."""
        return str(self._fact("model"))

    @property
    def team(self) -> str:
        """The team whose DAG it is."""
        return str(self.ti.dag_id).partition(".")[0]

    @cached_property
    def model(self) -> "Model":
        """The model's section."""
        from factory.training.model import Model

        return self._read(Model, "section")

    @cached_property
    def write(self) -> "Write":
        """How the dataset's new rows meet the published ones; a full refresh replaces these."""
        from factory.lake.write import Write

        written = self._read(Write, "write")
        return written.refreshed() if self.is_full_refresh else written

    @property
    def is_full_refresh(self) -> bool:
        """Whether all of an incremental dataset's source is read, and replaces what is published."""
        return bool(self.params.get("full_refresh"))

    @cached_property
    def monitor(self) -> "Monitor":
        """The model's section `monitor`."""
        from factory.monitoring.sections import Monitor

        return self._read(Monitor, "monitor")

    @cached_property
    def deploy(self) -> "Target":
        """The model's section `deploy`."""
        from factory.deploy.targets.target import AnyTarget

        union: Any = AnyTarget
        target: Target = self._read(union, "deploy")
        return target

    @property
    def page(self) -> str:
        """Airflow's page of the run."""
        from factory.airflow.pages import run_url

        return run_url(self.ti.dag_id, self.ti.run_id)

    def link(self, url: str) -> None:
        """Let the button on the task's page lead to a page in MLflow; see `TrackedStepOperator`."""
        self._task.mlflow_page = url

    def link_snapshot(self, version: int) -> None:
        """Let the button lead to the page of a snapshot of the dataset; see `PublishStepOperator`."""
        from factory.airflow.pages import snapshot_url

        self._task.snapshot_page = snapshot_url(self.dataset, version)

    def result(self, task_id: str, key: str = "return_value") -> Any:
        """What another task of this run has returned, or pushed by a key; None if nothing."""
        if (task_id, key) not in self._results:
            self._results[task_id, key] = self.ti.xcom_pull(task_ids=task_id, key=key)
        return self._results[task_id, key]

    @cached_property
    def snapshots(self) -> "dict[str, Snapshot]":
        """The snapshots that `inputs` decided on, by dataset; none where the DAG has no such task."""
        from factory.lake.snapshot import Snapshot

        found = self.result("inputs") or {"snapshots": {}}
        return {name: Snapshot.from_event(event) for name, event in found["snapshots"].items()}

    @property
    def versions(self) -> dict[str, int]:
        """The versions that `inputs` decided on, by dataset."""
        return {name: snapshot.version for name, snapshot in self.snapshots.items()}

    @property
    def references(self) -> list[dict[str, Any]]:
        """What lineage needs to know of the snapshots that `inputs` decided on."""
        return [reference(snapshot.as_event()) for snapshot in self.snapshots.values()]

    @property
    def trigger(self) -> str:
        """What started the run: `drift`, `asset`, `schedule`, `backfill` or `manual`."""
        return trigger_of(self.model_name, self._context["dag_run"])

    @property
    def why(self) -> str:
        """Why the run started, with what its events say, as a person wants to read it."""
        return why(self.model_name, self._context["dag_run"])

    @property
    def events(self) -> "list[StartEvent]":
        """The events of datasets, or the person, that started the run; none where its time had come."""
        return events_of(self._context["dag_run"])

    @cached_property
    def training_run(self) -> "TrainingRun":
        """Which training run this is, as MLflow knows it."""
        from factory.models.training_run import TrainingRun

        return TrainingRun(
            model=self.model_name,
            dag_id=self.ti.dag_id,
            run_id=self.ti.run_id,
            config_hash=self.model.config_hash,
            trigger=self.trigger,
            snapshots=self.versions,
            at=self._context["dag_run"].run_after,
            page=self.page,
        )

    def _read(self, kind: type[SectionType], name: str) -> SectionType:
        """A section that tasks share: its templates rendered, and validated."""
        rendered = self._task.render_template(self._fact(name), self._context)
        return TypeAdapter(kind).validate_python(rendered)

    def _fact(self, name: str) -> Any:
        found = getattr(self.shared, name)
        if found is None:
            raise TerminalError(f"the document of {self.ti.dag_id} has no `{name}` in `shared`")
        return found


def reference(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What lineage needs to know of a snapshot."""
    return {key: snapshot[key] for key in ("dataset", "uri", "version")}


def trigger_of(model: str, dag_run: Any) -> str:
    """`drift`, `asset`, `schedule`, `backfill` or `manual`; drift wins over other news.

    Args:
        model: The full name, `team.model`, whose drift asset counts.
        dag_run: The run, as Airflow's context has it.
    """
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    word = _WORDS.get(kind, "manual")
    if word != "asset":
        return word
    started_by = {event.asset.name for event in dag_run.consumed_asset_events}
    return "drift" if f"{model}.drift" in started_by else word


def why(model: str, dag_run: Any) -> str:
    """Why the run started, with what its events say, as a person wants to read it.

    Args:
        model: The full name, `team.model`, whose drift asset counts.
        dag_run: The run, as Airflow's context has it.
    """
    word = trigger_of(model, dag_run)
    if word == "schedule":
        return "Its time had come."
    if word in ("manual", "backfill"):
        return "It was started by hand." if word == "manual" else "It is part of a backfill."
    events = [(event.asset.name, event.extra or {}) for event in dag_run.consumed_asset_events]
    lines = [_reason(name, extra) for name, extra in events]
    return "\n".join(f"* {line}" for line in dict.fromkeys(lines))


def events_of(dag_run: Any) -> "list[StartEvent]":
    """What started a run, the oldest first.

    Args:
        dag_run: The run, as Airflow's context has it.
    """
    from factory.models.origin import StartEvent

    consumed = [
        StartEvent(
            asset=event.asset.name,
            at=event.timestamp,
            dag_id=event.source_dag_id or "",
            run_id=event.source_run_id or "",
            says=_reason(event.asset.name, event.extra or {}),
        )
        for event in dag_run.consumed_asset_events
    ]
    if user := getattr(dag_run, "triggering_user_name", None):
        consumed.append(StartEvent(at=dag_run.run_after, says=_starter(user)))
    return sorted(consumed, key=lambda event: event.at)


_OF_DAG_TEST = "dag_test"
"""What Airflow calls the user of `dag.test()`."""


def _starter(user: str) -> str:
    return f"Started by {'`factory run`' if user == _OF_DAG_TEST else user}"


def _reason(name: str, extra: dict[str, Any]) -> str:
    if name.endswith(".drift"):
        link = f" ([report]({extra['report']}))" if extra.get("report") else ""
        return f"Drift: {extra.get('why', 'of which the event says nothing')}{link}"
    version = f" version {extra['version']}" if "version" in extra else ""
    rows = f", {extra['rows']:,} rows" if isinstance(extra.get("rows"), int) else ""
    return f"New data: {name}{version}{rows}"
