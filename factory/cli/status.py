"""`factory status`: how datasets and models stand."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from factory.base.texts import age, did_you_mean, one_of, score_text, shown
from factory.cli.airflow_access import AirflowOption, running_airflow
from factory.cli.console import console, failed, plain_table, state_text
from factory.cli.options import ProjectOption
from factory.cli.project import lake_of, registry_of

if TYPE_CHECKING:
    from rich.table import Table

    from factory.status.airflow_facts import RunFacts
    from factory.status.gathering import DatasetStatus, ModelStatus, Status

_DRIFT = {"found": "red", "none": "green", "too few rows": "yellow"}
_NO_AIRFLOW = (
    "No Airflow runs in this project, and none is named by --airflow-url: nothing is said of runs."
)


def status(
    teams: Annotated[
        list[str] | None,
        typer.Argument(help="Teams; all when left out.", metavar="TEAM..."),
    ] = None,
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="All that is known, for other programs.")
    ] = False,
) -> None:
    """Say how datasets and models stand: newest snapshot, champion, last run, approvals, drift, what is paused.

    Without an Airflow that runs, all but runs is said.
    """
    from factory.catalog import read_all
    from factory.team.environment import active_environment

    configs = project.resolve() / "configs"
    read = read_all(configs, active_environment())
    known = {*read.catalog.teams, *(problem.file.stem for problem in read.problems)}
    for team in teams or ():
        if team not in known:
            near = did_you_mean(team, known, f"there are {one_of(sorted(known)) or 'none'}")
            raise failed(f"{configs} has no team {team!r}: {near}")
    with (
        running_airflow(project, airflow_url) as airflow,
        registry_of(project) as tracking,
        lake_of(project, next(iter(teams or ()), "")) as lake,
    ):
        from factory.status.gathering import gather

        found = gather(read, teams or (), lake=lake, tracking=tracking, airflow=airflow)
    if as_json:
        # Not through Rich, which would break lines.
        typer.echo(json.dumps(found.as_json(), indent=2))
        return
    _show(found)


def _show(found: "Status") -> None:
    now = datetime.now(UTC)
    asked = found.airflow is not None
    if found.datasets:
        console.print(_datasets(found.datasets, now, with_runs=asked))
        console.print()
    if found.models:
        console.print(_models(found.models, now, with_runs=asked))
        console.print()
    for model in found.models:
        if model.approval is not None:
            who = ", ".join(model.approval.who) or "whoever may edit its runs"
            _say("waits", f"{model.name}: {model.approval.subject} ({who})", "yellow")
        if model.drift == "found":
            _say("drift", f"{model.name}: {model.findings}", "red")
    named = [(one.name, one.problem) for one in found.datasets]
    named += [(one.name, one.problem) for one in found.models]
    for name, problem in named:
        if problem:
            _say("unknown", f"{name}: {problem}", "red")
    for team, count in found.problems.items():
        _say("problems", f"{count} in the file of {team}: factory validate", "red")
    if not asked:
        console.print(_NO_AIRFLOW, highlight=False)


def _say(what: str, text: str, colour: str) -> None:
    console.print(Text.assemble((f"{what}: ", colour), shown(text, 4000)), highlight=False)


def _datasets(datasets: tuple["DatasetStatus", ...], now: datetime, *, with_runs: bool) -> "Table":
    table = plain_table("dataset", "snapshot", "rows", "age", *(["last run"] if with_runs else []))
    for one in datasets:
        table.add_row(
            one.name,
            "-" if one.version is None else str(one.version),
            "-" if one.rows is None else f"{one.rows:,}",
            age(one.published_at, now),
            *([_run(one.last_run, now, one.is_paused)] if with_runs else []),
        )
    return table


def _models(models: tuple["ModelStatus", ...], now: datetime, *, with_runs: bool) -> "Table":
    table = plain_table(
        "model", "live", "newest", "on test rows", "drift", *(["last run"] if with_runs else [])
    )
    for one in models:
        newest = "-" if one.newest is None else f"{one.newest} ({age(one.newest_at, now)})"
        table.add_row(
            one.name,
            _live(one),
            newest,
            "-" if one.score is None else f"{one.metric} {score_text(one.score)}",
            Text(one.drift or "-", style=_DRIFT.get(one.drift, "")),
            *([_run(one.last_run, now, one.is_paused)] if with_runs else []),
        )
    return table


def _live(model: "ModelStatus") -> str:
    """The version in production; of a model with entities how many have one of their own, and the fallback's."""
    champion = "-" if model.champion is None else str(model.champion)
    if not model.entities:
        return champion
    own = f"{model.entities} entit{'y' if model.entities == 1 else 'ies'}"
    return own if model.champion is None else f"{own}, others: {champion}"


def _run(run: "RunFacts | None", now: datetime, is_paused: bool | None) -> Text:  # noqa: FBT001 - a fact of the row
    if is_paused is None:
        return Text("not in Airflow", style="red")
    if run is None:
        return Text("paused", style="yellow") if is_paused else Text("-")
    at = run.ended or run.started
    said = Text.assemble(state_text(run.state), f" {age(at, now)}" if at else "")
    return Text.assemble(("paused, ", "yellow"), said) if is_paused else said
