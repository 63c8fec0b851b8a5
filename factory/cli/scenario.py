"""`factory demo --scenario`: a story on a real Airflow, chapter after chapter, and what happened when."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from rich.table import Table

from factory.cli.console import Board, console, plain_table
from factory.cli.watch import follow, promised_dags, say_failure, wait_until_parsed
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.airflow_records import AssetEvent, DagRun
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import EmbeddedRuntimeError
from factory.runtime.follow import RunFollower
from factory.runtime.home import Home
from factory.runtime.signals import StopSignals
from factory.scenarios.story import Chapter, Story, make_project


class Scenario(StrEnum):
    """The stories that there are: packages of `factory.scenarios`."""

    drift = "drift"
    pets = "pets"


def story_of(scenario: Scenario, project: Path) -> Story:
    """A story; what it needs from outside is kept below the caller's project for the next time."""
    package = import_module(f"factory.scenarios.{scenario}.story")
    story: Story = package.story(Home.of(project).downloads)
    return story


def scenario_project(project: Path, scenario: Scenario, story: Story) -> Path:
    """The project of a scenario, made below that of the caller; every telling begins anew.

    Args:
        project: The caller's.
        scenario: The scenario.
        story: Its story, whose environment holds from now on, unless another one is set.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = Home.of(project).scenarios / f"{scenario}-{stamp}"
    make_project(folder, package=f"factory.scenarios.{scenario}")
    story.prepare(folder)
    if story.environment is not None:
        os.environ.setdefault("FACTORY_ENVIRONMENT", story.environment)
    return folder


def shipped_project(project: Path) -> Path:
    """The project with the teams that ship with the factory, for a folder without any; made below it.

    Raises:
        EmbeddedRuntimeError: The package with their data is not installed.
    """
    if find_spec("palmerpenguins") is None:
        raise EmbeddedRuntimeError(
            "the demo learns from penguins, which come in a package of their own: "
            'pip install "ml-dag-factory[examples]"'
        )
    folder = Home.of(project).scenarios / "shipped"
    make_project(folder, package="factory.scenarios.shipped")
    return folder


def tell(story: Story, runtime: EmbeddedRuntime, signals: StopSignals, timeout: float) -> bool:
    """Let all chapters happen, and print what happened when.

    Returns:
        Whether anything failed.

    Raises:
        EmbeddedRuntimeError: DAGs are missing, or not everything ended in time.
    """
    wait_until_parsed(runtime, promised_dags(runtime.project))
    start = datetime.now(UTC)
    failed = False
    for number, chapter in enumerate(story.chapters, 1):
        console.print(f"\n[bold]{number}. {chapter.title}[/]")
        failed = _happen(runtime, chapter, signals, timeout)
        if failed:
            break
    console.print()
    console.print(as_table(timeline(runtime.airflow, runtime.airflow.runs()), start))
    if not failed:
        for line in story.ending(runtime):
            console.print(line)
    console.print(f"\nAll of it is kept: factory up -C {runtime.project}", soft_wrap=True)
    return failed


def _happen(
    runtime: EmbeddedRuntime, chapter: Chapter, signals: StopSignals, timeout: float
) -> bool:
    """Let something arrive and follow all that comes of it; whether anything failed."""
    airflow = runtime.airflow
    arrived = chapter.arrive(runtime.project / "data")
    console.print(f"{arrived:,} {chapter.what} arrive for {chapter.producer}.")
    for dag_id in sorted(chapter.awake):
        airflow.unpause(dag_id)
    before = frozenset((run.dag_id, run.dag_run_id) for run in airflow.runs())
    airflow.trigger(chapter.producer)
    follower = RunFollower(airflow, chapter.awake, before, frozenset({chapter.producer}))
    with Board() as board:
        progress = follow(runtime, follower, board, signals, timeout)
    for each in progress.runs:
        if each.run.state == "failed":
            say_failure(runtime, each)
    for silence in progress.silences:
        console.print(f"{silence.event.name} did not start {silence.consumer}.")
    return progress.failed


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
