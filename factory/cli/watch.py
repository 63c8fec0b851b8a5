"""What the demos share: waiting for DAGs, following runs on the terminal, saying why one failed."""

import time
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from factory.cli.console import Board, errors, plain_table, state_text
from factory.runtime.airflow_records import DagRecord
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import EmbeddedRuntimeError
from factory.runtime.follow import FollowedRuns, RunFollower, RunProgress, last_lines
from factory.runtime.signals import StopSignals

_PARSED = 90.0
"""Seconds for the DAG processor to read the team files."""


def promised_dags(project: Path) -> frozenset[str]:
    """The ids of the DAGs that the project's healthy team files make.

    Raises:
        EmbeddedRuntimeError: there are none.
    """
    from factory.catalog import read_all
    from factory.documents.compile import dag_ids
    from factory.team.environment import active_environment

    configs = project / "configs"
    found = read_all(configs, active_environment())
    for problem in found.problems:
        errors.print(escape(str(problem)), soft_wrap=True, highlight=False)
    ids = frozenset(dag_id for team in found.teams.values() for dag_id in dag_ids(team.team))
    if not ids:
        raise EmbeddedRuntimeError(f"{configs} has no healthy team file: run `factory validate`")
    return ids


def wait_until_parsed(runtime: EmbeddedRuntime, expected: frozenset[str]) -> list[DagRecord]:
    """Wait until Airflow knows the DAGs.

    Raises:
        EmbeddedRuntimeError: it cannot import them, or not in time.
    """

    def parsed() -> list[DagRecord] | None:
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


def follow(
    runtime: EmbeddedRuntime,
    follower: RunFollower,
    board: Board,
    signals: StopSignals,
    timeout: float,
) -> FollowedRuns:
    """Show how far the runs are until all have ended.

    Raises:
        EmbeddedRuntimeError: not all have ended in time, or the runtime is broken.
    """
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


def _rows(progress: FollowedRuns) -> tuple[Table, dict[str, str]]:
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


def say_failure(runtime: EmbeddedRuntime, each: RunProgress) -> None:
    """Print which tasks of a run failed, and the end of their logs."""
    errors.print(f"[bold red]failed:[/] {escape(each.run.dag_id)} {escape(each.run.dag_run_id)}")
    for task in each.failed:
        errors.print(f"  task {escape(task.label)}, the end of its log:", highlight=False)
        for line in last_lines(runtime.airflow, task):
            errors.print(f"    {escape(line)}", soft_wrap=True, highlight=False)
