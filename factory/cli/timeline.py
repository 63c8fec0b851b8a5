"""What happened in a story, in the order in which it did."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table

from factory.cli.console import plain_table
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_models import AssetEvent, DagRun


@dataclass(frozen=True)
class Happening:
    """One thing that happened."""

    at: datetime
    dag_id: str
    what: str
    detail: str


def timeline(airflow: AirflowClient, runs: Iterable[DagRun]) -> list[Happening]:
    """What runs came to, oldest first: events of assets, trainings, and what monitors found."""
    found = [each for run in runs for each in _of_run(airflow, run)]
    return sorted(found, key=lambda each: each.at)


def as_table(happenings: Iterable[Happening], start: datetime) -> Table:
    """The timeline for people."""
    table = plain_table("after", "DAG", "what happened", "because, or how")
    for each in happenings:
        seconds = (each.at - start).total_seconds()
        table.add_row(f"{seconds:.0f} s", each.dag_id, each.what, each.detail)
    return table


def _of_run(airflow: AirflowClient, run: DagRun) -> Iterator[Happening]:
    events = airflow.asset_events(dag_id=run.dag_id, run_id=run.dag_run_id)
    match run.dag_id.rpartition(".")[2]:
        case "train":
            yield from _training(airflow, run, events)
        case "monitor":
            yield from _monitoring(airflow, run, events)
        case _:
            for event in events:
                yield Happening(event.timestamp, run.dag_id, *_snapshot(event))


def _training(airflow: AirflowClient, run: DagRun, events: list[AssetEvent]) -> Iterator[Happening]:
    if run.start_date is None or run.end_date is None:
        return
    causes = airflow.upstream_asset_events(run.dag_id, run.dag_run_id)
    cause = ", ".join(sorted({event.name or event.uri or "" for event in causes})) or "by hand"
    yield Happening(run.start_date, run.dag_id, "training starts", cause)
    reason = airflow.xcom(run.dag_id, run.dag_run_id, "retrain", key="reason")
    if reason is not None and not airflow.xcom(run.dag_id, run.dag_run_id, "retrain"):
        yield Happening(run.end_date, run.dag_id, "training skips itself", str(reason))
    for event in events:
        what = f"{event.name} version {(event.extra or {}).get('version')} in production"
        yield Happening(event.timestamp, run.dag_id, what, _outcome(airflow, run, "promote"))
    if kept := _outcome(airflow, run, "keep_champion"):
        yield Happening(run.end_date, run.dag_id, "the champion stays", kept)


def _outcome(airflow: AirflowClient, run: DagRun, task_id: str) -> str:
    found = airflow.xcom(run.dag_id, run.dag_run_id, task_id)
    return str(found.get("reason", "")) if isinstance(found, dict) else ""


def _monitoring(
    airflow: AirflowClient, run: DagRun, events: list[AssetEvent]
) -> Iterator[Happening]:
    result = airflow.xcom(run.dag_id, run.dag_run_id, "breach")
    if run.end_date is None or not isinstance(result, dict):
        return
    what = "breach" if result.get("breached") else "no breach"
    at = run.end_date
    for event in events:
        what, at = f"breach: event {event.name}", event.timestamp
    yield Happening(at, run.dag_id, what, str(result.get("why", "")))


def _snapshot(event: AssetEvent) -> tuple[str, str]:
    extra = event.extra or {}
    made_by = f", by version {extra['model_version']}" if "model_version" in extra else ""
    return (
        f"{event.name} snapshot {extra.get('version')}",
        f"{extra.get('rows', 0):,} rows{made_by}",
    )
