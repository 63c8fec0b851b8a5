"""The tasks of the monitoring DAG of a model with `entities`: those of `monitoring`, for each entity."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun
from factory.airflow.tasks.monitoring import (
    LONGEST_WHY,
    WINDOWS_SHOWN,
    inputs,
    keep_measured,
    measured_text,
    tell,
    watched_by,
)

if TYPE_CHECKING:
    from factory.monitoring.entities import EntitiesMeasurement

__all__ = ["breach", "inputs", "measure", "report", "retrain"]

_SHOWN = 10


def measure(*, run: TaskRun) -> dict[str, Any]:
    """Compare the rows of each entity with those that its model was trained on, and predictions with the truth."""
    from factory.models.tracking import Tracking
    from factory.monitoring.entities import measure_entities
    from factory.monitoring.window_rows import WindowRows

    watched = watched_by(run)
    found = measure_entities(
        watched,
        run.model,
        run.monitor,
        run.snapshots,
        rows=WindowRows(watched, run.model, run.lake, run.folder),
        tracking=Tracking(),
    )
    keep_measured(run, found)
    return {
        "window": found.window,
        "entities": {
            "measured": len(found.measured),
            "breached": len(found.breached),
            "too_few_rows": len(found.too_few),
            "failed": len(found.failed),
        },
        "findings": {one.label: list(one.findings) for one in found.breached[:_SHOWN]},
        "failed": dict(list(found.failed.items())[:_SHOWN]),
        "reads": run.references,
    }


def report(*, run: TaskRun) -> dict[str, Any]:
    """Write one report with a table of all entities, and keep the window as one run in MLflow."""
    from factory.models.tracking import Tracking
    from factory.monitoring.entity_history import recent_entity_windows, record_entities
    from factory.monitoring.entity_report import write_entity_report

    found, tracking = _measured(run), Tracking()
    before = recent_entity_windows(found.model, WINDOWS_SHOWN, tracking=tracking)
    files = run.folder / "report"
    write_entity_report(found, before, files)
    recorded = record_entities(
        found, dag_id=run.ti.dag_id, run_id=run.ti.run_id, tracking=tracking, files=files
    )
    run.link(recorded.url)
    return recorded.as_json()


def breach(*, run: TaskRun, notify: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Decide for each entity whether enough of the last windows were bad, and tell people which if they were.

    Returns:
        `breached`, `why`, `retrain`, `entities` and `report`, the address of the report.

    Raises:
        AirflowSkipException: There is no breach. What it would have returned is there as XCom all the same.
    """
    from factory.models import registry
    from factory.models.entity_models import entity_models
    from factory.models.tracking import Tracking
    from factory.monitoring.entity_history import act_on_entities
    from factory.monitoring.history import RecordedWindow

    found, tracking = _measured(run), Tracking()
    recorded = RecordedWindow.from_json(run.result("report"))
    known = entity_models(found.model, tracking=tracking)
    champions = {one.model: one.champion for one in known if one.champion is not None}
    if (fallback := registry.champion(found.model, tracking=tracking)) is not None:
        champions[found.model] = fallback.number
    decision = act_on_entities(
        found,
        recorded,
        run.monitor,
        champions=champions,
        newest={name: run.lake.newest(name).version for name in watched_by(run).train_on},
        tracking=tracking,
    )
    result = {**decision.as_json(), "report": recorded.url}
    if not decision.breached:
        run.ti.xcom_push(key="return_value", value=result)
        raise AirflowSkipException(f"no breach: {decision.why}")
    what = f"{decision.breaches} of {found.models} models of {found.model}"
    tell(run, f"{what} meet other data than they were trained on", found.window, result, notify)
    return result


def retrain(*, run: TaskRun, outlet_events: Any) -> None:
    """Ask for a training of all entities, by the drift asset; the event says which of them have drifted.

    Raises:
        AirflowSkipException: It could not help.
    """
    found, decision = _measured(run), run.result("breach")
    if not decision["retrain"]:
        raise AirflowSkipException(decision["why"])
    outlet_events[run.ti.task.outlets[0]].extra = {
        "model": found.model,
        "entities": {
            one.label: one.version for one in found.breached if one.label in decision["entities"]
        },
        "why": decision["why"][:LONGEST_WHY],
        "report": decision["report"],
        "window": found.window,
    }


def _measured(run: TaskRun) -> "EntitiesMeasurement":
    from factory.monitoring.entities import EntitiesMeasurement

    return EntitiesMeasurement.model_validate_json(measured_text(run))
