"""`factory demo`: real data through a real Airflow, from the producers to registered models."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from factory.cli.console import (
    Board,
    ProjectOption,
    console,
    errors,
    failures_explained,
    plain_table,
    state_text,
)
from factory.cli.up import running, say_addresses, stay
from factory.runtime.airflow_models import AssetEvent, Dag
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import EmbeddedRuntimeError
from factory.runtime.follow import (
    Follower,
    Progress,
    RunProgress,
    last_lines,
    start_producers,
    training_result,
)
from factory.runtime.ports import Ports
from factory.runtime.signals import StopSignals

_PARSED = 90.0
"""Seconds for the DAG processor to read the team files."""


def demo(
    project: ProjectOption = Path(),
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C.")
    ] = False,
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
) -> None:
    """Run every producer, watch its dataset train models, and say what came of it.

    Starts MLflow and Airflow, and stops them at the end. Exits with 1 if anything failed.
    """
    free = Ports.free()
    ports = Ports(port or free.airflow, mlflow_port or free.mlflow)
    with (
        failures_explained(),
        StopSignals() as signals,
        running(project, ports, signals) as runtime,
    ):
        say_addresses(runtime)
        failed = drive(runtime, signals, timeout)
        if keep:
            stay(runtime)
    if not keep:
        _say_what_next()
    if failed:
        raise typer.Exit(1)


def promised_dags(project: Path) -> frozenset[str]:
    """The ids of the DAGs that the project's healthy team files make.

    Raises:
        EmbeddedRuntimeError: there are none.
    """
    from factory.catalog import read_all
    from factory.config.environment import active_environment
    from factory.documents.compile import dag_ids

    configs = project / "configs"
    found = read_all(configs, active_environment())
    for problem in found.problems:
        errors.print(escape(str(problem)), soft_wrap=True, highlight=False)
    ids = frozenset(dag_id for team in found.teams.values() for dag_id in dag_ids(team.team))
    if not ids:
        raise EmbeddedRuntimeError(f"{configs} has no healthy team file: run `factory validate`")
    return ids


def drive(runtime: EmbeddedRuntime, signals: StopSignals, timeout: float) -> bool:
    """Run the producers and all that follows; print the outcome.

    Returns:
        Whether anything failed.

    Raises:
        EmbeddedRuntimeError: DAGs are missing, or not everything ended in time.
    """
    airflow = runtime.airflow
    expected = promised_dags(runtime.project)
    dags = _wait_until_parsed(runtime, expected)
    before = frozenset((run.dag_id, run.dag_run_id) for run in airflow.runs())
    producers = start_producers(airflow, dags)
    follower = Follower(airflow, expected, before, producers)
    with Board() as board:
        progress = _follow(runtime, follower, board, signals, timeout)
    _say_outcome(runtime, follower, progress)
    return progress.failed


def _wait_until_parsed(runtime: EmbeddedRuntime, expected: frozenset[str]) -> list[Dag]:
    def parsed() -> list[Dag] | None:
        runtime.check()
        dags = [dag for dag in runtime.airflow.dags() if dag.dag_id in expected]
        if len(dags) == len(expected):
            return dags
        if problems := runtime.airflow.import_errors():
            text = "\n".join(f"{each.filename}: {each.stack_trace}" for each in problems)
            raise EmbeddedRuntimeError(f"Airflow cannot import the DAG files:\n{text}")
        return None

    return runtime.airflow.wait_until(
        parsed, f"DAGs {', '.join(sorted(expected))} in Airflow", seconds=_PARSED
    )


def _follow(
    runtime: EmbeddedRuntime,
    follower: Follower,
    board: Board,
    signals: StopSignals,
    timeout: float,
) -> Progress:
    deadline = time.monotonic() + timeout
    while True:
        runtime.check()
        progress = follower.poll()
        board.show(*_rows(progress))
        if progress.finished:
            return progress
        if time.monotonic() > deadline:
            unfinished = [each.run.dag_id for each in progress.runs if not each.run.ended]
            names = ", ".join(sorted({*unfinished, *progress.expected}))
            raise EmbeddedRuntimeError(f"not ended after {timeout:.0f} s: {names}")
        signals.pause(0.7)


def _rows(progress: Progress) -> tuple[Table, dict[str, str]]:
    table = plain_table("DAG", "started by", "state", "tasks", "elapsed")
    lines = {}
    for each in progress.runs:
        run, tasks = each.run, f"{each.done}/{each.total}"
        table.add_row(
            run.dag_id, _cause(run.run_type), state_text(run.state), tasks, f"{each.seconds:.0f} s"
        )
        ending = f", {tasks} tasks, {each.seconds:.1f} s" if run.ended else ""
        lines[run.dag_run_id + run.dag_id] = (
            f"{run.dag_id} ({_cause(run.run_type)}): {run.state}{ending}"
        )
    for dag_id in sorted(progress.expected):
        table.add_row(dag_id, "", state_text("expected"), "", "")
    return table, lines


def _cause(run_type: str) -> str:
    return {"asset_triggered": "dataset", "scheduled": "schedule", "manual": "demo"}.get(
        run_type, run_type
    )


def _say_outcome(runtime: EmbeddedRuntime, follower: Follower, progress: Progress) -> None:
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
            _say_failure(runtime, each)


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


def _say_quiet_producers(follower: Follower, progress: Progress) -> None:
    for each in progress.runs:
        is_producer = each.run.dag_id in follower.producers
        if is_producer and each.run.state == "success" and not follower.events(each.run):
            console.print(
                f"{each.run.dag_id}: the rows are those already published; nothing to learn."
            )


def _say_failure(runtime: EmbeddedRuntime, each: RunProgress) -> None:
    errors.print(f"[bold red]failed:[/] {escape(each.run.dag_id)} {escape(each.run.dag_run_id)}")
    for task in each.failed:
        errors.print(f"  task {escape(task.label)}, the end of its log:", highlight=False)
        for line in last_lines(runtime.airflow, task):
            errors.print(f"    {escape(line)}", soft_wrap=True, highlight=False)


def _say_what_next() -> None:
    console.print()
    console.print("Look around:      factory up    (or factory demo --keep)")
    console.print(
        "Your own team:    copy a file in configs/, change team, owner and names, save it"
    )
    console.print("Check it:         factory validate")
