"""The tasks of a model's monitoring DAG."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun
from factory.airflow.tasks.inputs import decide
from factory.base.workspace import WorkspaceGoneError

if TYPE_CHECKING:
    from factory.base.values import Result
    from factory.monitoring.measure import Measurement
    from factory.monitoring.window_rows import MonitoredData

__all__ = ["breach", "inputs", "measure", "report", "retrain"]


def inputs(*, run: TaskRun, triggering_asset_events: Mapping[Any, Any]) -> dict[str, Any]:
    """Decide which snapshots are looked at; truth may be missing as yet."""
    from factory.lake.snapshot import NoSnapshotError

    names = list(run.shared.reads)
    truth = watched_by(run).truth
    if truth is not None:
        try:
            run.lake.newest(truth)
        except NoSnapshotError:
            pass
        else:
            names.append(truth)
    return decide(run, names, triggering_asset_events)


def measure(*, run: TaskRun) -> dict[str, Any]:
    """Compare the window with the training, column by column, and predictions with the truth."""
    from factory.models.tracking import Tracking
    from factory.monitoring.measure import measure as step

    found = step(
        watched_by(run),
        run.model,
        run.monitor,
        run.snapshots,
        lake=run.lake,
        tracking=Tracking(),
        workspace=run.folder,
    )
    keep_measured(run, found)
    return {
        "version": found.version,
        "window": found.window,
        "findings": list(found.findings),
        "reads": run.references,
    }


def report(*, run: TaskRun) -> dict[str, Any]:
    """Write the report and keep the window in MLflow."""
    from factory.models.tracking import Tracking
    from factory.monitoring.history import recent, record
    from factory.monitoring.report import write_report

    found, tracking = _measured(run), Tracking()
    most = run.monitor.windows.of + WINDOWS_SHOWN
    before = recent(found.model, found.version, most, tracking=tracking)
    files = run.folder / "report"
    write_report(found, before, files)
    recorded = record(
        found, dag_id=run.ti.dag_id, run_id=run.ti.run_id, tracking=tracking, files=files
    )
    run.link(recorded.url)
    return recorded.as_json()


def breach(*, run: TaskRun, notify: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Decide whether enough of the last windows were bad, and tell people if they were.

    Returns:
        `breached`, `why`, `retrain` and `report`, the address of the report.

    Raises:
        AirflowSkipException: There is no breach. What it would have returned is there as XCom all the same.
    """
    from factory.models.tracking import Tracking
    from factory.monitoring.history import RecordedWindow, act

    found = _measured(run)
    recorded = RecordedWindow.from_json(run.result("report"))
    newest = {name: run.lake.newest(name).version for name in watched_by(run).train_on}
    decision = act(found, recorded, run.monitor, newest=newest, tracking=Tracking())
    result = {**decision.as_json(), "report": recorded.url}
    if not decision.breached:
        run.ti.xcom_push(key="return_value", value=result)
        raise AirflowSkipException(f"no breach: {decision.why}")
    subject = f"{found.model} version {found.version} meets other data than it was trained on"
    tell(run, subject, found.window, result, notify)
    return result


def retrain(*, run: TaskRun, outlet_events: Any) -> None:
    """Ask for a training, by the drift asset.

    Raises:
        AirflowSkipException: It could not help.
    """
    found, decision = _measured(run), run.result("breach")
    if not decision["retrain"]:
        raise AirflowSkipException(decision["why"])
    outlet_events[run.ti.task.outlets[0]].extra = {
        "model": found.model,
        "version": found.version,
        "why": decision["why"][:LONGEST_WHY],
        "report": decision["report"],
        "window": found.window,
    }


_MEASUREMENT = "measurement.json"
WINDOWS_SHOWN = 10
"""Windows that the report shows beyond those that count."""
LONGEST_WHY = 2000
"""Of the reason that an event gives."""


def watched_by(run: TaskRun) -> "MonitoredData":
    """The datasets that are looked at."""
    from factory.monitoring.window_rows import MonitoredData

    return MonitoredData.from_json({"model": run.model_name, **(run.shared.watched or {})})


def keep_measured(run: TaskRun, found: "Result") -> None:
    """Keep what was measured for the tasks that follow."""
    (run.folder / _MEASUREMENT).write_text(found.model_dump_json(), encoding="utf-8")


def measured_text(run: TaskRun) -> str:
    """What `keep_measured` has kept, as JSON.

    Raises:
        WorkspaceGoneError: Nothing is there.
    """
    try:
        return (run.folder / _MEASUREMENT).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WorkspaceGoneError(_MEASUREMENT, "measure", run.folder) from None


def tell(
    run: TaskRun,
    subject: str,
    window: Mapping[str, int],
    result: Mapping[str, Any],
    targets: Sequence[Mapping[str, Any]],
) -> None:
    """Tell people of a breach."""
    if not targets:
        return
    from factory.airflow.messages import send
    from factory.monitoring.history import label_of
    from factory.notifiers.message import Message

    message = Message(
        event="on_breach",
        subject=subject,
        facts={
            "window": label_of(window),
            "training": "asked for" if result["retrain"] else "not asked for",
        },
        detail=str(result["why"]),
        url=str(result["report"]),
    )
    send(message, targets, internal_hosts=run.shared.internal_hosts)


def _measured(run: TaskRun) -> "Measurement":
    from factory.monitoring.measure import Measurement

    return Measurement.model_validate_json(measured_text(run))
