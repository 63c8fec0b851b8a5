"""The command `factory`: one module a subcommand, which is imported when it is called.

Heavy imports (Airflow, pandas, scikit-learn, MLflow) belong inside the functions that need them:
`factory --help` and `factory validate` must answer at once.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "demo": "Run every producer, watch its dataset train models, and say what came of it.",
    "up": "Start MLflow and Airflow here and keep them running; Ctrl-C stops them.",
    "init": "Write a new project, with a team file that is proposed from data of yours.",
    "new": "Add a team to a project, or a dataset or a model to a team.",
    "validate": "Check team files: every problem with its line, and what to write instead.",
    "explain": "Say in words what a dataset or a model is, or what a code of `factory validate` means.",
    "inspect": "Look at a file, an address or a dataset: how it is written, its columns, and the YAML that reads it.",
    "test": "Render and build the DAGs of teams, and run their transforms and checks on the small inputs in tests/.",
    "plan": "Say which DAGs come, go and change against what is live, what that does, and who is affected.",
    "graph": "Show the datasets and models of all teams, and which is made of which.",
    "contract": "Write what a dataset promises its readers, or say what a change of it breaks.",
    "render": "Print the DAGs of a team as dag-factory YAML: exactly what is built.",
    "run": "Run one DAG here and now, without a scheduler; datasets that it lacks are produced first.",
    "serve": "Answer requests for predictions with the models that are in production.",
    "status": "Say how datasets and models stand: snapshots, champions, runs, approvals, drift, what is paused.",
    "why": "Say where a version of a model, or a snapshot of a dataset, comes from, and why it is there.",
    "why-not": "Say why there is no newer version of a model, or snapshot of a dataset, and what changes that.",
    "reproduce": "Train a version again from what is recorded of it, and compare what both say, byte for byte.",
    "evidence": "Put all that is known of a version, with fingerprints of it, into one archive.",
    "champion": "List the versions of a model: aliases, test metrics, data, configuration, and why they stand so.",
    "rollback": "Put the previous champion, or a version by number, back into production.",
    "restore": "Make an old version of a dataset its newest snapshot, such as after damage.",
    "replay": "Tell the readers of a dataset of its newest snapshot once more, or those of a model of its champion.",
    "unpause": "Let the DAGs of a team run, or a single one: Airflow pauses each DAG that it has not met before.",
    "clean": "Take away what killed runs have left over; what belongs to a run at work stays.",
    "doctor": "Look at versions, telemetry, MLflow, storage, disk, Airflow, connections, pools and the time of a parse.",
    "kinds": "List the kinds that team files may name: where each comes from and what it takes.",
    "schema": "Print the JSON schema of this project's team files, the kinds of its plug-ins included.",
}
"""Each subcommand in the order of the help text, with what it does: a test holds that it says so itself."""

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@contextmanager
def without_pydantic_plugins() -> Iterator[None]:
    """Let pydantic look for no plug-ins of its own, which takes a look at every installed package."""
    before = os.environ.get(_NO_PLUGINS)
    os.environ[_NO_PLUGINS] = before or "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_PLUGINS]


class Command(TyperCommand):
    """A subcommand, whose arguments typer reads with pydantic."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is written behind its name."""
        with without_pydantic_plugins():
            return super().parse_args(ctx, args)


class Commands(TyperGroup):
    """Subcommands that are imported when they are called; to list them none is."""

    _lists = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is written before the subcommand's name."""
        with without_pydantic_plugins():
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help text."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The subcommand; while the help text is made, only its name and what it does."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if self._lists:
            return TyperCommand(cmd_name, short_help=COMMANDS[cmd_name], callback=None)
        return load(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help text, for which no subcommand is imported."""
        self._lists = True
        super().format_help(ctx, formatter)
        self._lists = False


def load(name: str) -> Any:
    """A subcommand, imported."""
    word = name.replace("-", "_")
    found = getattr(importlib.import_module(f"factory.cli.{word}"), word)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        alone.command(name, cls=Command)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command


app = typer.Typer(
    name="factory",
    cls=Commands,
    help="One YAML file a team: data-engineering and ML DAGs on Airflow, linked by datasets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - how typer calls it
    if asked:
        from importlib.metadata import version

        typer.echo(f"ml-dag-factory {version('ml-dag-factory')}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    del version
