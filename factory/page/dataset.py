"""One dataset: its newest snapshot, some rows, its versions, and who reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from factory.base.texts import did_you_mean, shown
from factory.catalog.graph import Graph
from factory.catalog.published import published
from factory.documents.compile import producer_id
from factory.lake.snapshot import LakeError, NoSnapshotError, Snapshot
from factory.page.visit import NotThereError, Visit
from factory.provenance.snapshot import SnapshotOrigin, snapshot_origin
from factory.status.gathering import DatasetStatus, gather

if TYPE_CHECKING:
    from factory.lake.table import Lake

_ROWS = 10
_VERSIONS = 20
_LONGEST = 80
_LONGEST_NUMBER = 19


@dataclass(frozen=True)
class Sample:
    """A few rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class DatasetPage:
    """What the page of a dataset shows."""

    status: DatasetStatus
    description: str
    owner: str
    made_of: Sequence[str]
    readers: Sequence[tuple[str, str]]
    """By full name: `dataset` or `model`, in that order."""
    may_edit: bool
    may_run: bool
    origin: SnapshotOrigin | None = None
    versions: Sequence[Snapshot] = ()
    sample: Sample = field(default_factory=lambda: Sample((), ()))
    problem: str = ""


def dataset_page(visit: Visit, asked: Mapping[str, str]) -> DatasetPage:
    """See `DatasetPage`.

    Raises:
        NotThereError: There is no such dataset or version, or this person may not see its DAG.
    """
    name = asked["name"]
    project = visit.project()
    team, _, own = name.partition(".")
    file = project.catalog.teams.get(team)
    known = {f"{team}.{one.name}": one for one in published(file)} if file else {}
    if file is None or name not in known:
        raise NotThereError(f"there is no dataset {name!r}. {did_you_mean(name, known) or ''}")
    dag_id = producer_id(file.team, own)
    if not visit.may(dag_id, "read"):
        raise NotThereError(f"there is no dataset {name!r} that you may see")
    graph = Graph.of(project.catalog)
    section = file.team.datasets.get(own)
    with visit.lake(project, team) as lake:
        status = gather(
            project, [team], lake=lake, tracking=visit.tracking(), airflow=visit.airflow
        )
        page: dict[str, Any] = {
            "status": next(one for one in status.datasets if one.name == name),
            "description": section.description if section else "",
            "owner": file.team.owner,
            "made_of": [read for read, made in graph.edges if made == name],
            "readers": [(one, graph.nodes[one]) for one in graph.below(name)],
            "may_edit": visit.may(dag_id, "edit"),
            "may_run": visit.may(dag_id, "run"),
        }
        try:
            origin = snapshot_origin(name, _version(asked), lake=lake)
            page |= {
                "origin": origin,
                "versions": lake.history(name)[:_VERSIONS],
                "sample": _sample(lake, name, origin.version),
            }
        except NoSnapshotError as error:
            if asked.get("version"):
                raise NotThereError(str(error)) from None
        except LakeError as error:
            page["problem"] = str(error)
    return DatasetPage(**page)


def _version(asked: Mapping[str, str]) -> int | None:
    """The version that is asked for; None for the newest.

    Raises:
        NotThereError: It is no number.
    """
    written = asked.get("version")
    if not written:
        return None
    if not (written.isascii() and written.isdecimal() and len(written) < _LONGEST_NUMBER):
        raise NotThereError(f"{shown(written)!r} is no version of a dataset")
    return int(written)


def _sample(lake: "Lake", name: str, version: int) -> Sample:
    table = lake.scan(name, version).head(_ROWS)
    columns = table.column_names
    rows = [[_cell(value) for value in row.values()] for row in table.to_pylist()]
    return Sample(columns, rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return shown(value, _LONGEST)
