"""The page of the docs that has every built-in kind, made from the register and from the kinds' JSON schemas."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from factory.base.texts import table_cell
from factory.kinds import FAMILIES, Family, Kind, builtin, json_schema

_HEAD = """# Kinds

What a team file may name, family by family: what each kind does, and what it takes. `factory kinds` lists the same in the
terminal, with the kinds of [plug-ins](how-to/own-package.md). How they go together says [the team file](team-file.md).

A key without a default must be written.

<!-- Made from the kinds themselves by `make reference`. -->
"""
_EMPTY: tuple[Any, ...] = (None, [], {}, "")
"""Defaults that mean: nothing."""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([_HEAD, *(_family(family) for family in FAMILIES.values())])


def _family(family: Family) -> str:
    kinds = builtin(family)
    parts = [f"## {family.name.capitalize()}\n"]
    if family.key is None:
        parts.append("| name | what it is |\n|---|---|")
        parts += [f"| `{kind.name}` | {table_cell(kind.summary)} |" for kind in kinds]
        return "\n".join([*parts, ""])
    return "\n".join([*parts, *(_kind(kind) for kind in kinds)])


def _kind(kind: Kind) -> str:
    """A kind's heading, what it does, and a table of its keys."""
    heading = f"### `{kind.family.key}: {kind.name}`\n\n{kind.summary}\n"
    rows = list(_keys(kind))
    if not rows:
        return f"{heading}\nIt takes no keys.\n"
    head = ("| key | default | what it is | example |", "|---|---|---|---|")
    return "\n".join([heading, *head, *rows, ""])


def _keys(kind: Kind) -> Iterator[str]:
    section: type[BaseModel] = kind.target
    schema = json_schema(section)
    schema = schema if "properties" in schema else schema["$defs"][section.__name__]
    for name, about in schema["properties"].items():
        if name == kind.family.key:
            continue
        default = _written(about.get("default"))
        examples = [_written(example) for example in about.get("examples", ())]
        cells = (
            f"`{name}`",
            "" if name in schema.get("required", ()) else default,
            _described(about),
            ", ".join(example for example in examples if example != default),
        )
        yield f"| {' | '.join(table_cell(cell) for cell in cells)} |"


def _described(about: dict[str, Any]) -> str:
    """What a key is, and the words that it may be."""
    words = about.get("enum", ())
    choices = f"One of {', '.join(map(_written, words))}." if words else ""
    return " ".join(part for part in (about.get("description", ""), choices) if part)


def _written(value: Any) -> str:
    """A value as YAML has it in one line; JSON is YAML, too. What is left out of a section is not shown."""
    if isinstance(value, dict):
        value = {key: value[key] for key in sorted(value) if value[key] not in _EMPTY}
    if value in _EMPTY:
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"
