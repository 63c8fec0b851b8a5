"""The tasks of a dataset's DAG."""

import logging
import time
from dataclasses import asdict
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun, reference
from factory.airflow.tasks.inputs import inputs
from factory.base.errors import NothingToDoError, TerminalError

log = logging.getLogger(__name__)

__all__ = ["after_check", "check", "ingest", "inputs", "load", "publish", "transform", "wait"]


class NothingCameError(TerminalError):
    """A source had nothing to read, for as long as a run was to wait."""


def wait(
    *, run: TaskRun, source: dict[str, Any], incremental: dict[str, Any] | None = None
) -> None:
    """Leave the worker until the source has something to read.

    Args:
        run: The task's run.
        source: The section.
        incremental: The section `incremental`, if there is one: something new is waited for.

    Raises:
        TaskDeferred: There is nothing yet.
        NothingCameError: The time is over; with `soft_fail` it is a NothingToDoError.
    """
    from airflow.sdk.exceptions import TaskDeferred
    from pydantic import TypeAdapter

    from factory.airflow import connections
    from factory.airflow.source_trigger import SourceTrigger
    from factory.data.look import Look
    from factory.data.sources.source import AnySource, Source

    typed: Source = TypeAdapter(AnySource).validate_python(source)
    section, shared = typed.waiting(), run.shared
    assert section is not None  # noqa: S101 - as the document has it
    look = Look(
        source=source,
        incremental=incremental,
        merges=run.write.mode == "merge",
        dataset=run.dataset,
        run_id=run.ti.run_id,
        full_refresh=run.is_full_refresh,
        storage=shared.storage,
        project=str(run.project),
        data_folders=shared.data_folders,
        workspace=shared.workspace,
    )
    until = run.ti.task.until or time.time() + section.timeout
    missing = look.missing(connections)
    if not missing:
        return
    if time.time() >= until:
        words = f"{run.dataset}: nothing came within {section.timeout:,} seconds: {missing}"
        raise NothingToDoError(words) if section.soft_fail else NothingCameError(words)
    log.info("waiting, looking again every %d seconds: %s", section.poke_interval, missing)
    raise TaskDeferred(
        trigger=SourceTrigger(
            look=asdict(look),
            connection=shared.storage_connection,
            until=until,
            poke_interval=section.poke_interval,
        ),
        method_name="execute",
    )


def ingest(
    *,
    run: TaskRun,
    source: dict[str, Any],
    promised_types: bool = False,
    incremental: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Bring the source's rows into the workspace.

    Args:
        run: The task's run.
        source: The section.
        promised_types: Whether the promised columns' types help to read a text file.
        incremental: The section `incremental`; everything is read where there is none.
    """
    from pydantic import TypeAdapter

    from factory.airflow import connections
    from factory.data.incremental import Incremental, IncrementalRun
    from factory.data.sample import sample_rows
    from factory.data.sources.pinned import pinned_types, reading_of
    from factory.data.sources.source import AnySource, IngestContext, KnownTypes, Source

    typed: Source = TypeAdapter(AnySource).validate_python(source)
    may_widen = run.write.evolve == "widen"
    pinned = KnownTypes()
    if _is_bound(run) and not promised_types:
        pinned = pinned_types(run.lake, run.dataset, typed, may_widen=may_widen)
    context = IngestContext(
        folders=run.data_folders,
        workspace=run.folder,
        team=run.team,
        lake=run.lake,
        versions=run.versions,
        columns=(run.shared.columns or {}) if promised_types else {},
        pinned=pinned,
        internal_hosts=run.shared.internal_hosts,
        connections=connections,
        most_rows=sample_rows(run.shared.storage),
    )
    note = None
    if incremental is None:
        rows = typed.ingest(context)
    else:
        section = Incremental.model_validate(incremental)
        known = IncrementalRun(
            run.dataset, run.ti.run_id, run.write.mode == "merge", run.is_full_refresh
        )
        rows, note = section.ingest(typed, context, known)
    return {
        "rows": rows.as_json(),
        **({"incremental": str(note)} if note else {}),
        "reads": run.references if typed.references() else [],
        "reading": reading_of(typed, rows.columns) if typed.reads_texts else None,
        "source": _masked(typed.named()),
    }


def transform(*, run: TaskRun, transforms: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply the transforms, in order."""
    from pydantic import TypeAdapter

    from factory.airflow import connections
    from factory.data.rows import Rows
    from factory.data.transforms.run import transform as step
    from factory.data.transforms.transform import AnyTransform, Reach

    rows = step(
        TypeAdapter(tuple[AnyTransform, ...]).validate_python(transforms),
        Rows.from_json(run.result("ingest")["rows"]),
        workspace=run.folder,
        lake=run.lake,
        versions=run.versions,
        team=run.team,
        reach=Reach(run.data_folders, run.shared.internal_hosts, connections, run.dataset),
    )
    return {"rows": rows.as_json(), "reads": run.references}


def load(*, run: TaskRun, load: dict[str, Any]) -> dict[str, Any]:
    """Bring the rows into a table of a database; what it then holds is checked and published."""
    from factory.airflow import connections
    from factory.data.load import Load

    section = Load.model_validate(load)
    database = connections.database(section.connection).get_sqlalchemy_engine()
    try:
        file = run.folder / "loaded.parquet"
        with connections.unshown_queries(section.connection):
            return {"rows": section.run(_latest_rows(run), database, file).as_json()}
    finally:
        database.dispose()


def after_check(*, connection: str, statements: str) -> None:
    """Run a team's SQL statements once the rows have passed their checks."""
    from factory.airflow import connections

    connections.run_statements(connection, statements)


def check(*, run: TaskRun, checks: list[dict[str, Any]]) -> dict[str, Any]:
    """Check the rows as they would be published; a halting failure ends the run here."""
    from pydantic import TypeAdapter

    from factory.data.checks.check import AnyCheck
    from factory.data.checks.run import check as step

    report = step(
        TypeAdapter(tuple[AnyCheck, ...]).validate_python(checks),
        _latest_rows(run),
        columns=run.shared.columns,
        write=run.write,
        lake=run.lake,
        dataset=run.dataset,
        evolve=_evolution(run),
        readers=run.readers,
        versions=run.versions,
    )
    return {"report": report.as_json()}


def publish(*, run: TaskRun, outlet_events: Any) -> dict[str, Any]:
    """Publish the rows and emit the dataset's asset event.

    Raises:
        AirflowSkipException: The content is what it was; a skipped task emits no event.
    """
    return publish_rows(run, outlet_events)


def publish_rows(run: TaskRun, outlet_events: Any, **origin: Any) -> dict[str, Any]:
    """See `publish`; `origin` goes into the event too."""
    from factory.data.checks.report import CheckReport
    from factory.data.incremental import read_note
    from factory.data.publish import publish as step

    rows, ingested = _latest_rows(run), run.result("ingest") or {}
    if not rows.rows and not run.write.allow_empty:
        raise AirflowSkipException(
            f"{run.dataset}: there are no rows; nothing is published. Write `allow_empty: true` in `write` if "
            "that is meant"
        )
    published = step(
        run.dataset,
        rows,
        run.write,
        lake=run.lake,
        run_id=run.ti.run_id,
        report=CheckReport.from_json(run.result("check")["report"]),
        emit_unchanged=bool(run.params.get("publish_unchanged")),
        evolve=_evolution(run),
        origin={"dag_id": run.ti.dag_id, "read": run.versions, **_source(run), **origin},
        source=ingested.get("reading"),
        incremental=read_note(ingested["incremental"]) if "incremental" in ingested else None,
    )
    run.link_snapshot(published.snapshot.version)
    if not published.changed:
        raise AirflowSkipException(
            f"{run.dataset}: the content is that of version {published.snapshot.version}; nothing "
            "is published. Trigger with the param `publish_unchanged` to emit the event all the same"
        )
    event = {**published.event, **origin}
    outlet_events[run.ti.task.outlets[0]].extra = event
    return {**event, "writes": [reference(event)]}


def _masked(named: dict[str, str]) -> dict[str, str]:
    """What a source says of itself, without what Airflow masks."""
    from factory.airflow.masking import shown

    return {key: shown(value) for key, value in named.items()}


def _source(run: TaskRun) -> dict[str, Any]:
    found = (run.result("ingest") or {}).get("source")
    return {"source": found} if found else {}


def _is_bound(run: TaskRun) -> bool:
    """Whether the last snapshot is the contract of this one, as nobody has said otherwise for this run."""
    return not run.params.get("change_columns")


def _evolution(run: TaskRun) -> Any:
    """What may differ from the last snapshot's columns; those of predictions follow from the file."""
    declared = run.shared.columns is not None or run.shared.model is not None
    return run.write.evolution(declared=declared, accepted=not _is_bound(run))


def _latest_rows(run: TaskRun) -> Any:
    from factory.data.rows import Rows

    made = (run.result(name) for name in ("predict", "load", "transform", "ingest"))
    return Rows.from_json(next(result for result in made if result)["rows"])
