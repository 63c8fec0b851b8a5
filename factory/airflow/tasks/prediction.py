"""The tasks of a model's prediction DAG."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun
from factory.airflow.tasks import inputs as reading
from factory.airflow.tasks.dataset import check, publish_rows

__all__ = ["check", "export", "inputs", "predict", "publish"]


def inputs(*, run: TaskRun, triggering_asset_events: Mapping[Any, Any]) -> dict[str, Any]:
    """Decide which version of the model, and which snapshots, the whole run uses."""
    from factory.models.registry import champion_to_use
    from factory.models.tracking import Tracking

    promotions = [
        event
        for asset, found in triggering_asset_events.items()
        if asset.name == run.model_name
        for event in found
    ]
    # The newest and not the highest: a rollback goes back to a lower version.
    promotions.sort(key=lambda event: event.timestamp)
    extras = [event.extra or {} for event in promotions]
    version = champion_to_use(run.model_name, extras, tracking=Tracking())
    decided = reading.inputs(run=run, triggering_asset_events=triggering_asset_events)
    return {**decided, "model_version": version.number}


def predict(
    *,
    run: TaskRun,
    model_task: str,
    transforms: list[dict[str, Any]],
    absent: dict[str, str],
    keep: list[str],
    batch_rows: int,
    on_request: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Ask the model about every row of the input."""
    from factory.models import registry
    from factory.models.batch_prediction import PredictionForm
    from factory.models.batch_prediction import predict as step
    from factory.models.predict import OnRequest
    from factory.models.predictor import load_predictor
    from factory.training.rows import model_images
    from factory.training.tasks import TASKS

    datasets, folder, versions = run.shared.reads, run.folder, run.versions
    rows = rows_of(run, transforms, absent)
    form = PredictionForm(
        TASKS[model_task].name,
        keep,
        versions[datasets[0]],
        OnRequest.model_validate(on_request or {}),
    )
    predictor = load_predictor(registry.version(run.model_name, _model_version(run)).record)
    file = folder / "predictions.parquet"
    images = model_images(datasets, workspace=folder, lake=run.lake)
    predicted = step(rows, predictor, form, batch_rows=batch_rows, file=file, images=images)
    return {"rows": predicted.as_json(), "reads": run.references}


def rows_of(run: TaskRun, transforms: list[dict[str, Any]], absent: dict[str, str]) -> Any:
    """The rows that the model of a run is asked about, after the transforms."""
    from pydantic import TypeAdapter

    from factory.data.transforms.transform import AnyTransform
    from factory.models.batch_prediction import prediction_rows

    return prediction_rows(
        run.shared.reads,
        TypeAdapter(tuple[AnyTransform, ...]).validate_python(transforms),
        absent=absent,
        workspace=run.folder,
        lake=run.lake,
        versions=run.versions,
    )


def publish(*, run: TaskRun, outlet_events: Any) -> dict[str, Any]:
    """Publish the predictions; the event names the model's version and that of the input too.

    Raises:
        AirflowSkipException: The predictions are what they were; a skipped task emits no event.
    """
    predicted = run.shared.reads[0]
    return publish_rows(
        run,
        outlet_events,
        model=run.model_name,
        model_version=_model_version(run),
        input=predicted,
        input_version=run.versions[predicted],
    )


def export(*, run: TaskRun, export: dict[str, Any]) -> dict[str, Any]:
    """Write the predictions to a table of a database; a retry comes to the same.

    Raises:
        AirflowSkipException: There are none.
    """
    from factory.airflow import connections
    from factory.data.rows import Rows
    from factory.models.export import Export

    section, predicted = Export.model_validate(export), run.result("predict")
    if predicted is None:
        raise AirflowSkipException("nothing was predicted, so there is nothing to write")
    rows = Rows.from_json(predicted["rows"])
    if not rows.rows and run.result("publish") is None:
        raise AirflowSkipException(f"no rows were published, so {section.table} stays as it is")
    database = connections.database(section.connection).get_sqlalchemy_engine()
    try:
        with connections.unshown_queries(section.connection):
            section.run(rows, database)
            table = connections.lineage_name(section.connection, section.table)
    finally:
        database.dispose()
    return {"rows": rows.rows, "reads": run.references, "tables": [table] if table else []}


def _model_version(run: TaskRun) -> int:
    return int(run.result("inputs")["model_version"])
