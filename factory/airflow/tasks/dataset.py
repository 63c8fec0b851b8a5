"""The tasks of a dataset's DAG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.tasks.inputs import inputs, reference, references, versions
from factory.airflow.tasks.workspace import folder

__all__ = ["after_check", "check", "ingest", "inputs", "load", "publish", "transform"]


def ingest(
    *,
    source: dict[str, Any],
    columns: dict[str, str] | None,
    storage: str,
    workspace: str,
    ti: Any,
    dag: Any,
) -> dict[str, Any]:
    """Bring the source's rows into the workspace."""
    from pydantic import TypeAdapter

    from factory.airflow import connections
    from factory.data.sources.source import AnySource, IngestContext, Source
    from factory.lake.table import Lake

    typed: Source = TypeAdapter(AnySource).validate_python(source)
    context = IngestContext(
        # The DAG file lies in dags/, one below the project's folder; DAG bundles move both.
        project=Path(dag.fileloc).resolve().parent.parent,
        workspace=folder(workspace, ti),
        team=ti.dag_id.partition(".")[0],
        lake=Lake(storage),
        versions=versions(ti),
        columns=columns or {},
        connections=connections,
    )
    rows = typed.ingest(context)
    return {"rows": rows.as_json(), "reads": references(ti) if typed.references() else []}


def transform(
    *,
    transforms: list[dict[str, Any]],
    storage: str,
    workspace: str,
    ti: Any,
    team: str | None = None,
) -> dict[str, Any]:
    """Apply the transforms, in order."""
    from pydantic import TypeAdapter

    from factory.data.sql import Rows
    from factory.data.transform import transform as step
    from factory.data.transforms.sections import Transform
    from factory.lake.table import Lake

    rows = step(
        TypeAdapter(tuple[Transform, ...]).validate_python(transforms),
        Rows.from_json(ti.xcom_pull(task_ids="ingest")["rows"]),
        workspace=folder(workspace, ti),
        lake=Lake(storage),
        versions=versions(ti),
        team=team,
    )
    return {"rows": rows.as_json(), "reads": references(ti)}


def load(*, load: dict[str, Any], workspace: str, ti: Any) -> dict[str, Any]:
    """Bring the rows into a table of a database; what it then holds is checked and published."""
    from factory.airflow import connections
    from factory.data.database_load import Load
    from factory.data.load import load as step

    section = Load.model_validate(load)
    database = connections.database(section.connection).get_sqlalchemy_engine()
    try:
        file = folder(workspace, ti) / "loaded.parquet"
        return {"rows": step(_latest_rows(ti), section, database, file).as_json()}
    finally:
        database.dispose()


def after_check(*, connection: str, statements: str) -> None:
    """Run a team's SQL statements once the rows have passed their checks."""
    from factory.airflow import connections

    connections.run_statements(connection, statements)


def check(
    *,
    dataset: str,
    checks: list[dict[str, Any]],
    columns: dict[str, str] | None,
    write: dict[str, Any],
    storage: str,
    ti: Any,
) -> dict[str, Any]:
    """Check the rows as they would be published; a halting failure ends the run here."""
    from pydantic import TypeAdapter

    from factory.data.checks.check import AnyCheck
    from factory.data.checks.run import check as step
    from factory.lake.table import Lake
    from factory.lake.write import Write

    report = step(
        TypeAdapter(tuple[AnyCheck, ...]).validate_python(checks),
        _latest_rows(ti),
        columns=columns,
        write=Write.model_validate(write),
        lake=Lake(storage),
        dataset=dataset,
    )
    return {"report": report.as_json()}


def publish(
    *,
    dataset: str,
    write: dict[str, Any],
    storage: str,
    params: Mapping[str, Any],
    ti: Any,
    outlet_events: Any,
) -> dict[str, Any]:
    """Publish the rows and emit the dataset's asset event.

    Raises:
        AirflowSkipException: The content is what it was; a skipped task emits no event.
    """
    return publish_rows(dataset, write, storage, params, ti, outlet_events)


def publish_rows(
    dataset: str,
    write: dict[str, Any],
    storage: str,
    params: Mapping[str, Any],
    ti: Any,
    outlet_events: Any,
    **origin: Any,
) -> dict[str, Any]:
    """See `publish`; `origin` goes into the event too."""
    from factory.data.checks.report import CheckReport
    from factory.data.publish import publish as step
    from factory.lake.table import Lake
    from factory.lake.write import Write

    report = CheckReport.from_json(ti.xcom_pull(task_ids="check")["report"])
    published = step(
        dataset,
        _latest_rows(ti),
        Write.model_validate(write),
        lake=Lake(storage),
        run_id=ti.run_id,
        report=report,
        emit_unchanged=bool(params.get("publish_unchanged")),
    )
    if not published.changed:
        raise AirflowSkipException(
            f"{dataset}: the content is that of version {published.snapshot.version}; nothing is "
            "published. Trigger with the param `publish_unchanged` to emit the event all the same"
        )
    event = {**published.event, **origin}
    outlet_events[ti.task.outlets[0]].extra = event
    return {**event, "writes": [reference(event)]}


def _latest_rows(ti: Any) -> Any:
    from factory.data.sql import Rows

    made = (ti.xcom_pull(task_ids=name) for name in ("predict", "load", "transform", "ingest"))
    return Rows.from_json(next(result for result in made if result)["rows"])
