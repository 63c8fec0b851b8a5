"""What `factory inspect` shows on a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from factory.base.texts import in_quotes, shown
from factory.cli.console import plain_table
from factory.cli.inspect_words import bars, picture, share, span
from factory.data.profile.inspection import Column, Inspection

_NARROW = 120
"""Below how many signs a line the reason of a type goes below its column."""
_COLUMNS = 200
_PICTURE = 12


def lines(found: Inspection, width: int) -> Iterator[RenderableType]:
    """What to print, one after the other.

    Args:
        found: What was found.
        width: Signs in a line.
    """
    yield Text.assemble((found.label, "bold"), f"  {headline(found)}")
    for note in found.notes:
        yield Text(shown(note, 300), style="yellow")
    if found.dialect:
        yield Text()
        yield _dialect(found)
    yield Text()
    yield _columns(found.columns[:_COLUMNS], width)
    if len(found.columns) > _COLUMNS:
        yield Text(f"and {len(found.columns) - _COLUMNS:,} more columns", style="dim")
    yield Text()
    yield _suspicions(found) if found.suspicions else Text("Nothing looks suspicious.")
    yield Text()
    yield Text("A dataset that reads it:", style="bold")
    yield Text()
    yield Padding(
        Syntax(found.yaml.rstrip("\n"), "yaml", background_color="default", word_wrap=True),
        (0, 0, 0, 2),
    )


def headline(found: Inspection) -> str:
    """How much there is, in one line."""
    of = "" if found.is_whole else "first "
    parts = [
        f"{of}{found.rows:,} {'row' if found.rows == 1 else 'rows'} of {len(found.columns):,} columns"
    ]
    if found.files > 1:
        parts.append(f"{found.files:,} files")
    if found.size is not None:
        parts.append(_size(found.size))
    return ", ".join(parts)


def _size(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return ""


def _dialect(found: Inspection) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for name, said in found.dialect.items():
        table.add_row(name, Text(written(said.value)), Text(shown(said.reason, 200)))
    return table


def written(value: Any) -> str:
    """The value of a field of `source`, as YAML has it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(in_quotes(item, 20) for item in value) + "]"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return shown(text, 40) if len(text) > 1 and text.strip() == text else repr(text)


def _columns(columns: Sequence[Column], width: int) -> Table:
    is_narrow = width < _NARROW
    table = plain_table("column", "type")
    if not is_narrow:
        table.add_column("because", overflow="fold", max_width=36)
    table.add_column("null", justify="right", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("distribution", no_wrap=True)
    table.add_column("values", overflow="fold", ratio=1)
    table.columns[0].max_width = 24 if is_narrow else 32
    table.columns[1].max_width = 14 if is_narrow else 24
    for column in columns:
        table.add_row(*_cells(column, is_narrow=is_narrow))
    return table


def _cells(column: Column, *, is_narrow: bool) -> list[RenderableType]:
    name, kind = Text(shown(column.name, 60)), Text(shown(column.kind, 60), style="cyan")
    reason = Text(shown(column.reason, 200), style="dim")
    facts = column.facts
    if facts is None:
        return [
            name,
            kind,
            *([] if is_narrow else [reason]),
            "",
            "",
            "",
            reason if is_narrow else "",
        ]
    values: RenderableType = Text(span(facts))
    if is_narrow:
        values = Group(values, reason)
    return [
        name,
        kind,
        *([] if is_narrow else [reason]),
        Text(share(facts.nulls, facts.rows) if facts.nulls else "–"),
        Text("" if facts.is_nested else f"{facts.distinct:,}"),
        Text(bars(picture(facts, _PICTURE)), style="green"),
        values,
    ]


def _suspicions(found: Inspection) -> Table:
    table = plain_table("look at", "", "")
    table.columns[0].max_width = 28
    for one in found.suspicions:
        what = Text(one.kind.replace("_", " "), style="yellow")
        told = Text.assemble(shown(one.text, 200), (f"\n→ {shown(one.advice, 200)}", "dim"))
        table.add_row(Text(shown(one.column, 60)), what, told)
    return table
