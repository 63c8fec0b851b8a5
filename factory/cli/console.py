"""What the subcommands share to talk to people: on a terminal, and in a log that CI keeps."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from factory.base.errors import FactoryError
from factory.cli.called import as_called
from factory.runtime.errors import EmbeddedRuntimeError, Interrupted

# A log has no width of its own, and a table folded to 80 columns is hard to read in one.
_LOG_WIDTH = 160


class _Console(Console):
    """A console whose hints name commands that work as they are written."""

    def print(self, *objects: Any, **options: Any) -> None:
        """See `rich.console.Console.print`."""
        shown = (as_called(one) if isinstance(one, str) else one for one in objects)
        super().print(*shown, **options)


console = _Console(width=None if sys.stdout.isatty() else _LOG_WIDTH)
errors = _Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH)


@contextmanager
def failures_explained() -> Iterator[None]:
    """Turn what can go wrong with the runtime into a message and an exit code."""
    try:
        yield
    except Interrupted as stop:
        console.print("Stopped.")
        raise typer.Exit(128 + stop.signal_number) from stop
    except (EmbeddedRuntimeError, FactoryError) as failure:
        errors.print(f"[bold red]error:[/] {escape(str(failure))}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from failure


def failed(message: str) -> typer.Exit:
    """Say what is wrong; the exception that leaves with 1."""
    errors.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
    return typer.Exit(1)


class Board:
    """A table that changes in place on a terminal; elsewhere, one plain line for each change."""

    def __init__(self) -> None:
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, table: RenderableType, lines: dict[str, str]) -> None:
        """Show a state.

        Args:
            table: For a terminal.
            lines: For elsewhere: a line a row, printed when it differs from the row's last one.
        """
        if self._live:
            self._live.update(table)
            return
        for row, line in lines.items():
            if self._said.get(row) != line:
                self._said[row] = line
                console.print(line, soft_wrap=True, highlight=False, markup=False)


def plain_table(*columns: str) -> Table:
    """An empty table in the house's looks."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def state_text(state: str) -> Text:
    """A state of a component, run or task in its colour."""
    colours = {"healthy": "green", "success": "green", "failed": "red", "running": "cyan"}
    return Text(state, style=colours.get(state, "yellow"))
