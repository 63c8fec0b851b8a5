"""The tasks of a model's prediction DAG."""

from collections.abc import Mapping
from typing import Any

from factory.airflow.tasks import inputs as reading
from factory.airflow.tasks.dataset import check, publish_rows
from factory.airflow.tasks.inputs import references, versions
from factory.airflow.tasks.workspace import folder

__all__ = ["check", "inputs", "predict", "publish"]


def inputs(
    *,
    model: str,
    datasets: list[str],
    storage: str,
    params: Mapping[str, Any],
    triggering_asset_events: Mapping[Any, Any],
) -> dict[str, Any]:
    """Decide which version of the model, and which snapshots, the whole run uses."""
    from factory.models.champion import champion_to_use
    from factory.models.tracking import Tracking

    promotions = [
        event
        for asset, found in triggering_asset_events.items()
        if asset.name == model
        for event in found
    ]
    # The newest and not the highest: a rollback goes back to a lower version.
    promotions.sort(key=lambda event: event.timestamp)
    extras = [event.extra or {} for event in promotions]
    version = champion_to_use(model, extras, tracking=Tracking())
    decided = reading.inputs(
        datasets=datasets,
        storage=storage,
        params=params,
        triggering_asset_events=triggering_asset_events,
    )
    return {**decided, "model_version": version.number}


def predict(
    *,
    model: str,
    model_task: str,
    datasets: list[str],
    transforms: list[dict[str, Any]],
    absent: dict[str, str],
    keep: list[str],
    batch_rows: int,
    storage: str,
    workspace: str,
    ti: Any,
) -> dict[str, Any]:
    """Ask the model about every row of the input."""
    from pydantic import TypeAdapter

    from factory.data.transforms.sections import Transform
    from factory.lake.table import Lake
    from factory.models import registry
    from factory.models.prediction import Form, prediction_rows
    from factory.models.prediction import predict as step
    from factory.models.predictor import load_predictor
    from factory.training.rows import model_images
    from factory.training.tasks import TASKS

    chosen, place, lake = versions(ti), folder(workspace, ti), Lake(storage)
    rows = prediction_rows(
        datasets,
        TypeAdapter(tuple[Transform, ...]).validate_python(transforms),
        absent=absent,
        workspace=place,
        lake=lake,
        versions=chosen,
    )
    form = Form(TASKS[model_task].name, keep, chosen[datasets[0]])
    predictor = load_predictor(registry.version(model, _model_version(ti)))
    file = place / "predictions.parquet"
    images = model_images(datasets, workspace=place, lake=lake)
    predicted = step(rows, predictor, form, batch_rows=batch_rows, file=file, images=images)
    return {"rows": predicted.as_json(), "reads": references(ti)}


def publish(
    *,
    model: str,
    input_dataset: str,
    dataset: str,
    write: dict[str, Any],
    storage: str,
    params: Mapping[str, Any],
    ti: Any,
    outlet_events: Any,
) -> dict[str, Any]:
    """Publish the predictions; the event names the model's version and that of the input too.

    Raises:
        AirflowSkipException: The predictions are what they were; a skipped task emits no event.
    """
    return publish_rows(
        dataset,
        write,
        storage,
        params,
        ti,
        outlet_events,
        model=model,
        model_version=_model_version(ti),
        input=input_dataset,
        input_version=versions(ti)[input_dataset],
    )


def _model_version(ti: Any) -> int:
    return int(ti.xcom_pull(task_ids="inputs")["model_version"])
