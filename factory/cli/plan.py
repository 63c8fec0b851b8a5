"""`factory plan`: what a change of team files does once it is live, before it is merged."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factory.base.garbage import without_garbage_collection
from factory.cli.airflow_access import AirflowOption
from factory.cli.options import ProjectOption

if TYPE_CHECKING:
    from factory.changes.plan import Plan, State

_IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""A plan is of use without what MLflow knows."""

LIVE = "live"
"""In place of a revision: what Airflow has that runs."""


class PlanOutput(StrEnum):
    """How a plan is shown."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def plan(
    project: ProjectOption = Path(),
    against: Annotated[
        str,
        typer.Option(
            help="What is live: a commit, branch or tag of git, a folder with configs/, or `live` to ask Airflow.",
            metavar="REV|DIR|live",
        ),
    ] = "HEAD",
    output: Annotated[
        PlanOutput,
        typer.Option(
            "--output", "-o", help="For people, for programs, or a comment for a pull request."
        ),
    ] = PlanOutput.TEXT,
    environment: Annotated[
        str | None,
        typer.Option(help="Whose overlays apply; FACTORY_ENVIRONMENT if left out, else dev."),
    ] = None,
    airflow_url: AirflowOption = None,
    *,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show how the rendered documents differ, too.")
    ] = False,
) -> None:
    """Say which DAGs come, go and change against what is live, what that does, and who is affected.

    The next training gives another model (retrain), the next run other rows (republish), the next
    deployment another service (redeploy); or only when and how something runs (operation); or words
    (cosmetic). Nothing is started by itself: what is shown happens when it runs next.

    Exits with 1 if the files have problems now that they did not have before.
    """
    from factory.changes.plan import State, make_plan
    from factory.changes.revisions import NoRevisionError
    from factory.cli.console import failures_explained
    from factory.cli.main import without_pydantic_plugins
    from factory.cli.plan_output import as_json, as_markdown, show
    from factory.team.environment import active_environment

    home, chosen = project.resolve(), environment or active_environment()
    with failures_explained(), without_pydantic_plugins(), without_garbage_collection():
        now = State.of(home, home, chosen)
        try:
            with _before(against, now, airflow_url, chosen) as before:
                found = _timed(make_plan(before, now), home)
        except NoRevisionError as error:
            typer.echo(f"error: {against}: {error}", err=True)
            raise typer.Exit(2) from None
    if output is PlanOutput.TEXT:
        show(found, against, with_diff=diff)
    else:
        write = as_json if output is PlanOutput.JSON else as_markdown
        typer.echo(write(found, against))
    if found.problems:
        raise typer.Exit(1)


def _timed(plan: "Plan", project: Path) -> "Plan":
    """A plan with how long trainings take, where an MLflow that runs can tell it."""
    from factory.changes.plan import timed
    from factory.runtime.lock import addresses_of

    running = addresses_of(project)
    address = os.environ.get("MLFLOW_TRACKING_URI") or (running.mlflow if running else None)
    if address is None or all(one.trials is None for one in plan.changes):
        return plan
    for name, value in _IMPATIENT.items():
        os.environ.setdefault(name, value)
    # Late: importing it takes more than a second.
    from factory.models.sweep_times import last_sweep
    from factory.models.tracking import Tracking, TrackingError

    tracking = Tracking(address)

    def seconds_per_fit(model: str) -> float | None:
        sweep = last_sweep(model, tracking)
        return None if sweep is None else sweep.seconds_per_fit

    try:
        return timed(plan, seconds_per_fit)
    except TrackingError as error:
        typer.echo(f"note: how long trainings take is unknown: {error}", err=True)
        return plan


@contextmanager
def _before(
    against: str, now: "State", airflow_url: str | None, environment: str
) -> "Iterator[State]":
    from factory.changes.plan import State
    from factory.changes.revisions import project_at

    home, revision = now.installation.project, against
    if against == LIVE:
        from factory.cli.live_state import live_state

        live = live_state(now, airflow_url)
        if not isinstance(live, str):
            yield live
            return
        typer.echo(f"note: Airflow has read the DAGs from the commit {live}", err=True)
        revision = live
    with project_at(revision, home) as old:
        yield State.of(old, home, environment)
