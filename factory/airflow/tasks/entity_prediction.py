"""The tasks of the prediction DAG of a model with `entities`: each row is answered by its entity's champion."""

from collections.abc import Mapping
from typing import Any

from factory.airflow.task_run import TaskRun
from factory.airflow.tasks import inputs as reading
from factory.airflow.tasks.dataset import check, publish_rows
from factory.airflow.tasks.prediction import rows_of

__all__ = ["check", "inputs", "predict", "publish"]

_CHAMPIONS = "champions.json"


def inputs(
    *, run: TaskRun, entities: dict[str, Any], triggering_asset_events: Mapping[Any, Any]
) -> dict[str, Any]:
    """Decide which version of each entity's model, and which snapshots, the whole run uses.

    The versions are those in production now; they lie in the workspace.
    """
    from factory.base.files import write_json
    from factory.models.entity_models import champions_to_use
    from factory.models.tracking import Tracking
    from factory.models.used_champions import UsedChampions
    from factory.training.entities import Entities

    section = Entities.model_validate(entities)
    champions = champions_to_use(
        run.model_name, has_fallback=section.fallback == "all", tracking=Tracking()
    )
    write_json(run.folder / _CHAMPIONS, UsedChampions.of(champions).as_json())
    decided = reading.inputs(run=run, triggering_asset_events=triggering_asset_events)
    fallback = champions.fallback[1] if champions.fallback else None
    return {**decided, "entities": len(champions.by_entity), "fallback_version": fallback}


def predict(
    *,
    run: TaskRun,
    entities: dict[str, Any],
    model_task: str,
    transforms: list[dict[str, Any]],
    absent: dict[str, str],
    keep: list[str],
    batch_rows: int,
) -> dict[str, Any]:
    """Ask each row's model about it."""
    import json

    from factory.models.batch_prediction import PredictionForm
    from factory.models.entity_prediction import loader
    from factory.models.entity_prediction import predict_entities as step
    from factory.models.tracking import Tracking
    from factory.models.used_champions import UsedChampions
    from factory.training.entities import Entities
    from factory.training.tasks import TASKS

    folder = run.folder
    predicted = step(
        rows_of(run, transforms, absent),
        UsedChampions.from_json(json.loads((folder / _CHAMPIONS).read_text("utf-8"))),
        Entities.model_validate(entities).column,
        PredictionForm(TASKS[model_task].name, keep, run.versions[run.shared.reads[0]]),
        load=loader(Tracking()),
        batch_rows=batch_rows,
        file=folder / "predictions.parquet",
    )
    return {"rows": predicted.as_json(), "reads": run.references}


def publish(*, run: TaskRun, outlet_events: Any) -> dict[str, Any]:
    """Publish the predictions; the event names the model, how many entities have a champion, and the input's version.

    Raises:
        AirflowSkipException: The predictions are what they were; a skipped task emits no event.
    """
    predicted = run.shared.reads[0]
    return publish_rows(
        run,
        outlet_events,
        model=run.model_name,
        entities=run.result("inputs")["entities"],
        input=predicted,
        input_version=run.versions[predicted],
    )
