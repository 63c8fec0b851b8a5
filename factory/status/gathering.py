"""How the datasets and models of teams stand: gathered here, and shown by whoever asks."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field

from factory.base.errors import FactoryError
from factory.base.values import Result
from factory.catalog.project import Project
from factory.catalog.published import published
from factory.documents.compile import producer_id
from factory.documents.training import training_id
from factory.models.entity_names import is_model_of_entity
from factory.status.airflow_facts import Airflow, ApprovalFacts, DagFacts, RunFacts
from factory.team.reader import TeamFile

if TYPE_CHECKING:
    from factory.lake.table import Lake
    from factory.models.registry import Version
    from factory.models.tracking import Tracking
    from factory.monitoring.history import MeasuredWindow


class DatasetStatus(Result):
    """A dataset, or the predictions of a model."""

    name: str
    """The full name, `team.dataset`."""
    dag_id: str
    version: int | None = None
    """The newest snapshot; None where nothing has been published yet."""
    rows: int | None = None
    published_at: datetime | None = None
    is_paused: bool | None = None
    """None where Airflow does not know the DAG, or there is no Airflow to ask."""
    last_run: RunFacts | None = None
    problem: str = ""
    """Why the newest snapshot cannot be told."""


class ModelStatus(Result):
    """A model."""

    name: str
    """The full name, `team.model`."""
    dag_id: str
    champion: int | None = None
    newest: int | None = None
    """The newest version, in production or not."""
    newest_at: datetime | None = None
    """When it was registered."""
    entities: int | None = None
    """How many entities have a champion of their own; `champion` is the fallback's then. None where there is one model."""
    metric: str = ""
    """The one that decides, on the champion's test rows."""
    score: float | None = None
    drift: str = ""
    """What the last monitoring of the champion came to: `none`, `found`, `too few rows`; empty where there was none."""
    findings: str = ""
    """What has drifted; of a model with entities, for which of them."""
    approval: ApprovalFacts | None = None
    """The question that waits for an answer."""
    is_paused: bool | None = None
    last_run: RunFacts | None = None
    problem: str = ""
    """Why its versions cannot be told."""


class Status(Result):
    """How teams stand."""

    datasets: tuple[DatasetStatus, ...]
    models: tuple[ModelStatus, ...]
    problems: dict[str, int] = Field(default_factory=dict)
    """The problems of each team's file that has some."""
    airflow: str | None
    """Where Airflow answers; None where nobody could be asked about runs."""


@dataclass(frozen=True)
class _Runs:
    """What Airflow says of the DAGs that are asked about; nothing where there is none."""

    dags: Mapping[str, DagFacts] = field(default_factory=dict)
    last: Mapping[str, RunFacts] = field(default_factory=dict)
    approvals: Mapping[str, ApprovalFacts] = field(default_factory=dict)

    @classmethod
    def of(cls, airflow: Airflow | None, dag_ids: Collection[str]) -> "_Runs":
        if airflow is None:
            return cls()
        return cls(
            airflow.dags(),
            airflow.last_runs(dag_ids),
            {one.dag_id: one for one in airflow.approvals()},
        )

    def is_paused(self, dag_id: str) -> bool | None:
        return self.dags[dag_id].is_paused if dag_id in self.dags else None


def gather(
    project: Project,
    teams: Collection[str] = (),
    *,
    lake: "Lake",
    tracking: "Tracking",
    airflow: Airflow | None,
) -> Status:
    """How teams stand.

    What cannot be told of one dataset or model is said there, and the rest is told.

    Args:
        project: The team files.
        teams: Those that are meant; all, if none is named.
        lake: Where the snapshots lie.
        tracking: The MLflow server.
        airflow: Whom to ask about runs; None where nobody answers.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    files = [
        file for name, file in sorted(project.catalog.teams.items()) if not teams or name in teams
    ]
    datasets = [(file, one.name) for file in files for one in published(file)]
    models = [(file, name) for file in files for name in file.team.models]
    dag_ids = {producer_id(file.team, name) for file, name in datasets}
    dag_ids |= {training_id(file.name, name) for file, name in models}
    runs = _Runs.of(airflow, dag_ids)
    champions = _champions(tracking) if models else {}
    counts = Counter(problem.file.stem for problem in project.problems)
    return Status(
        datasets=tuple(_dataset(file, name, lake, runs) for file, name in datasets),
        models=tuple(_model(file, name, champions, tracking, runs) for file, name in models),
        problems={
            team: count for team, count in sorted(counts.items()) if not teams or team in teams
        },
        airflow=None if airflow is None else airflow.address,
    )


def _dataset(file: TeamFile, name: str, lake: "Lake", runs: _Runs) -> DatasetStatus:
    from factory.lake.snapshot import NoSnapshotError

    full_name, dag_id = f"{file.name}.{name}", producer_id(file.team, name)
    found = DatasetStatus(
        name=full_name,
        dag_id=dag_id,
        is_paused=runs.is_paused(dag_id),
        last_run=runs.last.get(dag_id),
    )
    try:
        newest = lake.newest(full_name)
    except NoSnapshotError:
        return found
    except FactoryError as error:
        return found.model_copy(update={"problem": str(error)})
    snapshot = {
        "version": newest.version,
        "rows": newest.rows,
        "published_at": datetime.fromisoformat(newest.published_at),
    }
    return found.model_copy(update=snapshot)


@dataclass(frozen=True)
class _Registered:
    """A registered model: the numbers of the version in production and of the newest one."""

    champion: int | None
    newest: int | None
    newest_at: datetime | None


def _champions(tracking: "Tracking") -> dict[str, _Registered]:
    """All registered models, by few questions however many there are."""
    from datetime import UTC

    from factory.models.registry import CHAMPION

    found: dict[str, _Registered] = {}
    token: str | None = None
    while True:
        with tracking.asked() as client:
            page = client.search_registered_models(max_results=1000, page_token=token)
        for model in page:
            versions = {int(one.version): one for one in model.latest_versions or ()}
            newest = versions[max(versions)] if versions else None
            champion = model.aliases.get(CHAMPION)
            found[model.name] = _Registered(
                None if champion is None else int(champion),
                None if newest is None else int(newest.version),
                None
                if newest is None
                else datetime.fromtimestamp(newest.creation_timestamp / 1000, UTC),
            )
        if not (token := page.token):
            return found


def _model(
    file: TeamFile,
    name: str,
    registered: Mapping[str, _Registered],
    tracking: "Tracking",
    runs: _Runs,
) -> ModelStatus:
    full_name, dag_id = f"{file.name}.{name}", training_id(file.name, name)
    found = ModelStatus(
        name=full_name,
        dag_id=dag_id,
        approval=runs.approvals.get(dag_id),
        is_paused=runs.is_paused(dag_id),
        last_run=runs.last.get(dag_id),
    )
    section = file.team.models[name]
    known = registered.get(full_name, _Registered(None, None, None))
    versions: dict[str, object] = {
        "newest": known.newest,
        "newest_at": known.newest_at,
        "champion": known.champion,
    }
    has_entities, is_watched = section.entities is not None, section.monitor is not None
    try:
        if has_entities:
            versions |= _of_entities(full_name, known, registered, tracking, is_watched=is_watched)
        if known.champion is not None:
            versions |= _of_champion(
                full_name, tracking, is_watched=is_watched and not has_entities
            )
    except FactoryError as error:
        versions["problem"] = str(error)
    return found.model_copy(update=versions)


def _of_entities(
    model: str,
    known: _Registered,
    registered: Mapping[str, _Registered],
    tracking: "Tracking",
    *,
    is_watched: bool,
) -> dict[str, object]:
    """How many entities have a champion, when the newest version of any came, and their last window."""
    own = [one for name, one in registered.items() if is_model_of_entity(name, model)]
    newest = [one.newest_at for one in (known, *own) if one.newest_at is not None]
    facts: dict[str, object] = {
        "entities": sum(one.champion is not None for one in own),
        "newest_at": max(newest, default=None),
    }
    if is_watched and own:
        from factory.monitoring.entity_history import recent_entity_windows

        facts |= _drift(recent_entity_windows(model, 1, tracking=tracking))
    return facts


def _drift(windows: "Sequence[MeasuredWindow]") -> dict[str, object]:
    """What the last window has come to."""
    for window in windows:
        verdict = "found" if window.breached else "none"
        drift = verdict if window.counts else "too few rows"
        return {"drift": drift, "findings": window.findings}
    return {}


def _of_champion(model: str, tracking: "Tracking", *, is_watched: bool) -> dict[str, object]:
    from factory.models import registry

    champion = registry.champion(model, tracking=tracking)
    if champion is None:
        return {}
    metric, score = objective_score(champion)
    facts: dict[str, object] = {"metric": metric, "score": score}
    if is_watched:
        from factory.monitoring.history import recent

        facts |= _drift(recent(model, champion.number, 1, tracking=tracking))
    return facts


def objective_score(version: "Version") -> tuple[str, float | None]:
    """The objective's metric on the test rows where the gate has said which that is, else the first one."""
    scores = {
        name.removeprefix("test_"): score
        for name, score in version.record.metrics.items()
        if name.startswith("test_")
    }
    objective = version.tags.get("gate_metric", "").rpartition(" ")[2].removeprefix("test_")
    names: Iterator[str] = iter(sorted(scores, key=lambda name: (name != objective, name)))
    name = next(names, "")
    return name, scores.get(name)
