"""`factory plan`: what a change of team files does once it is live, before it is merged."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from factory.base.garbage import without_garbage_collection
from factory.cli.options import ProjectOption


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
            help="What is live: a commit, branch or tag of git, or a folder with configs/.",
            metavar="REV|DIR",
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
    from factory.changes.revisions import NoRevisionError, project_at
    from factory.cli.main import without_pydantic_plugins
    from factory.cli.plan_output import as_json, as_markdown, show
    from factory.team.environment import active_environment

    home, chosen = project.resolve(), environment or active_environment()
    try:
        with (
            without_pydantic_plugins(),
            without_garbage_collection(),
            project_at(against, home) as old,
        ):
            found = make_plan(State.of(old, home, chosen), State.of(home, home, chosen))
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
