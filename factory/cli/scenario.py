"""`factory demo --scenario`: a story on a real Airflow, chapter after chapter."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from factory.cli.console import Board, console
from factory.cli.timeline import as_table, timeline
from factory.cli.watch import follow, promised_dags, say_failure, wait_until_parsed
from factory.runtime.embedded import EmbeddedRuntime
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
        project: A folder with `dags/`, whose DAG files the scenario takes.
        scenario: The scenario.
        story: Its story, whose environment holds from now on, unless another one is set.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = Home.of(project).scenarios / f"{scenario}-{stamp}"
    make_project(folder, project / "dags", package=f"factory.scenarios.{scenario}")
    story.prepare(folder)
    if story.environment is not None:
        os.environ.setdefault("FACTORY_ENVIRONMENT", story.environment)
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
