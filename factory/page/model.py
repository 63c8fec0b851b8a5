"""One model: its versions and champions, what it is made of, how it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.base.texts import did_you_mean
from factory.catalog.graph import Graph
from factory.documents.compile import dag_ids
from factory.documents.training import training_id
from factory.models.mlflow_pages import version_page
from factory.page.visit import NotThereError, Visit
from factory.status.gathering import ModelStatus, gather, objective_score
from factory.training.model import Model

if TYPE_CHECKING:
    from factory.models.champion_history import HistoryEntry
    from factory.models.registry import Version
    from factory.models.sweep_times import SweepTimes
    from factory.models.tracking import Tracking
    from factory.monitoring.history import MeasuredWindow

_WINDOWS = 30
_ENTITIES = 100
_WIDE, _HIGH, _EDGE = 480, 120, 10


@dataclass(frozen=True)
class VersionRow:
    """One version."""

    version: "Version"
    metric: str
    score: float | None
    page: str
    """Where MLflow shows it."""


@dataclass(frozen=True)
class ModelPage:
    """What the page of a model shows."""

    status: ModelStatus
    description: str
    owner: str
    task: str
    dags: Sequence[str]
    """The ids of its DAGs that this person may see: of its training first."""
    made_of: Sequence[str]
    read_by: Sequence[tuple[str, str]]
    """By full name: `dataset` or `model`."""
    sweep: "SweepTimes | None"
    """What the last sweep took."""
    versions: Sequence[VersionRow]
    history: "Sequence[HistoryEntry]"
    windows: "Sequence[MeasuredWindow]"
    entity_column: str | None
    """The column of which each value has a model of its own; None where there is one model for all rows."""
    entities: Sequence[VersionRow]
    """The champions of entities, the worst first; as many as a page holds."""
    may_edit: bool
    may_run: bool

    @property
    def line(self) -> str:
        """The scores of all versions, the oldest first, as the points of a drawn line; empty for less than two."""
        scores = [row.score for row in reversed(self.versions) if row.score is not None]
        if len(scores) < 2:
            return ""
        low, high = min(scores), max(scores)
        step = (_WIDE - 2 * _EDGE) / (len(scores) - 1)
        span = (high - low) or 1.0
        return " ".join(
            f"{_EDGE + number * step:.1f},{_HIGH - _EDGE - (score - low) / span * (_HIGH - 2 * _EDGE):.1f}"
            for number, score in enumerate(scores)
        )

    @property
    def size(self) -> tuple[int, int]:
        """The width and the height that the line is drawn in."""
        return _WIDE, _HIGH

    @property
    def metric(self) -> str:
        """The metric of the scores."""
        return next((row.metric for row in self.versions if row.metric), "")


def model_page(visit: Visit, asked: Mapping[str, str]) -> ModelPage:
    """See `ModelPage`.

    Raises:
        NotThereError: There is no such model, or this person may not see its DAG.
    """
    name = asked["name"]
    project = visit.project()
    team, _, own = name.partition(".")
    file = project.catalog.teams.get(team)
    known = [f"{team}.{model}" for model in file.team.models] if file else []
    if file is None or name not in known:
        raise NotThereError(f"there is no model {name!r}. {did_you_mean(name, known) or ''}")
    dag_id = training_id(team, own)
    if not visit.may(dag_id, "read"):
        raise NotThereError(f"there is no model {name!r} that you may see")
    tracking = visit.tracking()
    with visit.lake(project, team) as lake:
        status = gather(project, [team], lake=lake, tracking=tracking, airflow=visit.airflow)
    found = next(one for one in status.models if one.name == name)
    graph = Graph.of(project.catalog)
    section = file.team.models[own]
    return ModelPage(
        status=found,
        description=section.description,
        owner=file.team.owner,
        task=section.task,
        dags=[
            one
            for one in dag_ids(file.team)
            if one.startswith(f"{name}.") and visit.may(one, "read")
        ],
        made_of=[read for read, made in graph.edges if made == name],
        read_by=[(one, graph.nodes[one]) for one in graph.below(name)],
        sweep=_sweep(name, tracking) if found.newest is not None else None,
        versions=_versions(name, tracking) if found.newest is not None else [],
        history=_history(name, tracking) if found.newest is not None else [],
        windows=_windows(found, section, tracking) if section.monitor else [],
        entity_column=section.entities.column if section.entities else None,
        entities=_entities(name, tracking) if found.entities else [],
        may_edit=visit.may(dag_id, "edit"),
        may_run=visit.may(dag_id, "run"),
    )


def _sweep(name: str, tracking: "Tracking") -> "SweepTimes | None":
    from factory.models.sweep_times import last_sweep

    return last_sweep(name, tracking)


def _versions(name: str, tracking: "Tracking") -> list[VersionRow]:
    from factory.models import registry

    return [_row(version, tracking) for version in registry.versions(name, tracking=tracking)]


def _row(version: "Version", tracking: "Tracking") -> VersionRow:
    page = version_page(tracking.uri, version.model, version.number)
    return VersionRow(version, *objective_score(version), page)


def _entities(name: str, tracking: "Tracking") -> list[VersionRow]:
    from factory.models.entity_models import champion_versions, worst_first

    champions = worst_first(champion_versions(name, tracking=tracking))
    return [_row(version, tracking) for version in champions[:_ENTITIES]]


def _history(name: str, tracking: "Tracking") -> "list[HistoryEntry]":
    from factory.models.champion_history import champion_history

    return list(reversed(champion_history(name, tracking=tracking).entries))


def _windows(status: ModelStatus, section: Model, tracking: "Tracking") -> "list[MeasuredWindow]":
    if section.entities is not None:
        from factory.monitoring.entity_history import recent_entity_windows

        # An experiment is made by the first training.
        return (
            recent_entity_windows(status.name, _WINDOWS, tracking=tracking)
            if status.entities
            else []
        )
    if status.champion is None:
        return []
    from factory.monitoring.history import recent

    return recent(status.name, status.champion, _WINDOWS, tracking=tracking)
