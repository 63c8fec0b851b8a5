"""`factory up`: MLflow and Airflow until somebody stops them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from factory.cli.console import Board, console, failures_explained, plain_table, state_text
from factory.cli.options import ProjectOption
from factory.cli.storage import check_storage
from factory.models.mlflow_pages import experiments_page
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import Interrupted
from factory.runtime.paused_dags import PausedDags
from factory.runtime.ports import Ports
from factory.runtime.signals import StopSignals

_UNPAUSED = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false"}

_NAMED = 8
"""So many paused DAGs are named at once."""


def up(
    project: ProjectOption = Path(),
    port: Annotated[
        int, typer.Option(help="Where Airflow listens.", envvar="FACTORY_PORT", min=1, max=65535)
    ] = Ports.airflow,
    mlflow_port: Annotated[
        int,
        typer.Option(help="Where MLflow listens.", envvar="FACTORY_MLFLOW_PORT", min=1, max=65535),
    ] = Ports.mlflow,
    serving_port: Annotated[
        int,
        typer.Option(
            help="Where models answer, if some are deployed here.",
            envvar="FACTORY_SERVING_PORT",
            min=1,
            max=65535,
        ),
    ] = Ports.serving,
    *,
    unpause: Annotated[
        bool,
        typer.Option("--unpause", help="Let all DAGs run, those included that come in later."),
    ] = False,
) -> None:
    """Start MLflow and Airflow here and keep them running; Ctrl-C stops them.

    Airflow pauses each DAG that it has not met before: without --unpause they are named. If a team has
    a model with `deploy: {type: process}`, `factory serve` runs beside them. Everything they write lies in .factory in the project's folder.
    """
    with (
        failures_explained(),
        StopSignals() as signals,
        running(
            project, Ports(port, mlflow_port, serving_port), signals, unpaused=unpause
        ) as runtime,
    ):
        stay(runtime, unpause=unpause)


@contextmanager
def running(
    project: Path, ports: Ports, signals: StopSignals, *, unpaused: bool = False
) -> Iterator[EmbeddedRuntime]:
    """A healthy runtime, whose start is shown; stopped on leaving.

    Args:
        project: The project's folder.
        ports: Where the servers listen.
        signals: Those that end it.
        unpaused: Whether Airflow lets DAGs run that it has not met before.
    """
    check_storage(project)
    with Board() as board:
        startup = Startup(board)
        runtime = EmbeddedRuntime(
            project,
            ports=ports,
            environment=_UNPAUSED if unpaused else None,
            pause=signals.pause,
            hurried=signals.hurried,
            on_state=startup.show,
            on_event=lambda sentence: console.print(escape(sentence), soft_wrap=True),
        )
        try:
            runtime.start()
        except BaseException:
            runtime.stop()
            raise
    try:
        yield runtime
    finally:
        runtime.stop()


def stay(runtime: EmbeddedRuntime, *, unpause: bool = False) -> None:
    """Keep a runtime until somebody asks to stop; being asked is no failure.

    Args:
        runtime: A healthy one.
        unpause: Whether DAGs that are paused shall run; else they are named.
    """
    say_addresses(runtime)
    console.print("Ctrl-C stops everything.")
    paused = PausedDags(runtime.ports.airflow_url, say=_say_paused, unpause=unpause)
    paused.start()
    try:
        runtime.wait()
    except Interrupted:
        console.print("Stopping …")
    finally:
        paused.stop()


def _say_paused(news: Sequence[str], *, now_run: bool) -> None:
    more = f" and {len(news) - _NAMED} more" if len(news) > _NAMED else ""
    names = ", ".join(news[:_NAMED]) + more
    if now_run:
        text = f"[green]Unpaused:[/] {names}"
    else:
        text = (
            f"[yellow]Paused:[/] {names}. They do not run, whatever datasets tell meanwhile: "
            f"`factory unpause {news[0].partition('.')[0]}` lets a team's DAGs run, `factory up --unpause` "
            "those of all teams"
        )
    console.print(text, soft_wrap=True, highlight=False)


class Startup:
    """Shows the components as they become healthy."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._states: dict[str, tuple[str, float]] = {}

    def show(self, component: str, state: str, seconds: float) -> None:
        """Note a component's state and show them all."""
        self._states[component] = (state, seconds)
        table = plain_table("component", "state", "after")
        lines = {}
        for name, (now, after) in self._states.items():
            table.add_row(name, state_text(now), f"{after:.1f} s")
            lines[name] = f"{name}: {now} after {after:.1f} s"
        self._board.show(table, lines)


def say_addresses(runtime: EmbeddedRuntime) -> None:
    """Print where to look."""
    console.print(
        f"Airflow  {runtime.ports.airflow_url}  (datasets: {runtime.ports.airflow_url}/assets)"
    )
    console.print(f"MLflow   {experiments_page(runtime.ports.mlflow_url)}", soft_wrap=True)
    if runtime.serves:
        console.print(f"Models   {runtime.ports.serving_url}  (try them: /docs)")
    console.print(f"Logs     {runtime.home.logs}", soft_wrap=True)
