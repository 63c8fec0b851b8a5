"""The tasks of a model's monitoring DAG."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.tasks import inputs as reading
from factory.airflow.tasks.inputs import chosen, reference
from factory.airflow.tasks.workspace import folder

__all__ = ["breach", "inputs", "measure", "report"]


def inputs(
    *,
    datasets: list[str],
    truth: str | None,
    storage: str,
    params: Mapping[str, Any],
    triggering_asset_events: Mapping[Any, Any],
) -> dict[str, Any]:
    """Decide which snapshots are looked at; truth may be missing as yet.

    Raises:
        AirflowSkipException: Nothing has been published that could be looked at.
    """
    from factory.lake.snapshot import NoSnapshotError
    from factory.lake.table import Lake

    names = list(datasets)
    if truth is not None:
        try:
            Lake(storage).newest(truth)
        except NoSnapshotError:
            pass
        else:
            names.append(truth)
    try:
        return reading.inputs(
            datasets=names,
            storage=storage,
            params=params,
            triggering_asset_events=triggering_asset_events,
        )
    except NoSnapshotError as error:
        raise AirflowSkipException(f"there is nothing to look at: {error}") from error


def measure(
    *,
    watched: dict[str, Any],
    config: dict[str, Any],
    monitor: dict[str, Any],
    storage: str,
    workspace: str,
    ti: Any,
) -> dict[str, Any]:
    """Compare the window with the training, column by column, and predictions with the truth.

    Raises:
        AirflowSkipException: There is no champion yet, or there are no predictions.
    """
    from factory.lake.table import Lake
    from factory.models.tracking import Tracking
    from factory.monitoring.measure import Watched
    from factory.monitoring.measure import measure as step
    from factory.monitoring.rows import EmptyWindowError
    from factory.monitoring.sections import Monitor
    from factory.training.model import Model

    place = folder(workspace, ti)
    try:
        found = step(
            Watched.from_json(watched),
            Model.model_validate(config),
            Monitor.model_validate(monitor),
            chosen(ti),
            lake=Lake(storage),
            tracking=Tracking(),
            workspace=place,
        )
    except EmptyWindowError as error:
        raise AirflowSkipException(str(error)) from error
    (place / _MEASUREMENT).write_text(found.model_dump_json(), encoding="utf-8")
    return {
        "version": found.version,
        "window": found.window,
        "findings": list(found.findings),
        "reads": [reference(snapshot.as_event()) for snapshot in chosen(ti).values()],
    }


def report(*, monitor: dict[str, Any], workspace: str, ti: Any) -> dict[str, Any]:
    """Write the report and keep the window in MLflow."""
    from factory.models.tracking import Tracking
    from factory.monitoring.history import recent, record
    from factory.monitoring.report import write_report
    from factory.monitoring.sections import Monitor

    found, tracking = _measured(workspace, ti), Tracking()
    most = Monitor.model_validate(monitor).windows.of + _SHOWN
    before = recent(found.model, found.version, most, tracking=tracking)
    files = folder(workspace, ti) / "report"
    write_report(found, before, files)
    return record(
        found, dag_id=ti.dag_id, run_id=ti.run_id, tracking=tracking, files=files
    ).as_json()


def breach(
    *,
    train_on: list[str],
    monitor: dict[str, Any],
    storage: str,
    workspace: str,
    ti: Any,
    outlet_events: Any,
    notify: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Decide whether enough of the last windows were bad; tell people, and ask for a training.

    Returns:
        `breached`, `why`, `retrain` and `report`, the address of the report.

    Raises:
        AirflowSkipException: The task could emit the drift asset, and is not to: a skipped task
            emits no event. What it would have returned is there as XCom all the same.
    """
    from factory.lake.table import Lake
    from factory.models.tracking import Tracking
    from factory.monitoring.history import Recorded, act
    from factory.monitoring.measure import Measurement
    from factory.monitoring.sections import Monitor

    found: Measurement = _measured(workspace, ti)
    recorded = Recorded.from_json(ti.xcom_pull(task_ids="report"))
    lake = Lake(storage)
    newest = {name: lake.newest(name).version for name in train_on}
    decision = act(
        found, recorded, Monitor.model_validate(monitor), newest=newest, tracking=Tracking()
    )
    result = {**decision.as_json(), "report": recorded.url}
    if decision.breached:
        _tell(found, result, notify)
    if not ti.task.outlets:
        return result
    if not decision.retrain:
        ti.xcom_push(key="return_value", value=result)
        raise AirflowSkipException(decision.why)
    outlet_events[ti.task.outlets[0]].extra = {
        "model": found.model,
        "version": found.version,
        "why": decision.why[:_LONGEST_WHY],
        "report": recorded.url,
        "window": found.window,
    }
    return result


_MEASUREMENT = "measurement.json"
_SHOWN = 10
"""Windows that the report shows beyond those that count."""
_LONGEST_WHY = 2000


def _measured(workspace: str, ti: Any) -> Any:
    from factory.monitoring.measure import Measurement

    text = (folder(workspace, ti) / _MEASUREMENT).read_text(encoding="utf-8")
    return Measurement.model_validate_json(text)


def _tell(found: Any, result: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> None:
    """Tell people of a breach."""
    if not targets:
        return
    from factory.airflow.notify import send
    from factory.monitoring.history import label_of
    from factory.notifiers.message import Message

    message = Message(
        event="on_breach",
        subject=f"{found.model} version {found.version} meets other data than it was trained on",
        facts={
            "window": label_of(found),
            "training": "asked for" if result["retrain"] else "not asked for",
        },
        detail=str(result["why"]),
        url=str(result["report"]),
    )
    send(message, targets)
