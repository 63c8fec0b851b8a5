"""`factory demo`: real data through a real Airflow, from the producers to registered models."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from factory.cli.console import Board, console, failures_explained, plain_table
from factory.cli.options import ProjectOption
from factory.cli.scenario import Scenario, scenario_project, shipped_project, story_of, tell
from factory.cli.up import running, say_addresses, stay
from factory.cli.watch import follow, promised_dags, say_failure, wait_until_parsed
from factory.runtime.airflow_records import AssetEvent
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.follow import (
    FollowedRuns,
    RunFollower,
    RunProgress,
    start_producers,
    training_result,
)
from factory.runtime.ports import Ports
from factory.runtime.signals import StopSignals


def demo(
    project: ProjectOption = Path(),
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C.")
    ] = False,
    scenario: Annotated[
        Scenario | None,
        typer.Option(
            help="Tell a story instead. drift: the world changes, and the model is trained again. "
            "pets: fastai learns to tell cats from dogs, and the best model is deployed."
        ),
    ] = None,
    timeout: Annotated[
        int, typer.Option(help="Seconds until all runs must have ended.", min=1)
    ] = 900,
    port: Annotated[
        int | None,
        typer.Option(help="Where Airflow listens; a free port otherwise.", envvar="FACTORY_PORT"),
    ] = None,
    mlflow_port: Annotated[
        int | None,
        typer.Option(
            help="Where MLflow listens; a free port otherwise.", envvar="FACTORY_MLFLOW_PORT"
        ),
    ] = None,
    serving_port: Annotated[
        int | None,
        typer.Option(
            help="Where models answer, if some are deployed here; a free port otherwise.",
            envvar="FACTORY_SERVING_PORT",
        ),
    ] = None,
) -> None:
    """Run every producer, watch its dataset train models, and say what came of it.

    Starts MLflow and Airflow, and stops them at the end. In a folder without a project, it takes the teams that ship
    with the factory. Exits with 1 if anything failed.
    """
    free = Ports.free()
    ports = Ports(port or free.airflow, mlflow_port or free.mlflow, serving_port or free.serving)
    show: Callable[[EmbeddedRuntime, StopSignals, float], bool] = drive
    with failures_explained(), StopSignals() as signals, ExitStack() as stack:
        if scenario is not None:
            story = story_of(scenario, project)
            project = scenario_project(project, scenario, story)
            show = partial(tell, story)
        elif not any((project / name).is_dir() for name in ("configs", "dags")):
            project = shipped_project(project)
            console.print(f"There is no project here: this one ships with the factory: {project}")
        runtime = stack.enter_context(running(project, ports, signals))
        say_addresses(runtime)
        failed = show(runtime, signals, timeout)
        if keep:
            stay(runtime)
    if not keep and scenario is None:
        _say_what_next()
    if failed:
        raise typer.Exit(1)


def drive(runtime: EmbeddedRuntime, signals: StopSignals, timeout: float) -> bool:
    """Run the producers and all that follows; print the outcome.

    Returns:
        Whether anything failed.

    Raises:
        EmbeddedRuntimeError: DAGs are missing, or not everything ended in time.
    """
    airflow = runtime.airflow
    expected = promised_dags(runtime.project)
    dags = wait_until_parsed(runtime, expected)
    before = frozenset((run.dag_id, run.dag_run_id) for run in airflow.runs())
    producers = start_producers(airflow, dags)
    follower = RunFollower(airflow, expected, before, producers)
    with Board() as board:
        progress = follow(runtime, follower, board, signals, timeout)
    _say_outcome(runtime, follower, progress)
    return progress.failed


def _say_outcome(runtime: EmbeddedRuntime, follower: RunFollower, progress: FollowedRuns) -> None:
    trained = plain_table(
        "dataset event", "rows", "started", "trials", "best (validation)", "registered"
    )
    for each in progress.runs:
        if each.run.run_type != "asset_triggered":
            continue
        for event in runtime.airflow.upstream_asset_events(*each.key):
            trained.add_row(_event(event), _rows_of(event), *_training(runtime, each))
    if trained.row_count:
        console.print()
        console.print(trained)
    _say_quiet_producers(follower, progress)
    for silence in progress.silences:
        reason = "it waits for other datasets" if silence.waits_for_others else "no run of it began"
        console.print(f"{_event(silence.event)} did not start {silence.consumer}: {reason}.")
    for each in progress.runs:
        if each.run.state == "failed":
            say_failure(runtime, each)


def _training(runtime: EmbeddedRuntime, each: RunProgress) -> tuple[str, str, str, str]:
    result = training_result(runtime.airflow, each.run)
    if result is None:
        return each.run.dag_id, "", each.run.state, ""
    score = result.get("score")
    best = f"{result.get('metric', '')} {score:.4f}" if isinstance(score, int | float) else ""
    return (
        each.run.dag_id,
        str(result.get("trials", "")),
        best,
        f"{result.get('model', '')} version {result.get('version', '')}",
    )


def _event(event: AssetEvent) -> str:
    version = (event.extra or {}).get("version")
    return f"{event.name or event.uri}" + (f" snapshot {version}" if version is not None else "")


def _rows_of(event: AssetEvent) -> str:
    rows = (event.extra or {}).get("rows")
    return f"{rows:,}" if isinstance(rows, int) else ""


def _say_quiet_producers(follower: RunFollower, progress: FollowedRuns) -> None:
    for each in progress.runs:
        is_producer = each.run.dag_id in follower.producers
        if is_producer and each.run.state == "success" and not follower.events(each.run):
            console.print(
                f"{each.run.dag_id}: the rows are those already published; nothing to learn."
            )


def _say_what_next() -> None:
    console.print()
    console.print("Look around:      factory up    (or factory demo --keep)")
    console.print(
        "Your own data:    factory init my-project --from data.csv --target COLUMN", highlight=False
    )
    console.print("Your own team:    factory new team NAME, and factory validate")
